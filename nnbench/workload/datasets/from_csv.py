"""A data set from a CSV file: choose columns, check them, scale them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnbench.errors import UserError
from nnbench.workload.datasets import table
from nnbench.workload.datasets.dataset import Dataset, check_task
from nnbench.workload.datasets.table import Column, Table


def load_csv(
    path: Path,
    *,
    name: str,
    source: str,
    label: str | None,
    features: Sequence[str] | None = None,
    task: str | None = None,
    standardise: bool = False,
    header: Sequence[str] | None = None,
) -> Dataset:
    """Read and check the named columns of a CSV file.

    `features` None means every column but the label that is not wholly text. `task` None means
    classification when the label holds only 0 and 1, regression otherwise. `standardise` gives
    each feature mean 0 and standard deviation 1 (over all rows, in float64). `header` names the
    columns of a file that has no header line. Raises UserError for whatever cannot be trained on.
    """
    if task is not None:
        check_task(task)
    read = table.read(path, header=header)
    if label is None:
        raise UserError(f"{read.file} needs a label: name one of its columns {read.listed()}")
    read.require([label])
    chosen, left_out = _choose(read, features, label)
    labels = read.numbers(label)
    if task is None:
        task = "classification" if np.isin(labels, (0, 1)).all() else "regression"
    _check_labels(read, label, labels, task)
    columns = []
    for feature in chosen:
        values = read.numbers(feature)
        if np.array_equal(values, labels):
            raise UserError(
                f"{read.file}, column '{feature}' equals the label '{label}' in every row: "
                "leave it out, or there is nothing to learn"
            )
        columns.append(_standardised(read, feature, values) if standardise else values)
    if left_out:
        source += f"; left out as text: {', '.join(left_out)}"
    return Dataset(
        name=name,
        task=task,
        features=np.stack(columns, axis=1).astype(np.float32, order="C"),
        labels=labels.astype(np.float32).reshape(-1, 1),
        feature_names=tuple(chosen),
        label_name=label,
        source=source + ("; standardised" if standardise else ""),
    )


def _choose(read: Table, features: Sequence[str] | None, label: str) -> tuple[list[str], list[str]]:
    others = [column for column in read.names if column != label]
    if features is None:
        left_out = [column for column in others if read.is_text(column)]
        chosen = [column for column in others if column not in left_out]
    else:
        chosen, left_out = list(features), []
    read.require(chosen)
    if not chosen:
        raise UserError(
            f"{read.file} has no feature: besides the label '{label}' it needs a column of numbers"
        )
    if label in chosen:
        raise UserError(f"{read.file}, column '{label}' is the label: take it off the features")
    for column in chosen:
        if chosen.count(column) > 1:
            raise UserError(f"{read.file}, column '{column}' is chosen twice: name it once")
    return chosen, left_out


def _check_labels(read: Table, label: str, labels: Column, task: str) -> None:
    place = f"{read.file}, label '{label}'"
    if task == "classification":
        wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
        if wrong.size:
            line, value = read.lines[wrong[0]], labels[wrong[0]]
            raise UserError(
                f"{place} is {value:g} on line {line}: classification takes 0 and 1 only; "
                "recode it, or ask for regression"
            )
    if (labels.astype(np.float32) == np.float32(labels[0])).all():
        missing = f"; class {1 - labels[0]:g} is missing" if task == "classification" else ""
        raise UserError(
            f"{place} is {labels[0]:g} in every row{missing}: name another label or add rows"
        )


def _standardised(read: Table, feature: str, values: Column) -> Column:
    deviation = values.std()
    if values.min() == values.max() or not deviation > 0:
        raise UserError(
            f"{read.file}, column '{feature}' is {values[0]:g} in every row and cannot be "
            "standardised: leave it out"
        )
    return np.asarray((values - values.mean()) / deviation)
