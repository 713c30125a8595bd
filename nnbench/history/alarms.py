"""Which commits changed a benchmark: how sure, by how much, and where it may have been.

1. Levels of commits on a log scale with their scatter (`series`, `null_model`).
2. Where: the piecewise constant history that costs least, by optimal partitioning (Jackson et
   al., IEEE Signal Process. Lett. 12, 2005). A change must save more than what the largest step
   in a history without any would save in 95 of 100 (`CANDIDATES`).
3. Whether: each change is compared with chance at every commit where it could have been; over
   all benchmarks together the procedure of Benjamini and Hochberg keeps the share of false alarms
   below `FALSE_ALARMS`. Changes below the `least` size are not worth waking up for.
4. How much: the difference of the levels before and after, with its uncertainty and that of where.
5. Where exactly: the commits that hold 95 % of the posterior probability with flat priors on
   position and levels (Smith, Biometrika 62, 1975).

One commit off its neighbours is a `spike`, no step, where it was measured alone. A change at the
last commit has nothing after it: `unconfirmed`, unless measured in turn with those before it and
far beyond doubt. So is one of times measured alone where the machine itself changed with it:
more noisy blocks, or a slower machine.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special, stats

from nnbench.history import null_model
from nnbench.history.null_model import TAIL_SHARE, Array, Chance, Scatter
from nnbench.history.readers import BYTES
from nnbench.history.series import Series
from nnbench.stats.interval import Interval

STEP, UNCONFIRMED, SPIKE, VALUE, NUMBERS = "step", "unconfirmed", "spike", "value", "numbers"
"""Kinds of finding: a lasting change; one at the last commit, or that may be the machine's; a
single commit; a tracked figure that was constant and is another constant; other results of the
same training."""

FALSE_ALARMS = 0.01
LEAST = 0.03
CANDIDATES = 0.05
CREDIBLE = 0.95
FOUR_IN_FIVE = 0.84
"""So many standard errors beyond a threshold, a change passes it four times in five."""
LEAST_COMMITS = 6
"""Commits measured one by one that a history needs before any may raise an alarm."""
SPIKE_DEVIATIONS = 6.0
LARGEST_LOG = 700.0
"""Of a ratio that is finite, and so is its inverse."""
NOISY = 0.2
"""With so much more of the blocks noisy on the slower side, that may be the change."""
MACHINE_SPEED = 3.0
"""A change may be the machine's unless it is so many times as large as that of its speed."""


@dataclass(frozen=True)
class Alarm:
    """A change of one series at a commit.

    `ratio` is the level after over before; NaN for other results. `commits` is the credible set,
    in order, `before` the last measured ahead; `p_value` is adjusted, `doubt` the machine's part.
    """

    series: Series
    kind: str
    commit: str
    before: str
    commits: tuple[str, ...]
    ratio: Interval
    p_value: float
    note: str = ""
    doubt: str = ""

    @property
    def slower(self) -> bool:
        """Whether more of the unit is needed than before (seconds, bytes: worse)."""
        return self.ratio.value > 1

    @property
    def raised(self) -> bool:
        """Whether it is one to wake up for: slower, or other numbers; spikes are not."""
        return self.kind == NUMBERS or (self.kind in (STEP, VALUE) and not self.ratio.value <= 1)


def find(
    series: Iterable[Series], *, false_alarms: float = FALSE_ALARMS, least: float = LEAST
) -> list[Alarm]:
    """All changes of all series by `least` (a share, such as 0.03) or more, surest first."""
    exact: list[Alarm] = []
    doubtful: list[Alarm] = []
    for one in series:
        exact += numbers(one)
        # A tracked figure that repeats exactly needs no statistics.
        if not one.positive or np.mean(np.diff(one.raw) == 0) >= 0.5:
            exact += _values(one, least)
        else:
            doubtful += _candidates(one)
    tests = [alarm.p_value for alarm in doubtful if alarm.kind != SPIKE]
    adjusted = iter(stats.false_discovery_control(tests) if tests else [])
    kept = []
    for alarm in doubtful:
        if alarm.kind != SPIKE:
            alarm = replace(alarm, p_value=float(next(adjusted)))
            if alarm.p_value >= false_alarms:
                continue
            at_the_end = alarm.commit == alarm.series.commits[-1]
            sure = alarm.series.interleaved and alarm.p_value < false_alarms / 10
            if alarm.doubt or (at_the_end and not sure):
                alarm = replace(alarm, kind=UNCONFIRMED)
        if abs(math.log(alarm.ratio.value)) >= math.log1p(least):
            kept.append(alarm)
    return sorted(exact + kept, key=lambda alarm: (not alarm.raised, alarm.p_value))


