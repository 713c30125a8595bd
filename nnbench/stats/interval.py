"""A number with its interval: the one record that estimates, predictions and medians share."""

import math
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval; `low` and `high` are NaN where the spread is not known."""

    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether the spread could be estimated."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def excludes_one(self) -> bool:
        """For a ratio: whether the interval leaves out equality."""
        return self.has_interval and not self.low <= 1 <= self.high

    @property
    def excludes_zero(self) -> bool:
        """For a difference: whether the interval leaves out equality."""
        return self.has_interval and not self.low <= 0 <= self.high

    @property
    def relative_half_width(self) -> float:
        """Half the width of the interval as a fraction of the value; NaN without one."""
        return (self.high - self.low) / (2 * self.value)
