"""What a loaded data set is, and how it looks, as plain data for a table."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data to train on, checked: finite float32 numbers, and labels that can be learned.

    `features` has shape (rows, width), `labels` (rows, 1); labels of a classification are
    0 and 1. `name` is the text that `load` understands, `source` one line for a person, and
    `digest` the SHA-256 (hexadecimal) of both arrays' shapes and little-endian bytes.
    """

    name: str
    task: str
    features: Array
    labels: Array
    feature_names: tuple[str, ...]
    label_name: str
    source: str
    digest: str = ""

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
    values = np.concatenate([data.features, data.labels], axis=1, dtype=np.float64)
    names = [(name, "feature") for name in data.feature_names] + [(data.label_name, "label")]
    figures = [values.mean(axis=0), values.std(axis=0), values.min(axis=0), values.max(axis=0)]
    columns = [
        ColumnSummary(*name, *map(float, column))
        for name, column in zip(names, zip(*figures, strict=True), strict=True)
    ]
    counts = {one: int(np.count_nonzero(data.labels == one)) for one in (0, 1)}
    return Description(
        name=data.name,
        task=data.task,
        source=data.source,
        rows=data.rows,
        digest=data.digest,
        columns=columns,
        class_counts=counts if data.task == "classification" else None,
        first_rows=[tuple(row) for row in values[:first].tolist()],
    )
