"""What a network learns, as a text that records, names and options hold alike.

`regression` is a number a row, `regression-3` three; `classification` is two classes (one output, a
sigmoid), `classification-3` as many as it says (a softmax with one output for each), `one-hot-3`
the same of labels that are a 1 among zeros; `multilabel-5` is five labels a row, each 0 or 1 by
itself (five sigmoids). `own` is whatever a person's own model makes of several targets, or of none:
it has no usual loss.
"""

import re

from nnbench.errors import UserError

CLASSIFICATION, REGRESSION, OWN = "classification", "regression", "own"
MULTILABEL, ONE_HOT = "multilabel", "one-hot"
KINDS = (CLASSIFICATION, REGRESSION, MULTILABEL, ONE_HOT)
COUNTED = {"classes": CLASSIFICATION, "labels": MULTILABEL, "outputs": REGRESSION}
"""What a number of outputs is called, and the kind of task that it makes."""

MOST_CLASSES = 1_000_000

_LOSSES = {
    "linear": ("mean_squared_error", "mean_absolute_error", "huber"),
    "sigmoid": ("binary_crossentropy", "hinge", "mean_squared_error"),
    "softmax": ("sparse_categorical_crossentropy",),
    ONE_HOT: ("categorical_crossentropy",),
}
ALL_LOSSES = tuple(dict.fromkeys(sum(_LOSSES.values(), ())))
"""Of any task."""

_TASK = re.compile(rf"({'|'.join(KINDS)})(?:-([1-9][0-9]{{0,6}}))?", re.ASCII)


def of_classes(count: int) -> str:
    """The task of telling so many classes apart."""
    return CLASSIFICATION if count == 2 else f"{CLASSIFICATION}-{count}"


def of_numbers(count: int) -> str:
    """The task of so many numbers a row."""
    return REGRESSION if count == 1 else f"{REGRESSION}-{count}"


def of_kind(kind: str, count: int) -> str:
    """The task of a kind with so many outputs, for each label, number or class."""
    if kind in (CLASSIFICATION, REGRESSION):
        return of_numbers(count) if kind == REGRESSION else of_classes(count)
    return f"{kind}-{count}"


def kind(task: str) -> str:
    """One of `KINDS` or `OWN`, of a task or of what was asked for; UserError for an unknown one."""
    return task if task in (*KINDS, OWN) else _parts(task)[0]


def classes(task: str) -> int | None:
    """Classes of which a row has one; None for numbers and for labels that are each by themselves.

    Raises UserError for an unknown task.
    """
    if task == OWN:
        return None
    of, count = _parts(task)
    return count if of in (CLASSIFICATION, ONE_HOT) else None


def outputs(task: str) -> int:
    """Units of the output layer."""
    return 1 if task == CLASSIFICATION else _parts(task)[1]


def label_shapes(task: str) -> tuple[tuple[int, ...], ...]:
    """What a row of labels may have for a shape, if an architecture is to learn the task."""
    if task == OWN:
        return ()
    of, count = _parts(task)
    one = of == CLASSIFICATION or count == 1
    return ((1,), ()) if one else ((count,),)


def output_activation(task: str) -> str:
    """Activation of the output layer."""
    if kind(task) == REGRESSION:
        return "linear"
    return "sigmoid" if task == CLASSIFICATION or kind(task) == MULTILABEL else "softmax"


def losses(task: str) -> tuple[str, ...]:
    """Losses that the task can be trained with, the usual one first."""
    if task == OWN:
        return ()
    return _LOSSES[ONE_HOT if kind(task) == ONE_HOT else output_activation(task)]


def usual_metric(task: str) -> str:
    """What people measure besides the loss, as Keras names it."""
    return "mean_absolute_error" if kind(task) == REGRESSION else "accuracy"


def check_asked(asked: str) -> None:
    """Raise UserError unless it is a task, or a kind of task of as many outputs as there are."""
    kind(asked)


def agrees(asked: str | None, task: str) -> bool:
    """Whether a task is what was asked for: the same, its kind, or as many classes."""
    count = classes(task)
    as_classes = (CLASSIFICATION, of_classes(count)) if count else ()
    return asked in (None, task, kind(task), *as_classes)


def _parts(task: str) -> tuple[str, int]:
    """The kind, and the number of its classes, labels or numbers."""
    match = _TASK.fullmatch(task)
    found, count = (match[1], int(match[2] or 0)) if match else ("", 0)
    if found in (CLASSIFICATION, REGRESSION) and not count:
        return found, 2 if found == CLASSIFICATION else 1
    if not (3 if found == CLASSIFICATION else 2) <= count <= MOST_CLASSES:
        raise UserError(
            f"unknown task '{task}': choose from {CLASSIFICATION}, {REGRESSION}, "
            f"{of_classes(3)} (of three classes; any number from 3 to {MOST_CLASSES}), "
            f"{of_numbers(2)}, {MULTILABEL}-2 and {ONE_HOT}-2 (or more outputs)"
        )
    return found, count
