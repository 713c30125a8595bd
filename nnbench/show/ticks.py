"""Ticks of a logarithmic axis: enough to read it by, whatever it spans."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import LogLocator


def logarithmic(low: float, high: float) -> LogLocator:
    """Powers of ten where `low` to `high` spans three of them, else 1, 2 and 5 times each.

    Within less than one power of ten, more.
    """
    decades = np.log10(high / low)
    subdivisions: Sequence[float] = (1.0, 2.0, 5.0) if decades < 3 else (1.0,)
    if decades < 0.7:
        subdivisions = np.arange(1, 10, 0.5 if decades < 0.3 else 1.0).tolist()
    return LogLocator(subs=subdivisions, numticks=12)
