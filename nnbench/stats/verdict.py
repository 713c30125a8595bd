"""The verdict on a ratio: different, equivalent, or not enough data. Pure functions.

Whoever looks at the data while they come in, to stop once they decide, finds a difference by chance
the more often the more often he looks. Here each look may spend a share of the false alarms that
are allowed (alpha spending: Lan and DeMets, "Discrete sequential boundaries for clinical trials",
Biometrika 70, 1983), by how much of the budget was spent since the look before (calendar time: Lan
and DeMets, "Group sequential procedures: calendar versus information time", Stat. Med. 8, 1989).
The shares add up to 1 at most, so that by Bonferroni's inequality all looks together raise
no more false alarms than one would, whatever hangs together between them; a share that no look
has used is lost.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from nnbench.show import units
from nnbench.stats.estimate import Estimate, student_quantile
from nnbench.stats.interval import CONFIDENCE

DIFFERENT, EQUIVALENT, UNDECIDED = "different", "equivalent", "not enough data"

FALSE_DISCOVERIES = 0.005
"""Share of false ones among the differences reported: half of the 1 % that is promised, because for
short-tailed noise the t test below errs up to twice as often as it says."""

MARGIN = 0.02

LEAST_LAUNCHES = 4
"""Before so many launches nobody looks: hardly any effect would be found."""

TOO_FEW = f"at least {LEAST_LAUNCHES} launches on each side are needed"

LOOK_AGAIN = 4 / 3
"""Looks are so many times as many launches apart: the more of them, the less each may spend."""

MOST_MORE = 10_000


@dataclass(frozen=True)
class Look:
    """What was known when a comparison was looked at, and the share of false alarms it may have.

    That was after so many `launches` of each side, where they are counted.
    """

    share: float
    ratios: Mapping[str, Estimate]
    launches: int | None = None


VAGUE = 3.0
"""An interval whose ends are further apart is told as a range of factors: it says next to nothing.
"""


@dataclass(frozen=True)
class Comparison:
    """A ratio and what can be said of it.

    `p_value` is adjusted for the number of comparisons made together, which is `among`, and for
    how often they were looked at; `more_launches` would probably decide: 0 where it is decided,
    None where too little is known even to say that, as of fewer than `LEAST_LAUNCHES`.
    `decided_after` are the launches of the look that decided, where `ratio`, which is of all
    launches, does not show that verdict by itself.
    """

    label: str
    ratio: Estimate
    p_value: float
    verdict: str
    margin: float
    more_launches: int | None
    among: int = 1
    decided_after: int | None = None

    @property
    def is_probable(self) -> bool:
        """Whether the 95 % interval leaves equality out although no difference is told.

        Of 20 such intervals of equal sides one does. A difference takes far more: 1 in 200, fewer
        where several are compared together, and less at each look where there are several.
        """
        return self.verdict == UNDECIDED and self.ratio.excludes_one

    @property
    def is_slower(self) -> bool:
        """Whether the sides are different, and the second by its estimate slower beyond the margin.

        That is what fails a check. The interval may reach into the margin.
        """
        return self.verdict == DIFFERENT and self.ratio.value > 1 + self.margin

    @property
    def is_perhaps_within(self) -> bool:
        """Whether the second side is slower, within the margin by its estimate, but may be more."""
        value, high = self.ratio.value, self.ratio.high
        return self.verdict == DIFFERENT and 1 < value <= 1 + self.margin < high


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
    return judge_looks([Look(1.0, ratios)], margin=margin, false_discoveries=false_discoveries)


def judge_looks(
    looks: Sequence[Look], *, margin: float = MARGIN, false_discoveries: float = FALSE_DISCOVERIES
) -> list[Comparison]:
    """Judge the ratios of the last of some looks, as `judge` does, by what all of them allow.

    A ratio differs or is equivalent from the look on at which it was, with the share of that look.
    """
    last = looks[-1]
    known = [label for label, ratio in last.ratios.items() if ratio.has_interval]
    raw = [_over_looks(looks, label, p_value) for label in known]
    adjusted = dict(zip(known, _adjusted(raw), strict=True))
    edge = math.log1p(margin)
    found = []
    for label, ratio in last.ratios.items():
        more: int | None = 0
        if adjusted.get(label, math.nan) < false_discoveries:
            verdict = DIFFERENT
        elif _over_looks(looks, label, lambda one: _unequal(one, edge)) <= 1 - CONFIDENCE:
            verdict = EQUIVALENT
        else:
            verdict = UNDECIDED
            more = _more_launches(ratio, edge, last.share * false_discoveries / max(1, len(known)))
        p = adjusted.get(label, math.nan)
        early = None
        if verdict == EQUIVALENT and _unequal(ratio, edge) > 1 - CONFIDENCE:
            early = _earliest(looks, label, lambda one: _unequal(one, edge))
        elif verdict == DIFFERENT and not ratio.excludes_one:
            early = _earliest(looks, label, p_value)
        among = len(last.ratios)
        found.append(Comparison(label, ratio, p, verdict, margin, more, among, early))
    return found


def _over_looks(looks: Sequence[Look], label: str, p: Callable[[Estimate], float]) -> float:
    """The least level at which one of the looks rejects: of each p value, by its look's share."""
    return min([1.0, *(level for level, _ in _levels(looks, label, p))])


