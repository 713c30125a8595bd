"""A data set from a table's file: choose columns, check them, scale them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.datasets import classes, table
from nnbench.workload.datasets.classes import Labels, listed
from nnbench.workload.datasets.column import Numbers
from nnbench.workload.datasets.dataset import Dataset
from nnbench.workload.datasets.table import Column, Table


@dataclass(frozen=True)
class Choice:
    """What is taken of a table, and how.

    `features` None is every other column that holds numbers, `task` None what the label looks like
    (see `classes`). `standardise` is to mean 0, deviation 1 over all rows.
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
    label = choice.label
    if choice.task is not None:
        tasks.classes(choice.task)
    read = table.read(path, header=header)
    if label is None:
        raise UserError(f"{read.file} needs a label: name one of its columns {read.listed()}")
    read.require([label])
    notes = list(read.notes)
    found = _features(read, choice, label, notes)
    target = read.read(label)
    # A text such as `none` is a class where all others are texts, too.
    texts = np.array([text.strip() for text in read.columns[label]])
    as_text = target.is_text or (target.wrong.size > 0 and _is_classes(choice.task))
    if as_text:
        unknown = np.isin(np.char.lower(texts), ("", "na", "n/a", "#n/a", "nan", "null"))
        target = Numbers(np.where(unknown, np.nan, 0.0), unknown)
    else:
        read.check(label, target)
    kept = _complete(read, {**found, label: target}, notes)
    where = f"{read.file}, label '{label}'"
    if as_text:
        labels = classes.of_texts(list(texts[kept]), choice.task, where)
        numbers = labels.values
    else:
        numbers = target.values[kept]
        labels = classes.of_numbers(numbers, choice.task, where)
    _check_labels(where, numbers, labels)
    columns = []
    for feature, cells in found.items():
        values = cells.values[kept]
        if np.array_equal(values, numbers) or np.array_equal(values, labels.values):
            raise UserError(
                f"{read.file}, column '{feature}' equals the label '{label}' in every row: "
                "leave it out, or there is nothing to learn"
            )
        columns.append(_standardised(read, feature, values) if choice.standardise else values)
    taken = defaultdict(list)
    for one, cells in {**found, **({} if as_text else {label: target})}.items():
        if cells.note and not (one == label and labels.note):
            taken[cells.note].append(one)
    notes += [f"{how}: {listed(names)}" for how, names in taken.items()]
    if labels.note:
        notes.append(f"{label}: {labels.note}")
    features = np.stack(columns, axis=1).astype(np.float32, order="C")
    merged = [
        one
        for one, before, after in zip(found, columns, features.T, strict=True)
        if np.ptp(before) > 0 and np.ptp(after) == 0
    ]
    if merged:
        notes.append(f"too close together for float32, --standardise tells apart: {listed(merged)}")
    if choice.standardise:
        notes.append("standardised")
    return Dataset(
        name=name,
        task=labels.task,
        features=features,
        labels=labels.values.astype(np.float32).reshape(-1, 1),
        feature_names=tuple(found),
        label_name=label,
        source="; ".join([source, *notes]),
        notes=tuple(notes),
    )


def _is_classes(task: str | None) -> bool:
    return task is not None and tasks.classes(task) is not None


def _features(read: Table, choice: Choice, label: str, notes: list[str]) -> dict[str, Numbers]:
    """The chosen columns, or all that hold numbers; what is left out is noted."""
    if choice.features is not None:
        read.require(choice.features)
    chosen = [one for one in read.columns if one != label]
    chosen = chosen if choice.features is None else list(choice.features)
    found = {one: read.read(one) for one in chosen}
    if choice.features is None:
        empty = [one for one, cells in found.items() if cells.missing.all()]
        text = [one for one, cells in found.items() if cells.is_text]
        for one in (*empty, *text):
            del found[one]
        notes += [f"left out as text: {listed(text)}"] if text else []
        notes += [f"left out without a value: {listed(empty)}"] if empty else []
    if not found:
        raise UserError(
            f"{read.file} has no feature: besides the label '{label}' it needs a column of numbers"
        )
    if label in found:
        raise UserError(f"{read.file}, column '{label}' is the label: take it off the features")
    for column, count in Counter(chosen).items():
        if count > 1:
            raise UserError(f"{read.file}, column '{column}' is chosen twice: name it once")
    for one, cells in found.items():
        read.check(one, cells)
    return found


def _complete(read: Table, columns: dict[str, Numbers], notes: list[str]) -> Column:
    """The rows in which nothing is missing, if they are more than the others; UserError else."""
    missing = np.zeros(len(read.rows), dtype=bool)
    for cells in columns.values():
        missing |= cells.missing
    kept = np.flatnonzero(~missing)
    gone = np.flatnonzero(missing)
    if gone.size >= kept.size or kept.size < 2:
        worst = max(columns, key=lambda one: int(columns[one].missing.sum()))
        read.refuse(worst, int(np.flatnonzero(columns[worst].missing)[0]))
    if gone.size:
        lines = listed([str(read.lines[place]) for place in gone], 5)
        lacking = listed([one for one, cells in columns.items() if cells.missing.any()])
        notes.append(f"rows left out for missing values: {gone.size} (lines {lines}; in {lacking})")
    return kept


def _check_labels(where: str, numbers: Column, labels: Labels) -> None:
    if np.unique(numbers.astype(np.float32)).size == 1:
        is_class = labels.task != tasks.REGRESSION and numbers[0] in (0, 1)
        missing = f"; class {1 - numbers[0]:g} is missing" if is_class else ""
        raise UserError(
            f"{where} is {numbers[0]:g} in every row{missing}: name another label or add rows"
        )


def _standardised(read: Table, feature: str, values: Column) -> Column:
    deviation = values.std()
    if np.ptp(values) == 0 or not deviation > 0:
        raise UserError(
            f"{read.file}, column '{feature}' is {values[0]:g} in every row and cannot be "
            "standardised: leave it out"
        )
    return np.asarray((values - values.mean()) / deviation)
