"""Where the slower of two networks turns into the faster one, by the cost model."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnbench.costs.prediction import CostModel
from nnbench.costs.saved import load_if_any
from nnbench.costs.setting import Setting
from nnbench.costs.terms import Counted
from nnbench.explain.attribution import Attribution
from nnbench.stats.interval import Interval
from nnbench.workload.case import Case

ASKED = 60


@dataclass(frozen=True)
class RowsFlip:
    """The number of rows at which two networks take equally long, asked from `least` to `most`.

    `rows` None: never. Its ends bound where the two cannot be distinguished; 0, infinity: not
    asked.
    """

    rows: Interval | None
    least: int
    most: int
    second_longer_at_least: bool


def are_alike(found: Attribution) -> bool:
    """Whether the two are of one family with equal settings, so that only sizes part them."""
    first, second = found.first_case.architecture, found.second_case.architecture
    if first is None or second is None:
        return False
    return (first.family, first.settings) == (second.family, second.settings)


def more_layers(found: Attribution) -> int:
    """How many layers (of a transformer, blocks) the second has more; 0 if they are not alike."""
    first, second = found.first_case.architecture, found.second_case.architecture
    if first is None or second is None or not are_alike(found):
        return 0
    return second.depth - first.depth


def asks(found: Attribution) -> bool:
    """Whether one of the two, which are alike, has more layers and the other more weights."""
    before, after = (one.parameters for one in found.counts)
    if before is None or after is None:
        return False
    return more_layers(found) * (after - before) < 0


def saved_rows_flip(results: Path, found: Attribution) -> tuple[RowsFlip | None, list[str]]:
    """What the calibration in `results` says of it, and what of that is left out, and why.

    None without one, or where nothing is asked.
    """
    first, second = found.first_case, found.second_case
    if not (asks(found) and first.is_dense_chain):
        return None, []
    model, left_out = load_if_any(results, Setting.of(first))
    flip = rows_flip(model, first, second, first.cold_epochs) if model else None
    return flip, left_out


def rows_flip(model: CostModel, first: Case, second: Case, epochs: int) -> RowsFlip:
    """At how many calibrated rows both take equally long; their errors count as independent."""
    asked = _calibrated_rows(model, first)
    least, most = int(asked[0]), int(asked[-1])
    # Logarithms of second / first, and how far their intervals reach to either side.
    values, reaches = np.zeros((2, len(asked)))
    for number, rows in enumerate(asked):
        cases = (replace(case, rows=int(rows)) for case in (first, second))
        one, other = (model.predict(case, epochs).total_s for case in cases)
        values[number] = math.log(other.value / one.value)
        reaches[number] = math.hypot(*(math.log(each.high / each.value) for each in (one, other)))
    begins = bool(values[0] > 0)
    middle = _crossing(asked, values)
    if middle is None:
        return RowsFlip(None, least, most, begins)
    falling = values if begins else -values
    low = _crossing(asked, falling - reaches) if falling[0] > reaches[0] else None
    high = _crossing(asked, falling + reaches)
    return RowsFlip(Interval(middle, low or 0.0, high or math.inf), least, most, begins)


def _calibrated_rows(model: CostModel, case: Case) -> NDArray[np.int64]:
    rows = [one.case.rows for one in model.observed]
    asked = np.unique(np.geomspace(min(rows), max(rows), ASKED).round().astype(int))

    def is_inside(count: int) -> bool:
        beyond = model.outside(Counted.of(replace(case, rows=count)))
        return not any(one.axis.startswith(("rows", "batches")) for one in beyond)

    inside = [int(count) for count in asked if is_inside(int(count))]
    if len(inside) < 2:
        return asked
    return np.unique(np.geomspace(inside[0], inside[-1], ASKED).round().astype(int))


def _crossing(asked: NDArray[np.int64], values: NDArray[np.float64]) -> int | None:
    for number in range(1, len(asked)):
        before, after = values[number - 1], values[number]
        if before * after <= 0 and before != after:
            share = before / (before - after)
            return int(asked[number - 1] * (asked[number] / asked[number - 1]) ** share + 0.5)
    return None