def _earliest(looks: Sequence[Look], label: str, p: Callable[[Estimate], float]) -> int | None:
    """The launches of the look that rejects at the least level."""
    return min(_levels(looks, label, p), key=lambda one: one[0])[1].launches


def _levels(
    looks: Sequence[Look], label: str, p: Callable[[Estimate], float]
) -> list[tuple[float, Look]]:
    each = [(look, look.ratios.get(label)) for look in looks if look.share > 0]
    return [(p(one) / look.share, look) for look, one in each if one and one.has_interval]


def _unequal(ratio: Estimate, edge: float) -> float:
    """The least level at which the interval lies within the margin, 1 less its confidence."""
    room = edge - max(abs(math.log(ratio.low)), abs(math.log(ratio.high)))
    if ratio.log_error == 0:
        return 0.0 if room >= 0 else 1.0
    # The interval of 95 % is that of ranks; others are as much wider as Student's t.
    quantile = student_quantile(ratio.degrees_of_freedom) + room / ratio.log_error
    return float(min(1.0, 2 * special.stdtr(ratio.degrees_of_freedom, -quantile)))


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


def _more_launches(ratio: Estimate, edge: float, level: float) -> int | None:
    """Launches missing until a difference shows at a level, or the interval is within the margin.

    The standard error falls with the square root of launches, the quantile of t with their number.
    """
    units = ratio.degrees_of_freedom + 1
    if not ratio.has_interval or ratio.log_error == 0 or units < LEAST_LAUNCHES:
        return None
    distance = abs(math.log(ratio.value))
    more = 1
    while more < MOST_MORE:
        error = ratio.log_error * math.sqrt(units / (units + more))
        shown = student_quantile(units + more - 1, 1 - level) * error
        equal = student_quantile(units + more - 1) * error
        if shown <= distance or distance + equal <= edge:
            break
        more = math.ceil(1.02 * more + 0.5)
    return more


def sentence(comparison: Comparison, first: str, second: str) -> str:
    """A comparison in words: what `second` takes in relation to `first`."""
    ratio = comparison.ratio
    change, span = f"{abs(ratio.value - 1):.1%}", _range(ratio)
    if comparison.decided_after is not None:
        span += f" (decided after {comparison.decided_after} launches; the interval is of all)"
    if comparison.verdict == DIFFERENT:
        way = "longer" if ratio.value > 1 else "less"
        return f"{comparison.label}: {second} takes {change} {way} than {first} {span}"
    if comparison.verdict == EQUIVALENT:
        return (
            f"{comparison.label}: {first} and {second} are equivalent "
            f"within {comparison.margin:.0%} {span}"
        )
    missing = comparison.more_launches
    more = TOO_FEW if missing is None else f"about {missing:,} more launches on each side would"
    if not ratio.has_interval:
        return f"{comparison.label}: not enough data, {more}"
    if comparison.is_probable:
        way = "slower" if ratio.value > 1 else "faster"
        looked = f"{comparison.among} were looked at" if comparison.among > 1 else "it is one look"
        more += "" if missing is None else " probably settle it"
        return f"{comparison.label}: {second} is probably {way} {span}; {looked}, {more}"
    more += "" if missing is None else " probably do"
    return f"{comparison.label}: not enough data to tell {second} from {first} {span}; {more}"


def _range(ratio: Estimate) -> str:
    if ratio.high > VAGUE * ratio.low:
        ends = f"{units.significant(ratio.low)} to {units.significant(ratio.high)}"
        return f"(not known well enough: {ends} times the time; nnbench doctor says what disturbs)"
    return f"[{ratio.low - 1:+.1%}, {ratio.high - 1:+.1%}]"
