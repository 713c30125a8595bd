"""Where the slower of two networks turns into the faster one, by the cost model."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nnbench.costs.prediction import CostModel
from nnbench.workload.case import Case

ASKED = 60
"""Numbers of rows that are asked for, evenly on a logarithmic scale."""


@dataclass(frozen=True)
class RowsFlip:
    """The number of rows at which two networks take equally long, asked from `least` to `most`.

    `value` None: the same one takes longer everywhere. `low` and `high` bound where they are not
    told apart; None: beyond what was asked.
    """

    value: int | None
    low: int | None
    high: int | None
    least: int
    most: int
    second_longer_at_least: bool


def rows_flip(model: CostModel, first: Case, second: Case, epochs: int) -> RowsFlip:
    """At how many rows `first` and `second` take equally long, all else equal.

    Asked are numbers of rows whose batches and epochs were calibrated. The interval takes the
    errors of the two predictions as independent, which errs on the wide side.
    """
    least, most = _calibrated_rows(model, first)
    asked = np.unique(np.geomspace(least, most, ASKED).round().astype(int)).tolist()
    ratios = [_log_ratio(model, _with(first, rows), _with(second, rows), epochs) for rows in asked]
    middle = _crossing(asked, [value for value, _ in ratios])
    begins = ratios[0][0] > 0
    if middle is None:
        return RowsFlip(None, None, None, least, most, begins)
    sign = 1 if begins else -1
    low = _crossing(asked, [sign * value - reach for value, reach in ratios])
    high = _crossing(asked, [sign * value + reach for value, reach in ratios])
    surely = sign * ratios[0][0] > ratios[0][1]
    return RowsFlip(middle, low if surely else None, high, least, most, begins)


def _with(case: Case, rows: int) -> Case:
    return replace(case, rows=rows)


def _log_ratio(model: CostModel, first: Case, second: Case, epochs: int) -> tuple[float, float]:
    """Logarithm of second / first, and how far its interval reaches to either side."""
    one, other = (model.predict(case, epochs).total_s for case in (first, second))
    reaches = [math.log(total.high / total.value) for total in (one, other)]
    return math.log(other.value / one.value), math.hypot(*reaches)


def _calibrated_rows(model: CostModel, case: Case) -> tuple[int, int]:
    rows = [one.case.rows for one in model.observed]
    least, most = min(rows), max(rows)
    inside: Callable[[int], bool] = lambda count: not _axes(model, _with(case, count))  # noqa: E731
    asked = [int(count) for count in np.geomspace(least, most, ASKED).round() if inside(int(count))]
    return (asked[0], asked[-1]) if len(asked) > 1 else (least, most)


def _axes(model: CostModel, case: Case) -> list[str]:
    return [name for name in model.outside(case) if name.startswith(("rows", "batches"))]


def _crossing(asked: list[int], values: list[float]) -> int | None:
    """Where a series first changes its sign, between its neighbours on a logarithmic scale."""
    for place in range(1, len(asked)):
        before, after = values[place - 1], values[place]
        if before * after <= 0 and before != after:
            share = before / (before - after)
            return int(asked[place - 1] * (asked[place] / asked[place - 1]) ** share + 0.5)
    return None
