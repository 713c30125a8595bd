"""What a loaded data set is, and how it looks, as plain data for a table."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.families import IMAGES, SEQUENCES, TABLE, TOKENS, USUAL_DATA

Array = npt.NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
TOO_LARGE = "too large for float32 (at most 3.4e38): use another unit"
MOST_TOKENS = 10_000_000
FIGURES = (np.mean, np.std, np.min, np.max)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data to train on, checked: finite float32 numbers, and labels that can be learned.

    `features` has shape (rows, width), `labels` (rows, 1), or (rows, n) for a task of n labels;
    labels of a classification are numbers of classes, from 0. `name` is the text that `load`
    understands, `source` one line for a person, of which `notes` say how the file was read, and
    `digest` the SHA-256 (hexadecimal) of both arrays' shapes and little-endian bytes. Arrays for a
    person's own model have any shape.
    """

    name: str
    task: str
    features: Array
    labels: Array
    feature_names: tuple[str, ...]
    label_name: str
    source: str
    digest: str = ""
    notes: tuple[str, ...] = ()
    vocabulary: int | None = None
    """Of tokens: their number; they go from 0 to one less."""
    label_names: tuple[str, ...] = ()
    """Of several labels a row, where they have names; `label_name` is all of them."""

    def __post_init__(self) -> None:
        if not self.digest:
            digest = hashlib.sha256()
            for array in (self.features, self.labels):
                digest.update(repr(array.shape).encode())
                digest.update(np.ascontiguousarray(array, dtype="<f4").ravel().data)
            object.__setattr__(self, "digest", digest.hexdigest())

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row of the features."""
        return tuple(self.features.shape[1:])

    @property
    def kind(self) -> str:
        """`table`, `images`, `sequences` or `tokens`; `arrays` for what no family takes."""
        if self.vocabulary is not None:
            return TOKENS
        return {0: TABLE, 1: TABLE, 2: SEQUENCES, 3: IMAGES}.get(len(self.shape), "arrays")

    def check_takes(self, network: Architecture) -> None:
        """Raise UserError unless an architecture can be trained on it, with the task's labels."""
        wanted = tasks.label_shapes(self.task)
        if self.labels.shape[1:] not in wanted:
            raise UserError(
                f"{network} cannot be trained on {self.name}: a row of y has shape "
                f"{self.labels.shape[1:]}, not {wanted[0]} as {self.task} has; "
                "name your own model with --model"
            )
        if self.kind not in network.kind.takes:
            usual = USUAL_DATA[network.kind.takes[0]]
            raise UserError(
                f"{network} takes {' or '.join(network.kind.takes)}: {self.name} is {self.kind}, "
                f"a row of it has shape {self.shape}; try --data {usual}"
            )

    def taken_by(self, networks: Sequence[object]) -> Self:
        """The same as these networks take it, where arrays may be meant in more than one way.

        Whole numbers by rows are tokens to architectures that take tokens and no table. The rest is
        for architectures alone, since a person's own model gets its data as they are: rows of two
        sizes are images of one channel to architectures that take images and no sequences, bytes of
        images and sequences are scaled to 0 to 1, and other whole numbers become float32.
        """
        kinds = [set(one.kind.takes) for one in networks if isinstance(one, Architecture)]
        if not kinds or self.vocabulary is not None:
            return self
        x, notes = self.features, []
        words = self._vocabulary()
        if words and any(TOKENS in takes and TABLE not in takes for takes in kinds):
            told = f"x taken as tokens of a vocabulary of {words:,} (give floats for numbers)"
            return self._noted([told], vocabulary=words)
        if len(kinds) < len(networks):
            return self
        if len(self.shape) == 2 and any(IMAGES in one and SEQUENCES not in one for one in kinds):
            x = x[..., None]
            notes.append("x taken as images of one channel")
        if x.dtype == np.uint8 and len(self.shape) in (2, 3):
            x = x / np.float32(255)
            notes.append("x scaled from 0..255 to 0..1 (give floats to have them as they are)")
        if not notes and x.dtype == np.float32:
            return self
        return self._noted(notes, features=x.astype(np.float32, copy=False), digest="")

    def _vocabulary(self) -> int | None:
        """One more than the largest token, if whole numbers by rows can be tokens at all."""
        if self.features.dtype.kind not in "iu" or len(self.shape) != 1 or self.shape[0] < 2:
            return None
        least, most = int(self.features.min()), int(self.features.max())
        return most + 1 if least >= 0 and most < MOST_TOKENS else None

    def _noted(self, notes: list[str], **changed: Any) -> Self:
        """Changed, which its source line and its notes say."""
        names = self.feature_names
        if "features" in changed:
            names = tuple(f"x{i}" for i in range(changed["features"].shape[-1]))
        return replace(
            self,
            source="; ".join([self.source, *notes]),
            notes=(*self.notes, *notes),
            feature_names=names,
            **changed,
        )

    @property
    def width(self) -> int:
        """Number of feature columns."""
        return len(self.feature_names)


@dataclass(frozen=True)
class ColumnSummary:
    """One column, in the column's own unit; `sd` divides by the number of rows."""

    name: str
    role: str
    mean: float
    sd: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Description:
    """Columns (labels last), the first rows in order.

    `class_counts` holds the rows of each class, or of several labels a row those that have each;
    None for a regression.
    """

    name: str
    task: str
    source: str
    rows: int
    digest: str
    columns: list[ColumnSummary]
    class_counts: dict[int, int] | None
    first_rows: list[tuple[float, ...]]


def describe(data: Dataset, *, first: int = 5) -> Description:
    """Summarise every column, count the classes and copy the first rows."""
    names = [(name, "feature") for name in data.feature_names]
    labelled = [(name, "label") for name in data.label_names or (data.label_name,)]
    parts = _columns(data.features, names) + _columns(data.labels, labelled)
    columns = [
        ColumnSummary(name, role, *(float(figure(values)) for figure in FIGURES))
        for (name, role), values in parts
    ]
    rows = zip(*(values[:first].tolist() for _, values in parts if values.ndim == 1), strict=True)
    classes = tasks.classes(data.task) or 0
    fits = data.labels.shape[1:] in tasks.label_shapes(data.task)
    counts: Any = ()
    if fits and tasks.kind(data.task) in (tasks.MULTILABEL, tasks.ONE_HOT):
        counts = np.sum(data.labels, axis=0, dtype=np.int64).tolist()
    elif classes:
        counts = np.bincount(data.labels.astype(np.int64).ravel(), minlength=classes).tolist()
    return Description(
        name=data.name,
        task=data.task,
        source=data.source,
        rows=data.rows,
        digest=data.digest,
        columns=columns,
        class_counts=dict(enumerate(counts)) if counts else None,
        first_rows=list(rows),
    )


def _columns(
    array: npt.NDArray[np.generic], names: list[tuple[str, str]]
) -> list[tuple[tuple[str, str], npt.NDArray[np.float64]]]:
    """An array's columns with their names and roles; one of more dimensions as a whole."""
    values = np.asarray(array, dtype=np.float64)
    columns = values.reshape(len(values), -1).T
    if len(columns) == len(names) and values.ndim < 3:
        return list(zip(names, columns, strict=True))
    (name, role), *_ = names
    shape = "x".join(map(str, values.shape[1:]))
    return [((f"{name.rstrip('0')} ({shape})", role), values)]
