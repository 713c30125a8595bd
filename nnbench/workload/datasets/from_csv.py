"""A data set from a table's file: choose columns, check them, scale them."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.datasets import classes, column, table
from nnbench.workload.datasets.classes import Labels
from nnbench.workload.datasets.column import Numbers
from nnbench.workload.datasets.dataset import Array, Dataset
from nnbench.workload.datasets.table import Column, Table
from nnbench.workload.datasets.words import listed


@dataclass(frozen=True)
class Choice:
    """What is taken of a table, and how.

    `label` is a column, or several with commas; `features` None is every other column that holds
    numbers, `task` None what the labels look like (see `classes`). `standardise` is to mean 0,
    deviation 1 over all rows.
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
    read = table.read(path, header=header)
    if choice.label is None:
        raise UserError(
            f"{read.file} needs a label: name one of its columns {read.listed()} with --label"
        )
    named = _named(read, choice.label)
    read.require([*named, *(choice.features or ())])
    notes = list(read.notes)
    found = _features(read, choice, named, notes)
    targets = {one: _target(read, one, choice.task) for one in named}
    kept = _complete(read, {**found, **{one: cells for one, (cells, _) in targets.items()}}, notes)
    given = {
        one: [texts[row].strip() for row in kept] if texts else cells.values[kept]
        for one, (cells, texts) in targets.items()
    }
    labels, task = _all_labels(read.file, given, choice.task)
    ways = {one: cells.note for one, cells in found.items()}
    ways |= {one: "" if labels[one].note else cells.note for one, (cells, _) in targets.items()}
    notes += _each_way(ways)
    notes += [f"{one}: {label.note}" for one, label in labels.items() if label.note]
    if tasks.kind(task) == tasks.MULTILABEL:
        notes.append(f"{len(named)} labels a row, each 0 or 1 (--as regression: as numbers)")
    columns = {one: cells.values[kept] for one, cells in found.items()}
    for (feature, values), label in itertools.product(columns.items(), named):
        numbers = labels[label].values if isinstance(given[label], list) else given[label]
        if np.array_equal(values, numbers) or np.array_equal(values, labels[label].values):
            raise UserError(
                f"{read.file}, column '{feature}' equals the label '{label}' in every row: "
                "leave it out, or there is nothing to learn"
            )
    if choice.standardise:
        columns = {one: _standardised(read, one, values) for one, values in columns.items()}
    features = _as_float32(columns, notes)
    return Dataset(
        name=name,
        task=task,
        features=features,
        labels=np.stack([one.values for one in labels.values()], axis=1).astype(np.float32),
        feature_names=tuple(found),
        label_name=", ".join(named),
        label_names=tuple(named) if len(named) > 1 else (),
        source="; ".join([source, *notes, *["standardised"] * choice.standardise]),
        notes=tuple(notes),
    )


def _named(read: Table, label: str) -> list[str]:
    """The label columns: the one of this name, else those that commas separate."""
    named = [label] if label in read.columns else [one.strip() for one in label.split(",")]
    if len({*named}) < len(named):
        raise UserError(f"--label {label} names a column twice: name it once")
    return named


def _features(
    read: Table, choice: Choice, labels: Sequence[str], notes: list[str]
) -> dict[str, Numbers]:
    """The chosen columns, or all that hold numbers; what is left out is noted."""
    everything = [one for one in read.columns if one not in labels]
    chosen = everything if choice.features is None else list(choice.features)
    found = {one: read.read(one) for one in chosen}
    if choice.features is None:
        text = [one for one, cells in found.items() if cells.is_text]
        empty = [one for one, cells in found.items() if cells.missing.all()]
        notes += [f"left out as text: {listed(text)}"] if text else []
        notes += [f"left out without a value: {listed(empty)}"] if empty else []
        found = {one: cells for one, cells in found.items() if one not in {*text, *empty}}
    if not found:
        raise UserError(
            f"{read.file} has no feature: besides the label '{', '.join(labels)}' it needs a "
            "column of numbers"
        )
    counts = Counter(chosen)
    for one in labels:
        if one in found:
            raise UserError(f"{read.file}, column '{one}' is the label: take it off the features")
    for one, cells in found.items():
        if counts[one] > 1 and choice.features is not None:
            raise UserError(f"{read.file}, column '{one}' is chosen twice: name it once")
        read.check(one, cells)
    return found