def smallest_change(series: Series, *, false_alarms: float = FALSE_ALARMS) -> float | None:
    """The least lasting change in the middle of a series that would raise an alarm, as a share.

    Four times in five, were this series looked at alone. None for one that is too short.
    """
    n, in_turn = len(series.commits), series.interleaved
    if not series.positive or n < (2 if in_turn else LEAST_COMMITS):
        return None
    seen = null_model.of(series.logs, series.errors, interleaved=in_turn)
    largest = null_model.chance(series.errors, seen, series.freedom, interleaved=in_turn).largest
    weights = 1 / seen.deviations**2
    before, after = weights[: n // 2].sum(), weights[n // 2 :].sum()
    error = float(seen.inflation) * math.sqrt(1 / before + 1 / after)
    # Of commits that stand alone the last is looked at by itself, too: two tests share the level.
    level = min(false_alarms / (1 if in_turn else 2), TAIL_SHARE)
    beyond = null_model.threshold(largest, level) + FOUR_IN_FIVE
    return math.expm1(min(beyond * error, LARGEST_LOG))


def _candidates(series: Series) -> list[Alarm]:
    n, in_turn = len(series.commits), series.interleaved
    if n < (2 if in_turn else LEAST_COMMITS):
        return []
    least = 1 if in_turn else 2
    seen = null_model.of(series.logs, series.errors, interleaved=in_turn)
    tame = series.logs if in_turn else null_model.without_spikes(series.logs, seen.deviations)
    inflation = float(seen.inflation)
    chance = null_model.chance(series.errors, seen, series.freedom, interleaved=in_turn)
    weights = 1 / seen.deviations**2
    penalty = (float(np.quantile(chance.largest, 1 - CANDIDATES)) * inflation) ** 2
    edges = [0, *_cuts(tame, weights, penalty, least), n]
    found = []
    for first, cut, last in zip(edges, edges[1:], edges[2:], strict=False):
        part = slice(first, last)
        sizes = null_model.step_sizes(tame[part], weights[part], 1) / inflation
        p_value = null_model.p_value(chance.largest, float(sizes[cut - first - 1]))
        freedom = max(3, series.freedom if in_turn else n - len(edges) + 1)
        precisions = weights[part] / inflation**2
        alarm = _step(series, cut, first, tame[part], precisions, freedom, p_value)
        found.append(_doubted(alarm, slice(first, cut), slice(cut, last)))
    if not in_turn:
        found += _singles(series, tame, seen, edges, chance)
    return found


def _cuts(levels: Array, weights: Array, penalty: float, least: int) -> list[int]:
    """Where the cheapest history changes; it costs weighted squares, and `penalty` a change."""
    n = len(levels)
    sums, firsts, squares = (
        np.concatenate([[0.0], np.cumsum(weights * levels**power)]) for power in range(3)
    )
    best = np.full(n + 1, np.inf)
    best[0] = -penalty
    origin = np.zeros(n + 1, dtype=int)
    for end in range(least, n + 1):
        starts = np.arange(end - least + 1)
        inside = (firsts[end] - firsts[starts]) ** 2 / (sums[end] - sums[starts])
        costs = best[starts] + squares[end] - squares[starts] - inside + penalty
        origin[end] = int(np.argmin(costs))
        best[end] = costs[origin[end]]
    cuts = []
    end = n
    while origin[end] > 0:
        end = int(origin[end])
        cuts.append(end)
    return cuts[::-1]


def _step(
    series: Series,
    cut: int,
    start: int,
    levels: Array,
    weights: Array,
    freedom: int,
    p_value: float,
) -> Alarm:
    """The change at `cut` of the part from `start` on, which has no other: where, how large."""
    least = 1 if series.interleaved else 2
    positions = np.arange(least, len(levels) - least + 1)
    left = np.cumsum(weights)[positions - 1]
    right = weights.sum() - left
    left_sum = np.cumsum(weights * levels)[positions - 1]
    right_sum = float((weights * levels).sum()) - left_sum
    explained = left_sum**2 / left + right_sum**2 / right
    rest = float((weights * levels**2).sum()) - explained
    fit = -(freedom + 1) / 2 * np.log1p(np.maximum(rest, 0) / freedom)
    odds = special.softmax(fit - 0.5 * np.log(left * right))
    sizes, variances = right_sum / right - left_sum / left, 1 / left + 1 / right
    order = np.argsort(odds)[::-1]
    enough = int(np.searchsorted(np.cumsum(odds[order]), CREDIBLE)) + 1
    chosen = positions[order[:enough]] + start
    exactly = np.flatnonzero(positions + start == cut)
    here = int(exactly[0]) if len(exactly) else int(order[0])
    size = float(sizes[here])
    # Where the change was is uncertain, too: it has another size at each commit.
    variance = float(variances[here] + odds @ (sizes - size) ** 2)
    half = math.sqrt(variance) * float(stats.t.ppf(0.975, freedom))
    begin, end = int(min(chosen.min(), cut)), int(max(chosen.max(), cut))
    commits = series.commits
    found = (commits[cut], commits[begin - 1], commits[begin : end + 1])
    return Alarm(series, STEP, *found, _ratio(size, half), p_value)


def _ratio(size: float, half_width: float) -> Interval:
    ends = np.clip([size, size - half_width, size + half_width], -LARGEST_LOG, LARGEST_LOG)
    return Interval(*(float(end) for end in np.exp(ends)))


def _singles(
    series: Series, tame: Array, seen: Scatter, edges: Sequence[int], chance: Chance
) -> list[Alarm]:
    """The last commit, where it lies off all before it, and spikes before it."""
    n, begin = len(tame), edges[-2]
    weights = 1 / seen.deviations[begin:] ** 2
    found = []
    if n - begin >= 3:
        levels = tame[begin:], series.logs[begin:]
        distance = null_model.last_distance(*levels, weights, seen.inflation)
        p_value = null_model.p_value(chance.last, float(distance))
        alarm = _single(series, UNCONFIRMED, n - 1, tame[begin:-1], seen, p_value)
        found.append(_doubted(alarm, slice(begin, n - 1), slice(n - 1, n)))
    middle = null_model.running_median(series.logs)
    far = np.abs(series.logs - middle) > SPIKE_DEVIATIONS * seen.deviations
    for here in np.flatnonzero(far[:-1]):
        if here not in edges and here + 1 not in edges:
            around = middle[here : here + 1]
            found.append(_single(series, SPIKE, int(here), around, seen, math.nan))
    return found


def _single(
    series: Series, kind: str, here: int, around: Array, seen: Scatter, p_value: float
) -> Alarm:
    name, before = series.commits[here], series.commits[here - 1] if here else ""
    half = 2 * float(seen.deviations[here]) * math.sqrt(1 + 1 / len(around))
    ratio = _ratio(float(series.logs[here] - np.mean(around)), half)
    return Alarm(series, kind, name, before, (name,), ratio, p_value)


def _doubted(alarm: Alarm, before: slice, after: slice) -> Alarm:
    series = alarm.series
    # In turn, the machine's changes hit all commits alike; memory does not hang on them.
    if series.interleaved or series.unit == BYTES:
        return alarm
    slow, fast = (after, before) if alarm.slower else (before, after)
    when = ("since then", "before") if alarm.slower else ("before", "since then")
    # Where nothing is known these are NaN, which passes none of the tests below.
    noisy, pace_s = pd.Series(series.noisy), pd.Series(series.pace_s)
    more, less = noisy[slow].mean(), noisy[fast].mean()
    slower = float(pace_s[slow].median() / pace_s[fast].median())
    reasons = []
    if more - less >= NOISY:
        reasons.append(f"{more:.0%} of the blocks were noisy {when[0]}, {less:.0%} {when[1]}")
    if slower > 1 + LEAST and abs(math.log(alarm.ratio.value)) < MACHINE_SPEED * math.log(slower):
        reasons.append(f"a matrix product took {slower - 1:.0%} longer {when[0]}, too")
    return replace(alarm, doubt="; ".join(reasons))


def _values(series: Series, least: float) -> list[Alarm]:
    """Changes of figures that are exact, or may be 0: from one constant to another."""
    found = []
    raw = series.raw
    for here in np.flatnonzero(np.diff(raw) != 0) + 1:
        before, after = float(raw[here - 1]), float(raw[here])
        last = here + 1 == len(raw)
        steady = here < 2 or raw[here - 2] == before
        lasting = last or raw[here + 1] == after
        ratio = after / before if before > 0 and after > 0 else math.inf if after > before else 0.0
        if not steady or not lasting or abs(ratio - 1) < least:
            continue
        kind = UNCONFIRMED if last else VALUE
        name, previous = series.commits[here], series.commits[here - 1]
        exact = Interval(ratio, ratio, ratio)
        note = f"{before:g} to {after:g} {series.unit}".strip()
        found.append(Alarm(series, kind, name, previous, (name,), exact, 0.0, note))
    return found


def numbers(series: Series) -> list[Alarm]:
    """Commits since which a seeded training computes something else; `various` says nothing."""
    found = []
    unknown = Interval(math.nan, math.nan, math.nan)
    known = [number for number, one in enumerate(series.digests) if one and one != "various"]
    for earlier, later in itertools.pairwise(known):
        was, became = series.digests[earlier], series.digests[later]
        if was != became:
            before, commits = series.commits[earlier], series.commits[earlier + 1 : later + 1]
            note = f"{was[:8]} to {became[:8]}"
            found.append(Alarm(series, NUMBERS, commits[-1], before, commits, unknown, 0.0, note))
    return found


def segments(series: Series, alarms: Iterable[Alarm]) -> list[tuple[int, int, float]]:
    """The series cut at its steps: where each part begins and ends, and its level."""
    mine = [one for one in alarms if one.series is series and one.kind in (STEP, UNCONFIRMED)]
    cuts = sorted(series.commits.index(alarm.commit) for alarm in mine)
    ends = itertools.pairwise([0, *cuts, len(series.logs)])
    return [(first, last, math.exp(np.median(series.logs[first:last]))) for first, last in ends]
