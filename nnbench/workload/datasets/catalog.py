"""The data that nnbench knows by name, and which copy of it is in use."""

import math
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.datasets import from_keras, original, shaped, synthetic, table


@dataclass(frozen=True)
class BuiltIn:
    """A data set known by name: what it holds and how to find its copies."""

    name: str
    task: str
    label: str
    rows: int
    features: int
    file: str
    setting: str
    source: str


@dataclass(frozen=True)
class Copy:
    """The copy of a known data set that is in use."""

    origin: str
    path: Path
    source: str
    header: tuple[str, ...] | None = None
    """Column names for a file that has no header line: UCI's own, which is not scaled yet."""


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the list of data sets.

    `origin` is "shipped", "fetched", "local copy" (by a setting), "made", "Keras' copy" or "to be
    downloaded"; `path` is None for what is made and for Keras' own. A local copy that cannot be
    read has a `problem` and no rows.
    """

    name: str
    task: str
    rows: int | None
    features: int | None
    source: str
    origin: str
    path: Path | None
    problem: str | None = None


BUILT_IN = {
    "banknotes": BuiltIn(
        name="banknotes",
        task="classification",
        label="is_fake",
        rows=1372,
        features=4,
        file="bank_note.csv",
        setting="NNBENCH_BANKNOTES",
        source=(
            "a stand-in: seeded draw from a mixture fitted to UCI's Banknote Authentication "
            f"(V. Lohweg, 2012, doi 10.24432/C55P57, {original.LICENCE.partition(',')[0]})"
        ),
    ),
    "instagram": BuiltIn(
        name="instagram",
        task="regression",
        label="likes",
        rows=400,
        features=4,
        file="instagram_planning_norm.csv",
        setting="NNBENCH_INSTAGRAM",
        source="a stand-in: simulated likes of 400 planned posts, formula in data/README.md, MIT",
    ),
}


@dataclass(frozen=True)
class Arrays:
    """Shipped arrays known by name; features are divided by `largest`."""

    name: str
    task: str
    rows: int
    shape: tuple[int, ...]
    file: str
    largest: float
    source: str


ARRAYS = {
    "digits": Arrays(
        name="digits",
        task=tasks.of_classes(10),
        rows=1000,
        shape=(16, 16, 1),
        file="digits.npz",
        largest=255.0,
        source="images of drawn digits under noise, made by data/make_arrays.py, MIT",
    ),
    "waves": Arrays(
        name="waves",
        task=tasks.of_classes(4),
        rows=800,
        shape=(48, 1),
        file="waves.npz",
        largest=127.0,
        source="sine, square, triangle or sawtooth under noise, made by data/make_arrays.py, MIT",
    ),
}


_PATTERNS = "of any size; labels= and outputs=, too"

MADE = {
    synthetic.PREFIX: "random data of any size; any of the keys may be left out",
    f"{synthetic.PREFIX}:labels=5": "the same with 5 labels a row, each 0 or 1",
    f"{synthetic.PREFIX}:outputs=3": "the same with 3 numbers a row",
    **{example: f"{kind} {_PATTERNS}" for kind, example in shaped.EXAMPLES.items()},
}
"""An example of each kind of made-up data, and what it is."""


def shipped_folder() -> Path:
    """The shipped data: inside the installed package, or beside it in a checkout."""
    package = Path(str(resources.files("nnbench")))
    installed = package / "data"
    return installed if installed.is_dir() else package.parent / "data"


def locate(known: BuiltIn) -> Copy:
    """The copy in use: the one a setting names, else the fetched one, else the shipped one."""
    local = os.environ.get(known.setting)
    if local:
        path = Path(local).expanduser()
        raw = known.name == "banknotes" and table.looks_headerless(path)
        header = original.HEADER if raw else None
        return Copy("local copy", path, f"a local copy, set by {known.setting}", header)
    if known.name == "banknotes" and original.cached_path().is_file():
        cited = f"the original, standardised: {original.CITATION} {original.LICENCE}"
        return Copy("fetched", original.cached_path(), cited)
    return Copy("shipped", shipped_folder() / known.file, known.source)


def available() -> list[DatasetInfo]:
    """Every data set known by name, with the copy in use; only local copies are opened."""
    arrays = [
        DatasetInfo(
            one.name,
            one.task,
            one.rows,
            math.prod(one.shape),
            one.source,
            "shipped",
            shipped_folder() / one.file,
        )
        for one in ARRAYS.values()
    ]
    return [*map(_info, BUILT_IN.values()), *arrays, *_of_keras(), *_made()]


def _of_keras() -> list[DatasetInfo]:
    """What keras.datasets offers, each as it is taken where nothing else is asked for."""
    found = []
    for name, known in from_keras.KNOWN.items():
        recipe = from_keras.parse(f"{from_keras.PREFIX}:{name}")
        origin = "Keras' copy" if recipe.is_here else "to be downloaded"
        size = from_keras.USUAL_ROWS, math.prod(known.shape)
        source = f"{known.source}; rows={known.rows} takes all"
        spec = f"{from_keras.PREFIX}:{name}"
        found.append(DatasetInfo(spec, known.task, *size, source, origin, None))
    return found


def _made() -> list[DatasetInfo]:
    """One of each kind of data that are made."""
    found = []
    for example, source in MADE.items():
        recipe = synthetic.parse(example)
        features = recipe.features if isinstance(recipe, synthetic.Recipe) else recipe.values
        size = recipe.rows, features
        task = recipe.task if isinstance(recipe, synthetic.Recipe) else recipe.of_task
        name = recipe.name if example == synthetic.PREFIX else example
        found.append(DatasetInfo(name, task, *size, source, origin="made", path=None))
    return found


def _info(known: BuiltIn) -> DatasetInfo:
    size: tuple[int | None, int | None] = known.rows, known.features
    problem = None
    try:
        copy = locate(known)
        if copy.origin == "local copy":
            read = table.read(copy.path, header=copy.header)
            size = len(read.rows), len(read.names) - 1
    except UserError as error:
        path = Path(os.environ[known.setting]).expanduser()
        copy = Copy("local copy", path, f"set by {known.setting}")
        size, problem = (None, None), str(error)
    return DatasetInfo(known.name, known.task, *size, copy.source, copy.origin, copy.path, problem)
