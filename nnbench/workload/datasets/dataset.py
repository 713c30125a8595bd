"""What a loaded data set is, and how it looks, as plain data for a table."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.families import IMAGES, SEQUENCES, TABLE, TOKENS, USUAL_DATA

Array = npt.NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
TOO_LARGE = "too large for float32 (at most 3.4e38): use another unit"
FIGURES = (np.mean, np.std, np.min, np.max)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data to train on, checked: finite float32 numbers, and labels that can be learned.

    `features` has shape (rows, width), `labels` (rows, 1); labels of a classification are numbers
    of classes, from 0. `name` is the text that `load` understands, `source` one line for a person,
    of which `notes` say how the file was read, and `digest` the SHA-256 (hexadecimal) of both
    arrays' shapes and little-endian bytes. Arrays for a person's own model have any shape.
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
        """Raise UserError unless an architecture can be trained on it, with one label a row."""
        if self.labels.shape[1:] not in ((), (1,)):
            raise UserError(
                f"{network} cannot be trained on {self.name}: a row of y has shape "
                f"{self.labels.shape[1:]}, not (1,); name your own model with --model"
            )
        if self.kind not in network.kind.takes:
            usual = USUAL_DATA[network.kind.takes[0]]
            raise UserError(
                f"{network} takes {' or '.join(network.kind.takes)}: {self.name} is {self.kind}, "
                f"a row of it has shape {self.shape}; try --data {usual}"
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
    """Columns (the label last), rows per class (None for a regression), the first rows in order."""

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
    parts = _columns(data.features, names) + _columns(data.labels, [(data.label_name, "label")])
    columns = [
        ColumnSummary(name, role, *(float(figure(values)) for figure in FIGURES))
        for (name, role), values in parts
    ]
    rows = zip(*(values[:first].tolist() for _, values in parts if values.ndim == 1), strict=True)
    classes = tasks.classes(data.task) or 0
    counts = np.bincount(data.labels.astype(np.int64).ravel(), minlength=classes) if classes else ()
    return Description(
        name=data.name,
        task=data.task,
        source=data.source,
        rows=data.rows,
        digest=data.digest,
        columns=columns,
        class_counts=dict(enumerate(map(int, counts))) if classes else None,
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