def _complete(read: Table, columns: dict[str, Numbers], notes: list[str]) -> npt.NDArray[np.intp]:
    """The rows in which nothing is missing, if they are more than the others; UserError else."""
    missing = np.any([cells.missing for cells in columns.values()], axis=0)
    kept, gone = np.flatnonzero(~missing), np.flatnonzero(missing)
    if gone.size >= kept.size or kept.size < 2:
        worst = max(columns, key=lambda one: int(columns[one].missing.sum()))
        read.refuse(worst, int(np.flatnonzero(columns[worst].missing)[0]))
    if gone.size:
        lines = listed([str(read.lines[place]) for place in gone.tolist()], 5)
        lacking = listed([one for one, cells in columns.items() if cells.missing.any()])
        notes.append(f"rows left out for missing values: {gone.size} (lines {lines}; in {lacking})")
    return kept


def _target(read: Table, label: str, task: str | None) -> tuple[Numbers, Sequence[str]]:
    """The label's column, and its texts where they are what is learned."""
    target = read.read(label)
    classes_asked = task is not None and tasks.kind(task) != tasks.REGRESSION
    if target.is_text or (classes_asked and target.wrong.size > 0):
        return column.text(read.columns[label]), read.columns[label]
    read.check(label, target)
    return target, ()


def _all_labels(
    file: str, given: dict[str, Column | list[str]], task: str | None
) -> tuple[dict[str, Labels], str]:
    """The labels of each column, and the task of all of them.

    Several columns that hold two values each are as many labels, else as many numbers.
    """
    where = {one: f"{file}, label '{one}'" for one in given}
    if len(given) == 1:
        ((only, values),) = given.items()
        labels = _labels(where[only], values, task)
        return {only: labels}, labels.task
    kind = None if task is None else tasks.kind(task)
    if kind in (tasks.CLASSIFICATION, tasks.ONE_HOT):
        raise UserError(f"{file} has one label for {task}: name one, or --as multilabel")
    if kind != tasks.REGRESSION:
        found = {one: _labels(where[one], values, None) for one, values in given.items()}
        wider = [one for one, labels in found.items() if labels.task != tasks.CLASSIFICATION]
        kind = kind or (tasks.REGRESSION if wider else tasks.MULTILABEL)
        if wider and kind == tasks.MULTILABEL:
            raise UserError(f"{where[wider[0]]} holds more than two values: multilabel is of two")
    if kind == tasks.REGRESSION:
        found = {one: _labels(where[one], values, kind) for one, values in given.items()}
    made = tasks.of_kind(kind, len(given))
    if not tasks.agrees(task, made):
        raise UserError(f"{file} has {len(given)} labels named, which are {made}, not {task}")
    return found, made


def _labels(where: str, given: Column | list[str], task: str | None) -> Labels:
    """Labels of one column; UserError if there is nothing to tell apart."""
    if isinstance(given, list):
        return classes.of_texts(given, task, where)
    labels = classes.of_numbers(given, task, where)
    if np.unique(given.astype(np.float32)).size == 1:
        is_class = labels.task != tasks.REGRESSION and given[0] in (0, 1)
        missing = f"; class {1 - given[0]:g} is missing" if is_class else ""
        raise UserError(
            f"{where} is {given[0]:g} in every row{missing}: name another label or add rows"
        )
    return labels


def _each_way(ways: dict[str, str]) -> list[str]:
    """How columns were taken for numbers: each way once, with its columns."""
    taken = defaultdict(list)
    for one, way in ways.items():
        taken[way].append(one)
    return [f"{way}: {listed(names)}" for way, names in taken.items() if way]


def _as_float32(columns: dict[str, Column], notes: list[str]) -> Array:
    """Columns side by side; those that lose what tells their rows apart are noted."""
    features = np.stack(list(columns.values()), axis=1).astype(np.float32, order="C")
    lost = (np.ptp(features, axis=0) == 0) & [np.ptp(values) > 0 for values in columns.values()]
    if merged := [one for one, is_lost in zip(columns, lost, strict=True) if is_lost]:
        notes.append(f"too close together for float32, --standardise tells apart: {listed(merged)}")
    return features


def _standardised(read: Table, feature: str, values: Column) -> Column:
    deviation = values.std()
    if np.ptp(values) == 0 or not deviation > 0:
        raise UserError(
            f"{read.file}, column '{feature}' is {values[0]:g} in every row and cannot be "
            "standardised: leave it out"
        )
    return np.asarray((values - values.mean()) / deviation)
