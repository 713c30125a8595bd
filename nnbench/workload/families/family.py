"""What a family of networks is: its name, the data it takes, its knobs and its hidden layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnbench.errors import UserError

if TYPE_CHECKING:
    import keras

TABLE, IMAGES, SEQUENCES, TOKENS = "table", "images", "sequences", "tokens"
"""Kinds of data: numbers by column; rows, columns and channels; steps of vectors; whole numbers."""

USUAL_DATA = {
    TABLE: "banknotes",
    IMAGES: "digits",
    SEQUENCES: "waves",
    TOKENS: "synthetic:tokens=32,vocabulary=100",
}
"""Data of each kind where none is named."""

Value = int | float | bool | str
Hidden = Callable[
    ["keras.KerasTensor", tuple[int, ...], str, Mapping[str, Value]], "keras.KerasTensor"
]


@dataclass(frozen=True)
class Knob:
    """A setting of a family: its default, what it means with its unit, and its least value."""

    default: Value
    meaning: str
    least: float = 0


@dataclass(frozen=True)
class Family:
    """One kind of network.

    `takes` names the kinds of data that it trains on, the one it is made for first: `table`,
    `images`, `sequences`, `tokens`. `hidden` maps the input, the widths of the hidden layers, the
    name of their activation and the knobs to the tensor that the output layer takes.
    """

    name: str
    takes: tuple[str, ...]
    unit: str
    hidden: Hidden
    knobs: Mapping[str, Knob] = field(default_factory=dict)
    check: Callable[[tuple[int, ...], Mapping[str, Value]], str | None] = lambda widths, knobs: None
    layer: str = "layer"
    """What its depth counts."""

    def settings(self, given: Mapping[str, str]) -> tuple[tuple[str, Value], ...]:
        """Read knobs as typed; those at their default are left out. UserError for unknown ones."""
        found = []
        for name, text in given.items():
            if name not in self.knobs:
                known = ", ".join(self.knobs) or "none"
                raise UserError(f"{self.name} has no setting '{name}': it has {known}")
            knob = self.knobs[name]
            value = _typed(self.name, name, knob, text)
            if value != knob.default:
                found.append((name, value))
        return tuple(sorted(found))

    def knobs_with(self, settings: tuple[tuple[str, Value], ...]) -> dict[str, Value]:
        """All knobs: these, and the others at their default."""
        return {**{name: knob.default for name, knob in self.knobs.items()}, **dict(settings)}


def _typed(family: str, name: str, knob: Knob, text: str) -> Value:
    kind = type(knob.default)
    wanted = {bool: "on or off", int: "a whole number", float: "a number"}.get(kind, "a word")
    try:
        if kind is bool:
            value: Value = {"on": True, "true": True, "off": False, "false": False}[text.lower()]
        else:
            value = kind(text)
    except (ValueError, KeyError):
        raise UserError(f"{name}={text} of {family} is not {wanted}: {knob.meaning}") from None
    if not isinstance(value, str) and not knob.least <= value <= 1_000_000:
        raise UserError(f"{name}={text} of {family} is out of range: {knob.meaning}")
    return value
