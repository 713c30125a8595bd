"""The data that nnbench knows by name, and which copy of it is in use."""

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from nnbench.errors import UserError
from nnbench.workload.datasets import original, synthetic, table


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

    `origin` is "shipped", "fetched", "local copy" (by a setting) or "made"; `path` is None for
    what is made. A local copy that cannot be read has a `problem` and no rows.
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


def shipped_folder() -> Path:
    """The shipped data: inside the installed package, or beside it in a checkout."""
    package = Path(str(resources.files("nnbench")))
    installed = package / "data"
    return installed if installed.is_dir() else package.parent / "data"


def locate(known: BuiltIn) -> Copy:
    """Which copy is in use: the one a setting names, else the fetched one, else the shipped one.

    Raises UserError when the setting names a file that cannot be read.
    """
    local = os.environ.get(known.setting)
    if local:
        path = Path(local).expanduser()
        raw = known.name == "banknotes" and table.looks_headerless(table.read_text(path))
        return Copy(
            origin="local copy",
            path=path,
            source=f"a local copy, set by {known.setting}",
            header=original.HEADER if raw else None,
        )
    if known.name == "banknotes" and original.cached_path().is_file():
        return Copy(
            origin="fetched",
            path=original.cached_path(),
            source=f"the original, standardised: {original.CITATION} {original.LICENCE}",
        )
    return Copy(origin="shipped", path=shipped_folder() / known.file, source=known.source)


def available() -> list[DatasetInfo]:
    """Every data set known by name, with the copy in use; only local copies are opened."""
    recipe = synthetic.Recipe()
    made = DatasetInfo(
        name=recipe.name,
        task=recipe.task,
        rows=recipe.rows,
        features=recipe.features,
        source="random data of any size; any of the keys may be left out",
        origin="made",
        path=None,
    )
    return [*(_info(known) for known in BUILT_IN.values()), made]


def _info(known: BuiltIn) -> DatasetInfo:
    rows: int | None = known.rows
    features: int | None = known.features
    problem = None
    try:
        copy = locate(known)
        if copy.origin == "local copy":
            read = table.read(copy.path, header=copy.header)
            rows, features = read.rows, len(read.names) - 1
    except UserError as error:
        path = Path(os.environ[known.setting]).expanduser()
        copy = Copy(origin="local copy", path=path, source=f"set by {known.setting}")
        rows = features = None
        problem = str(error)
    return DatasetInfo(
        name=known.name,
        task=known.task,
        rows=rows,
        features=features,
        source=copy.source,
        origin=copy.origin,
        path=copy.path,
        problem=problem,
    )
