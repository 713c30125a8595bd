"""A data set from a CSV file: choose columns, check them, scale them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnbench.errors import UserError
from nnbench.workload.case import TASKS, one_of
from nnbench.workload.datasets import table
from nnbench.workload.datasets.dataset import Dataset
from nnbench.workload.datasets.table import Column, Table


@dataclass(frozen=True)
class Choice:
    """What is taken of a table, and how.

    `features` None is every other column not wholly text, `task` None classification when the label
    holds only 0 and 1, else regression. `standardise` is to mean 0, deviation 1 over all rows.
    """

    label: str | None = None
    features: Sequence[str] | None = None
    task: str | None = None
    standardise: bool = False

    @property
    def of_columns(self) -> bool:
        """Whether it asks for anything that only a table can give."""
        return self.features is not None or self.label is not None or self.standardise


def load_csv(
    path: Path, choice: Choice, *, name: str, source: str, header: Sequence[str] | None = None
) -> Dataset:
    """Read the chosen columns, with `header` for a header line; UserError for unusable ones."""
    task, label = choice.task, choice.label
    if task is not None:
        one_of("task", task, TASKS)
    read = table.read(path, header=header)
    if label is None:
        raise UserError(f"{read.file} needs a label: name one of its columns {read.listed()}")
    read.require([label])
    features = _features(read, choice, label)
    labels = read.numbers(label)
    if task is None:
        task = "classification" if np.isin(labels, (0, 1)).all() else "regression"
    _check_labels(read, label, labels, task)
    columns = []
    for feature in features:
        values = read.numbers(feature)
        if np.array_equal(values, labels):
            raise UserError(
                f"{read.file}, column '{feature}' equals the label '{label}' in every row: "
                "leave it out, or there is nothing to learn"
            )
        columns.append(_standardised(read, feature, values) if choice.standardise else values)
    if choice.features is None and len(features) < len(read.names) - 1:
        left_out = [one for one in read.names if one not in (*features, label)]
        source += f"; left out as text: {', '.join(left_out)}"
    return Dataset(
        name=name,
        task=task,
        features=np.stack(columns, axis=1).astype(np.float32, order="C"),
        labels=labels.astype(np.float32).reshape(-1, 1),
        feature_names=tuple(features),
        label_name=label,
        source=source + ("; standardised" if choice.standardise else ""),
    )


def _features(read: Table, choice: Choice, label: str) -> list[str]:
    numeric = (one for one in read.names if one != label and not read.is_text(one))
    chosen = list(numeric if choice.features is None else choice.features)
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
    return chosen


def _check_labels(read: Table, label: str, labels: Column, task: str) -> None:
    where = f"{read.file}, label '{label}'"
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if task == "classification" and wrong.size:
        line, value = read.lines[wrong[0]], labels[wrong[0]]
        raise UserError(
            f"{where} is {value:g} on line {line}: classification takes 0 and 1 only; "
            "recode it, or ask for regression"
        )
    if np.unique(labels.astype(np.float32)).size == 1:
        missing = f"; class {1 - labels[0]:g} is missing" if task == "classification" else ""
        raise UserError(
            f"{where} is {labels[0]:g} in every row{missing}: name another label or add rows"
        )


def _standardised(read: Table, feature: str, values: Column) -> Column:
    deviation = values.std()
    if np.ptp(values) == 0 or not deviation > 0:
        raise UserError(
            f"{read.file}, column '{feature}' is {values[0]:g} in every row and cannot be "
            "standardised: leave it out"
        )
    return np.asarray((values - values.mean()) / deviation)
