"""What a data set looks like, as plain data for a table."""

from dataclasses import dataclass

import numpy as np

from nnbench.workload.datasets.dataset import Array, Dataset


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


def describe(dataset: Dataset, *, first: int = 5) -> Description:
    """Summarise every column, count the classes and copy the first rows."""
    columns = [
        _column(name, "feature", values)
        for name, values in zip(dataset.feature_names, dataset.features.T, strict=True)
    ]
    labels = dataset.labels.ravel()
    counts = None
    if dataset.task == "classification":
        counts = {value: int(np.count_nonzero(labels == value)) for value in (0, 1)}
    together = np.concatenate([dataset.features[:first], dataset.labels[:first]], axis=1)
    return Description(
        name=dataset.name,
        task=dataset.task,
        source=dataset.source,
        rows=dataset.rows,
        digest=dataset.digest,
        columns=[*columns, _column(dataset.label_name, "label", labels)],
        class_counts=counts,
        first_rows=[tuple(float(value) for value in row) for row in together],
    )


def _column(name: str, role: str, values: Array) -> ColumnSummary:
    exact = values.astype(np.float64)
    return ColumnSummary(
        name=name,
        role=role,
        mean=float(exact.mean()),
        sd=float(exact.std()),
        minimum=float(exact.min()),
        maximum=float(exact.max()),
    )
