"""Programs that a model was trained with, kept for its next training, as `fit` keeps its own step.

A model keeps them itself, so that they go when it goes. Of the data nothing stays.
"""

from typing import Any

from nnbench.training.compiled.data import Task, state_variables

MOST = 4
"""Programs that a model keeps: the last ones."""

NAME = "_nnbench_kept"


class Kept:
    """A model's programs with what they were made of and for, the newest last."""

    def __init__(self) -> None:
        self.programs: list[tuple[list[Any], Any, Any]] = []


def find(model: Any, task: Task) -> Any:
    """The training that was kept of this model for a task of these shapes; None without one."""
    kept = vars(model).get(NAME)
    if kept is None or model.optimizer is None:
        return None
    parts, shapes = _parts(model), _shapes(model, task)
    for made_of, made_for, prepared in reversed(kept.programs):
        # After these as many: a variable that is frozen goes from one list to the next.
        if made_for == shapes and all(map(_is, made_of, parts)):
            return prepared
    return None


def keep(model: Any, task: Task, prepared: Any) -> None:
    """Keep a training that has ended."""
    kept = vars(model).setdefault(NAME, Kept())
    others = [one for one in kept.programs if one[2] is not prepared]
    kept.programs = [*others[1 - MOST :], (_parts(model), _shapes(model, task), prepared)]


def _parts(model: Any) -> list[Any]:
    """What is another object once the model was compiled or built anew."""
    groups = state_variables(model)
    return [model._compile_config, model.optimizer, *(one for group in groups for one in group)]


def _shapes(model: Any, task: Task) -> Any:
    """All that a program is made for, but the values of the data."""
    validation = task.validation
    return (
        [len(group) for group in state_variables(model)],
        (task.training.shapes, task.training.batch_size, task.shuffles, task.jit),
        validation and (validation.shapes, validation.batch_size, task.validates_always),
    )


def _is(one: Any, other: Any) -> bool:
    return one is other
