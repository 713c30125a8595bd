"""What a network learns, as a text that records, names and options hold alike.

`regression` is numbers, `classification` two classes (one output, a sigmoid), `classification-3`
as many classes as it says (a softmax with one output for each). `own` is whatever a person's own
model makes of several targets, or of none: it has no usual loss.
"""

import re

from nnbench.errors import UserError

CLASSIFICATION, REGRESSION, OWN = "classification", "regression", "own"
MOST_CLASSES = 1_000_000

_LOSSES = {
    "linear": ("mean_squared_error", "mean_absolute_error", "huber"),
    "sigmoid": ("binary_crossentropy", "hinge", "mean_squared_error"),
    "softmax": ("sparse_categorical_crossentropy",),
}
ALL_LOSSES = tuple(dict.fromkeys(sum(_LOSSES.values(), ())))
"""Of any task."""

_MANY = re.compile(rf"{CLASSIFICATION}-([1-9][0-9]{{0,6}})", re.ASCII)


def of_classes(count: int) -> str:
    """The task of telling so many classes apart."""
    return CLASSIFICATION if count == 2 else f"{CLASSIFICATION}-{count}"


def classes(task: str) -> int | None:
    """The number of classes, None for a regression. Raises UserError for an unknown task."""
    if task in (CLASSIFICATION, REGRESSION, OWN):
        return 2 if task == CLASSIFICATION else None
    many = _MANY.fullmatch(task)
    if many is None or not 2 < int(many[1]) <= MOST_CLASSES:
        raise UserError(
            f"unknown task '{task}': choose from {CLASSIFICATION}, {REGRESSION}, "
            f"{of_classes(3)} (of three classes; any number from 3 to {MOST_CLASSES})"
        )
    return int(many[1])


def outputs(task: str) -> int:
    """Units of the output layer."""
    count = classes(task)
    return 1 if count is None or count == 2 else count


def output_activation(task: str) -> str:
    """Activation of the output layer."""
    if classes(task) is None:
        return "linear"
    return "sigmoid" if outputs(task) == 1 else "softmax"


def losses(task: str) -> tuple[str, ...]:
    """Losses that the task can be trained with, the usual one first."""
    return () if task == OWN else _LOSSES[output_activation(task)]
