"""What `keras.datasets` offers, `keras:mnist` and its like, read in a process of its own.

Keras downloads a data set once and keeps it below `KERAS_HOME`, else `~/.keras`. The rows taken
are the first ones of its training part.
"""

import difflib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.machine import child, devices, npz
from nnbench.workload import tasks
from nnbench.workload.datasets.dataset import Dataset
from nnbench.workload.families import IMAGES, TABLE, TOKENS

PREFIX = "keras"
USUAL_ROWS = 2000
"""So few that a training stays short; all of them are a matter of `rows=`."""

LIMIT_S = 3600
CHILD = "import sys; from nnbench.workload.datasets import from_keras as f; f.answer(*sys.argv[1:])"
LIGHTEST_FIRST = ("jax", "torch", "tensorflow")

HOUSING = (
    *("longitude", "latitude", "housing_median_age", "total_rooms"),
    *("total_bedrooms", "population", "households", "median_income"),
)
HOUSING_UNIT = 100_000


@dataclass(frozen=True)
class Known:
    """One of Keras' data sets: `rows` of its training part, and what Keras calls its copy."""

    name: str
    kind: str
    task: str
    shape: tuple[int, ...]
    rows: int
    copy: str
    source: str

    @property
    def defaults(self) -> dict[str, int]:
        """What can be set in its name, and what it is where it is not."""
        words = {"length": self.shape[0], "vocabulary": 10_000} if self.kind == TOKENS else {}
        return {**words, "rows": USUAL_ROWS}


