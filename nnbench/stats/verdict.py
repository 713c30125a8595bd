"""The verdict on a ratio: different, equivalent, or not enough data. Pure functions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from nnbench.show import units
from nnbench.stats.estimate import Estimate, student_quantile

DIFFERENT, EQUIVALENT, UNDECIDED = "different", "equivalent", "not enough data"

FALSE_DISCOVERIES = 0.005
"""Share of false ones among the differences reported: half of the 1 % that is promised, because for
short-tailed noise the t test below errs up to twice as often as it says."""

MARGIN = 0.02

VAGUE = 3.0
"""An interval whose ends are further apart is told as a range of factors: it says next to nothing.
"""


@dataclass(frozen=True)
class Comparison:
    """A ratio and what can be said of it.

    `p_value` is adjusted for the number of comparisons made together; `more_launches` would
    probably decide: 0 where it is decided, None where too little is known even to say that.
    """

    label: str
    ratio: Estimate
    p_value: float
    verdict: str
    margin: float
    more_launches: int | None


def judge(
    ratios: Mapping[str, Estimate],
    *,
    margin: float = MARGIN,
    false_discoveries: float = FALSE_DISCOVERIES,
) -> list[Comparison]:
    """Judge ratios that were measured together, in order.

    *Different*: the t test of the log ratio against 0 survives the procedure of Benjamini and
    Hochberg (J. R. Stat. Soc. B 57, 1995) at `false_discoveries`. *Equivalent*: otherwise, and
    the 95 % interval lies within `margin` (1.02 and 1 / 1.02 for 0.02; two one-sided tests,
    Schuirmann 1987). *Not enough data*: neither.
    """
    known = {label: ratio for label, ratio in ratios.items() if ratio.has_interval}
    adjusted = dict.fromkeys(ratios, math.nan)
    if known:
        raw = [p_value(ratio) for ratio in known.values()]
        adjusted |= zip(known, _adjusted(raw), strict=True)
    edge = math.log1p(margin)
    found = []
    for label, ratio in ratios.items():
        more: int | None = 0
        if adjusted[label] < false_discoveries:
            verdict = DIFFERENT
        elif ratio.has_interval and -edge <= math.log(ratio.low) and math.log(ratio.high) <= edge:
            verdict = EQUIVALENT
        else:
            verdict, more = UNDECIDED, _more_launches(ratio, edge)
        found.append(Comparison(label, ratio, adjusted[label], verdict, margin, more))
    return found


def _adjusted(p_values: list[float]) -> list[float]:
    """p values adjusted for being many: the least share of false ones at which each counts."""
    order = np.argsort(p_values)
    scaled = np.array(p_values)[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return [float(one) for one in adjusted]


def p_value(ratio: Estimate) -> float:
    """Two-sided p value of equality, with the standard error of the interval's side towards 0."""
    distance = abs(math.log(ratio.value))
    end = ratio.low if ratio.value > 1 else ratio.high
    reach = abs(math.log(ratio.value / end))
    if reach == 0:
        return 1.0 if distance == 0 else 0.0
    degrees = ratio.degrees_of_freedom
    quantile = student_quantile(degrees, ratio.confidence)
    return float(2 * special.stdtr(degrees, -distance / reach * quantile))


def _more_launches(ratio: Estimate, edge: float) -> int | None:
    """Launches missing until the interval decides; it narrows with the square root of launches."""
    if not ratio.has_interval or ratio.log_error == 0:
        return None
    distance = abs(math.log(ratio.value))
    target = max(distance, edge - distance)
    half_width = math.log(ratio.high / ratio.low) / 2
    units = ratio.degrees_of_freedom + 1
    return max(1, math.ceil(units * (half_width / target) ** 2) - units)


def sentence(comparison: Comparison, first: str, second: str) -> str:
    """A comparison in words: what `second` takes in relation to `first`."""
    ratio = comparison.ratio
    change = f"{abs(ratio.value - 1):.1%}"
    if comparison.verdict == DIFFERENT:
        way = "longer" if ratio.value > 1 else "less"
        return f"{comparison.label}: {second} takes {change} {way} than {first} {_range(ratio)}"
    if comparison.verdict == EQUIVALENT:
        return (
            f"{comparison.label}: {first} and {second} are equivalent "
            f"within {comparison.margin:.0%} {_range(ratio)}"
        )
    if comparison.more_launches is None:
        return f"{comparison.label}: not enough data, more than one launch on each side is needed"
    return (
        f"{comparison.label}: not enough data to tell {second} from {first} {_range(ratio)}; "
        f"about {comparison.more_launches} more launches on each side would"
    )


def _range(ratio: Estimate) -> str:
    if ratio.high > VAGUE * ratio.low:
        ends = f"{units.significant(ratio.low)} to {units.significant(ratio.high)}"
        return f"(not known well enough: {ends} times the time; nnbench doctor says what disturbs)"
    return f"[{ratio.low - 1:+.1%}, {ratio.high - 1:+.1%}]"
