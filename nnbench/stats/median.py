"""Medians of numbers of which some are known to be beyond anything seen.

A training that has not got to a loss by its last epoch would have taken longer than it lasted,
nobody knows by how much: its time counts as infinite. A median does not mind, as long as fewer
than half are; nor does an interval made of order statistics.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from nnbench.stats.interval import CONFIDENCE, Interval

LEAST_FOR_WANTED = 6
"""So many values are needed before their range holds the median with 95 %."""


@dataclass(frozen=True)
class Median(Interval):
    """A median with its interval; infinite where it was not reached.

    `confidence` is at least 95 % from order statistics, or less from the range of too few values.
    """

    confidence: float
    count: int
    censored: int

    @property
    def reached(self) -> bool:
        """Whether at least half of the values are finite."""
        return math.isfinite(self.value)


def median(values: ArrayLike) -> Median:
    """The median of some values, infinite ones among them, and an interval free of any shape.

    The interval goes from the k-th smallest to the k-th largest: the number of values below the
    true median is binomial (Conover, "Practical Nonparametric Statistics", 3rd edition, 1999,
    section 3.2). Raises ValueError for no values and for NaN.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count = len(ordered)
    if count == 0 or np.isnan(ordered).any():
        raise ValueError("a median needs at least one value, none of them NaN")
    middle, other = ordered[count // 2], ordered[(count - 1) // 2]
    # How probable it is that so many values or fewer lie below the true median.
    below = special.bdtr(np.arange(count), count, 0.5)
    end = max(0, int(np.searchsorted(below, (1 - CONFIDENCE) / 2)) - 1)
    return Median(
        # Half of infinity is not a number of its own: an even count with one such half is beyond.
        value=float((middle + other) / 2) if np.isfinite(middle) else math.inf,
        low=float(ordered[end]),
        high=float(ordered[count - 1 - end]),
        confidence=float(1 - 2 * below[end]),
        count=count,
        censored=int(np.isinf(ordered).sum()),
    )