KNOWN = {
    one.name: one
    for one in (
        Known("mnist", IMAGES, tasks.of_classes(10), (28, 28, 1), 60_000, "mnist.npz",
              "images of handwritten digits"),
        Known("fashion_mnist", IMAGES, tasks.of_classes(10), (28, 28, 1), 60_000, "fashion-mnist",
              "images of clothes"),
        Known("cifar10", IMAGES, tasks.of_classes(10), (32, 32, 3), 50_000,
              "cifar-10-batches-py-target", "small photographs of things"),
        Known("cifar100", IMAGES, tasks.of_classes(100), (32, 32, 3), 50_000,
              "cifar-100-python-target", "small photographs of things, 100 kinds"),
        Known("imdb", TOKENS, tasks.CLASSIFICATION, (80,), 25_000, "imdb.npz",
              "film reviews, for or against"),
        Known("reuters", TOKENS, tasks.of_classes(46), (80,), 8_982, "reuters.npz",
              "news by topic"),
        Known("california_housing", TABLE, tasks.REGRESSION, (8,), 16_512,
              "california_housing.npz", "house prices by district, in 100,000 dollars"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """One of Keras' data sets and what is taken of it."""

    known: Known
    sizes: dict[str, int]

    @property
    def name(self) -> str:
        """The full text that stands for it."""
        return ",".join(
            [f"{PREFIX}:{self.known.name}", *(f"{key}={size}" for key, size in self.sizes.items())]
        )

    @property
    def is_here(self) -> bool:
        """Whether Keras has a copy, so that nothing is downloaded."""
        return (_folder() / self.known.copy).exists()


def parse(text: str) -> Recipe:
    """Read `keras:imdb,length=80,vocabulary=10000,rows=2000` or less of it, else UserError."""
    name, *parts = (part.strip() for part in text.partition(":")[2].split(","))
    if name not in KNOWN:
        near = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"; did you mean {PREFIX}:{near[0]}?" if near else ""
        raise UserError(f"'{text}' is not known: there are {PREFIX}:{', '.join(KNOWN)}{hint}")
    known = KNOWN[name]
    limits = {"length": (2, 2_500), "vocabulary": (10, 100_000), "rows": (2, known.rows)}
    sizes, given = known.defaults, set()
    for part in filter(None, parts):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in sizes or key in given or not re.fullmatch(r"\d{1,9}", value, re.ASCII):
            usual = Recipe(known, known.defaults).name
            raise UserError(f"'{part}' in '{text}' is not understood: write {usual}")
        least, most = limits[key]
        if not least <= int(value) <= most:
            raise UserError(f"{key}={value} of {PREFIX}:{name} goes from {least} to {most}")
        sizes[key] = int(value)
        given.add(key)
    return Recipe(known, sizes)


def load(recipe: Recipe) -> Dataset:
    """Its rows, as networks take them. Raises UserError where they cannot be had."""
    known, rows = recipe.known, recipe.sizes["rows"]
    found = _arrays(recipe)
    features: Any = found["x"]
    labels = found["y"].astype(np.float32).reshape(-1, 1)
    notes = []
    if rows < known.rows:
        notes.append(
            f"the first {rows:,} of {known.rows:,} training rows (rows={known.rows} takes all)"
        )
    names: tuple[str, ...] = tuple(f"x{number}" for number in range(known.shape[-1]))
    vocabulary = recipe.sizes.get("vocabulary")
    if known.kind == IMAGES:
        features = features.reshape(len(features), *known.shape).astype(np.float32) / np.float32(
            255
        )
        notes.append("scaled from 0..255 to 0..1")
    elif known.kind == TOKENS:
        length = recipe.sizes["length"]
        names = tuple(f"x{number}" for number in range(length))
        notes.append(f"the last {length} words of each, of the {vocabulary:,} most frequent")
    else:
        features = features.astype(np.float64)
        features = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
        labels, names = labels / np.float32(HOUSING_UNIT), HOUSING
        notes.append("features standardised")
    return Dataset(
        name=recipe.name,
        task=known.task,
        features=features,
        labels=labels,
        feature_names=names,
        label_name="y",
        source="; ".join([f"{known.source}, from keras.datasets.{known.name}", *notes]),
        notes=tuple(notes),
        vocabulary=vocabulary,
    )


def answer(name: str, file: str) -> None:
    """Write the arrays that Keras gives; whatever it raises ends the process."""
    recipe = parse(name)
    rows, vocabulary = recipe.sizes["rows"], recipe.sizes.get("vocabulary")
    import keras

    keras.config.set_image_data_format("channels_last")
    options = {} if vocabulary is None else {"num_words": vocabulary}
    (x, y), _ = getattr(keras.datasets, recipe.known.name).load_data(**options)
    x, y = x[:rows], y[:rows]
    if vocabulary is not None:
        x = keras.utils.pad_sequences(x, maxlen=recipe.sizes["length"], dtype="int32")
    np.savez(file, x=x, y=y)


def _arrays(recipe: Recipe) -> dict[str, NDArray[Any]]:
    backend = next((one for one in LIGHTEST_FIRST if devices.is_installed(one)), "numpy")
    # What is only read needs no device.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "data.npz"
        command = [sys.executable, "-c", CHILD, recipe.name, str(file)]
        surroundings = {**os.environ, **quiet, "KERAS_BACKEND": backend}
        try:
            ended = child.run(command, env=surroundings, limit_s=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise _not_had(recipe, f"not within {LIMIT_S} s") from None
        if ended.returncode != 0 or not file.exists():
            said = ended.stderr.decode(errors="replace").strip().splitlines()
            told = said[-1] if said else f"its process ended with status {ended.returncode}"
            raise _not_had(recipe, told.removeprefix("Exception: "))
        found = npz.read(file, ("x", "y"))
    wanted = recipe.sizes["rows"]
    if len(found["x"]) != wanted or len(found["y"]) != wanted:
        raise _not_had(recipe, f"its copy has {len(found['x'])} rows")
    return found


def _not_had(recipe: Recipe, reason: str) -> UserError:
    name = recipe.known.name
    return UserError(
        f"{recipe.name} cannot be had ({reason.rstrip('.')}): where the network can be reached, "
        f'run python -c "import keras; keras.datasets.{name}.load_data()", and copy '
        f"{recipe.known.copy} from Keras' folder there into {_folder()}"
    )


def _folder() -> Path:
    """Where Keras keeps what it has downloaded."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
