"""What a data set looks like, as plain data for a table."""

from dataclasses import dataclass

import numpy as np

from nnbench.workload.datasets.dataset import Dataset


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
    """A data set at a glance: columns (the label last), rows per class, the first rows.

    `class_counts` is None for a regression; `first_rows` hold the columns' values in order.
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
