"""A value with its interval, as a cell of a table, in a sentence, and as a range."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nnbench.show import units
from nnbench.show.table import Cell

MISSING = "–"

VAGUE = 3.0
"""A change whose interval has ends further apart is told as factors: `0.001–642×`."""


class HasInterval(Protocol):
    """A number with an interval, of which `has_interval` says whether it is known."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""


@dataclass(frozen=True)
class Unit:
    """How a number is written, its interval by itself, and its interval beside it."""

    number: Callable[[float], str]
    span: Callable[[float, float], str]
    beside: Callable[[float, float, float], str]


def _unit(number: Callable[[float], str], joint: str = " to ") -> Unit:
    def span(low: float, high: float) -> str:
        return f"{number(low)}{joint}{number(high)}"

    return Unit(number, span, lambda _, low, high: span(low, high))


def _ratio_beside(_: float, low: float, high: float) -> str:
    return units.ratio_range(low, high).removesuffix("×")


def _change_span(low: float, high: float) -> str:
    """Of what is hardly known, percentages would say less than factors."""
    vague = high > VAGUE * low
    return units.ratio_range(low, high) if vague else f"{units.change(low)}, {units.change(high)}"


SECONDS = Unit(units.seconds, units.seconds_range, units.beside)
RATIO = Unit(units.ratio, units.ratio_range, _ratio_beside)
CHANGE = Unit(units.change, _change_span, lambda _, low, high: _change_span(low, high))
BYTES = _unit(units.data_size)
RATE = Unit(units.rate, lambda low, high: units.rate_beside(high, low, high), units.rate_beside)
SHARE = Unit(units.share, units.share_range, lambda _, low, high: units.share_range(low, high)[:-2])
EXPONENT = _unit(units.exponent)


def span(found: HasInterval, unit: Unit) -> str:
    """The interval by itself: `1.50-1.63 s`; empty where it is not known."""
    return unit.span(found.low, found.high) if found.has_interval else ""


def cell(found: HasInterval | None, unit: Unit) -> Cell:
    """The value, its interval below: a dash where there is none."""
    if found is None:
        return Cell(MISSING)
    beside = unit.beside(found.value, found.low, found.high) if found.has_interval else ""
    return Cell(unit.number(found.value), beside, value=found.value)


def sentence(found: HasInterval, unit: Unit) -> str:
    """The value with its interval in a sentence: `1.56 s [1.50-1.63 s]`."""
    return f"{unit.number(found.value)} [{span(found, unit) or 'no interval'}]"
