"""What a training step keeps in Python and not in variables: counters, generators of numbers.

A program that was traced or recorded does not see it change. To try a step without leaving a
trace, all of it is put back: `held(model)` remembers it, `Held.put_back` restores it.
"""

import copy
import random
from typing import Any

import numpy as np

OF_A_CALL = ("_called", "_losses", "training")
"""Marks on a layer: that it has been called, what this call adds to the loss, and its mode."""

PLAIN = (int, float, complex, str, bytes, type(None), np.generic)


class Held:
    """The Python state of a model's parts and of the global generators, at one moment."""

    def __init__(self, parts: list[Any]) -> None:
        self._attributes = [
            (part, name, value, _copied(value))
            for part in parts
            for name, value in vars(part).items()
            if name not in OF_A_CALL and _is_plain(value)
        ]
        self._random, self._numpy = random.getstate(), np.random.get_state()  # noqa: NPY002

    def changed(self) -> bool:
        """Whether anything is another than it was."""
        return (
            random.getstate() != self._random
            or not _equal(np.random.get_state(), self._numpy)  # noqa: NPY002
            or self.attributes_changed()
        )

    def attributes_changed(self) -> bool:
        """Whether a part holds another value than it did."""
        return any(
            not _equal(_copied(vars(part).get(name)), kept)
            for part, name, _, kept in self._attributes
        )

    def put_back(self, since: "Held | None" = None) -> None:
        """Make everything what it was, but for attributes that have changed after `since`."""
        random.setstate(self._random)
        np.random.set_state(self._numpy)  # noqa: NPY002
        later = (
            {(id(part), name): kept for part, name, _, kept in since._attributes} if since else {}
        )
        for part, name, value, kept in self._attributes:
            now = _copied(vars(part).get(name))
            if since and not _equal(now, later.get((id(part), name))):
                continue
            vars(part)[name] = value
            if isinstance(value, np.random.Generator):
                value.bit_generator.state = kept
            elif isinstance(value, random.Random):
                value.setstate(kept)
            elif isinstance(value, np.ndarray):
                value[...] = kept
            elif isinstance(value, list):
                value[:] = kept
            elif isinstance(value, dict):
                value.clear()
                value.update(kept)


def held(model: Any) -> Held:
    """Remember what the layers, the optimizer, the loss and the metrics keep in Python."""
    loss = getattr(model, "_compile_loss", None)
    parts = [*model._flatten_layers(), model.optimizer, *model.metrics]
    parts += [part for part in (loss, model.loss) if hasattr(part, "__dict__")]
    return Held(list({id(part): part for part in parts}.values()))


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, (*PLAIN, np.ndarray, np.random.Generator, random.Random))


def _copied(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return copy.deepcopy(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else copy.copy(value)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other) or (one != one and other != other)
