"""Which commits changed a benchmark: how sure, by how much, and where it may have been.

1. Levels of commits on a log scale with their scatter (`series`, `scatter`).
2. Where: the piecewise constant history that costs least, by optimal partitioning (Jackson et
   al., IEEE Signal Process. Lett. 12, 2005). A change must save more than what the largest step
   in a history without any would save in 95 of 100 (`CANDIDATES`).
3. Whether: each change is held against chance over all places it could have been; over all
   benchmarks together the procedure of Benjamini and Hochberg keeps the share of false alarms
   below `FALSE_ALARMS`. Changes below the `least` size are not worth waking up for.
4. How much: the difference of the levels at its sides, with its uncertainty and that of where.
5. Where exactly: the commits that hold 95 % of the posterior probability with flat priors on
   place and levels (Smith, Biometrika 62, 1975).

One commit off its neighbours is a `spike`, no step, where it was measured alone. A change at the
last commit has nothing after it: `unconfirmed`, unless measured in turn with those before it and
far beyond doubt. So is one of times measured alone where the machine itself changed with it:
more blocks disturbed, or a slower pace.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from nnbench.history import null_model
from nnbench.history.readers import BYTES
from nnbench.history.series import Series

Array = NDArray[np.float64]

STEP, UNCONFIRMED, SPIKE, VALUE, NUMBERS = "step", "unconfirmed", "spike", "value", "numbers"
"""Kinds of finding: a lasting change; one at the last commit, or that may be the machine's; a
single commit; a tracked figure that was constant and is another constant; other results of the
same training."""

FALSE_ALARMS = 0.01
LEAST = 0.03
CANDIDATES = 0.05
CREDIBLE = 0.95
LEAST_COMMITS = 6
"""Commits measured one by one that a history needs before any may raise an alarm."""
SPIKE_DEVIATIONS = 6.0
DISTURBED = 0.2
"""With so much more of the blocks disturbed on the slower side, that may be the change."""
PACE = 3.0
"""A change may be the machine's unless it is this many times as large as that of its pace."""


@dataclass(frozen=True)
class Alarm:
    """A change of one series at a commit.

    `ratio` is the level after over before (`low` to `high` is 95 %); NaN for other results.
    `commits` is the credible set, in order; `before` the last measured commit ahead of it, so
    that the change lies after `before` and up to the last of `commits`. `p_value` is adjusted.
    `doubt` says why it may be the machine's, if anything speaks for that.
    """

    series: Series
    kind: str
    commit: str
    before: str
    commits: tuple[str, ...]
    ratio: float
    low: float
    high: float
    p_value: float
    note: str = ""
    doubt: str = ""

    @property
    def slower(self) -> bool:
        """Whether more of the unit is needed than before (seconds, bytes: worse)."""
        return self.ratio > 1

    @property
    def raised(self) -> bool:
        """Whether it is one to wake up for: slower, or other numbers; spikes are not."""
        return self.kind == NUMBERS or (self.kind in (STEP, VALUE) and not self.ratio <= 1)


@dataclass(frozen=True)
class Segments:
    """A series cut at its changes: where each part begins, and its level as measured."""

    starts: tuple[int, ...]
    levels: tuple[float, ...]


def find(
    series: Iterable[Series], *, false_alarms: float = FALSE_ALARMS, least: float = LEAST
) -> list[Alarm]:
    """All changes of all series, surest first.

    `least` is the smallest relative size reported, such as 0.03.
    """
    exact: list[Alarm] = []
    doubtful: list[Alarm] = []
    for one in series:
        exact += numbers(one)
        if not one.positive or _constant(one):
            exact += _values(one, least)
            continue
        doubtful += _candidates(one)
    tests = [alarm.p_value for alarm in doubtful if alarm.kind != SPIKE]
    adjusted = iter(stats.false_discovery_control(tests) if tests else [])
    kept = []
    for alarm in doubtful:
        if alarm.kind != SPIKE:
            alarm = replace(alarm, p_value=float(next(adjusted)))
            if alarm.p_value >= false_alarms:
                continue
            if alarm.kind == STEP and alarm.commit == alarm.series.commits[-1]:
                sure = alarm.series.interleaved and alarm.p_value < false_alarms / 10
                alarm = replace(alarm, kind=STEP if sure else UNCONFIRMED)
            if alarm.kind == STEP and alarm.doubt:
                alarm = replace(alarm, kind=UNCONFIRMED)
        if abs(math.log(alarm.ratio)) >= math.log1p(least):
            kept.append(alarm)
    return sorted(exact + kept, key=lambda alarm: (not alarm.raised, alarm.p_value))


def _candidates(series: Series) -> list[Alarm]:
    """Changes that may be, each with its p-value over the places in this series."""
    n, in_turn = len(series.commits), series.interleaved
    if n < (2 if in_turn else LEAST_COMMITS):
        return []
    least = 1 if in_turn else 2
    seen = null_model.of(series.logs, series.errors, interleaved=in_turn)
    tame = series.logs if in_turn else null_model.without_spikes(series.logs, seen.deviations)
    inflation = float(seen.inflation)
    rho = _rho(inflation)
    chance = null_model.chance(
        series.errors, seen.deviations, series.freedom, rho, interleaved=in_turn, least=least
    )
    weights = 1 / seen.deviations**2
    penalty = (chance.quantile(CANDIDATES) * inflation) ** 2
    edges = [0, *_cuts(tame, weights, penalty, least), n]
    found = []
    for first, cut, last in zip(edges, edges[1:], edges[2:], strict=False):
        part = slice(first, last)
        sizes = null_model.step_sizes(tame[part], weights[part], 1) / inflation
        p_value = chance.p_value(float(sizes[cut - first - 1]))
        freedom = max(3, series.freedom if in_turn else n - len(edges) + 1)
        change = _Window(tame[part], weights[part], inflation, freedom, least)
        alarm = _alarm(series, STEP, first, cut, change, p_value)
        found.append(_doubted(alarm, slice(first, cut), slice(cut, last)))
    if not in_turn:
        found += _singles(series, tame, seen, edges, chance)
    return found


def _rho(inflation: float) -> float:
    """The correlation behind an inflation: (1 + r) / (1 - r)^2 solved for r."""
    square = inflation**2
    if square <= 1:
        return 0.0
    return (2 * square + 1 - math.sqrt(8 * square + 1)) / (2 * square)


def _cuts(levels: Array, weights: Array, penalty: float, least: int) -> list[int]:
    """Starts of the parts, but the first, of the cheapest piecewise constant history.

    The cost is the weighted sum of squares about each part's mean, and `penalty` for each change;
    parts hold `least` commits or more.
    """
    n = len(levels)
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    firsts = np.concatenate([[0.0], np.cumsum(weights * levels)])
    squares = np.concatenate([[0.0], np.cumsum(weights * levels**2)])
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


@dataclass(frozen=True)
class _Window:
    """Two neighbouring parts, in which exactly one change is sought."""

    levels: Array
    weights: Array
    inflation: float
    freedom: int
    least: int

    def posterior(self) -> tuple[NDArray[np.intp], Array, Array, Array]:
        """Places, their probabilities, and size and variance of the change at each."""
        n = len(self.levels)
        weights = self.weights / self.inflation**2
        places = np.arange(self.least, n - self.least + 1)
        left = np.cumsum(weights)[places - 1]
        right = weights.sum() - left
        left_sum = np.cumsum(weights * self.levels)[places - 1]
        right_sum = float((weights * self.levels).sum()) - left_sum
        explained = left_sum**2 / left + right_sum**2 / right
        rest = float((weights * self.levels**2).sum()) - explained
        fit = -(self.freedom + 1) / 2 * np.log1p(np.maximum(rest, 0) / self.freedom)
        log_odds = fit - 0.5 * np.log(left * right)
        odds = np.exp(log_odds - special.logsumexp(log_odds))
        return places, odds, right_sum / right - left_sum / left, 1 / left + 1 / right


def _alarm(
    series: Series, kind: str, first: int, cut: int, window: _Window, p_value: float
) -> Alarm:
    places, odds, sizes, variances = window.posterior()
    order = np.argsort(odds)[::-1]
    enough = int(np.searchsorted(np.cumsum(odds[order]), CREDIBLE)) + 1
    chosen = places[order[:enough]] + first
    here = int(np.flatnonzero(places + first == cut)[0]) if cut - first in places else int(order[0])
    size = float(sizes[here])
    # Where the change was is uncertain, too: each place has a size of its own.
    variance = float(variances[here] + odds @ (sizes - size) ** 2)
    half = math.sqrt(variance) * float(stats.t.ppf(0.975, window.freedom))
    begin, end = int(min(chosen.min(), cut)), int(max(chosen.max(), cut))
    return Alarm(
        series,
        kind,
        series.commits[cut],
        series.commits[begin - 1],
        series.commits[begin : end + 1],
        math.exp(size),
        math.exp(size - half),
        math.exp(size + half),
        p_value,
    )


def _singles(
    series: Series,
    tame: Array,
    seen: null_model.Scatter,
    edges: Sequence[int],
    chance: null_model.Chance,
) -> list[Alarm]:
    """The last commit, where it lies off all before it, and spikes before it."""
    n, part = len(tame), slice(edges[-2], len(tame))
    weights = 1 / seen.deviations**2
    found = []
    if n - edges[-2] >= 3:
        distance = null_model.last_distance(
            tame[part], series.logs[part], weights[part], seen.inflation
        )
        p_value = chance.p_value_of_last(float(distance))
        alarm = _single(series, UNCONFIRMED, n - 1, tame[part][:-1], seen, p_value)
        found.append(_doubted(alarm, slice(edges[-2], n - 1), slice(n - 1, n)))
    middle = null_model.running_median(series.logs)
    far = np.abs(series.logs - middle) > SPIKE_DEVIATIONS * seen.deviations
    for place in np.flatnonzero(far[:-1]):
        if place not in edges and place + 1 not in edges:
            around = middle[place : place + 1]
            found.append(_single(series, SPIKE, int(place), around, seen, math.nan))
    return found


def _single(
    series: Series, kind: str, place: int, around: Array, seen: null_model.Scatter, p_value: float
) -> Alarm:
    size = float(series.logs[place] - np.mean(around))
    half = 2 * float(seen.deviations[place]) * math.sqrt(1 + 1 / len(around))
    before = series.commits[place - 1] if place else ""
    where = (series.commits[place],)
    ends = math.exp(size - half), math.exp(size + half)
    return Alarm(series, kind, where[0], before, where, math.exp(size), *ends, p_value)


def _doubted(alarm: Alarm, before: slice, after: slice) -> Alarm:
    """The alarm, with what else changed where its times did: see `DISTURBED` and `PACE`."""
    series = alarm.series
    # In turn, the machine's changes hit all commits alike; memory does not hang on them.
    if series.interleaved or series.unit == BYTES:
        return alarm
    slow, fast = (after, before) if alarm.slower else (before, after)
    when = ("since then", "before") if alarm.slower else ("before", "since then")
    reasons = []
    shares = [_known(series.noisy[part]) for part in (slow, fast)]
    if all(len(one) for one in shares):
        more, less = (float(np.mean(one)) for one in shares)
        if more - less >= DISTURBED:
            reasons.append(
                f"{more:.0%} of the blocks were disturbed {when[0]}, {less:.0%} {when[1]}"
            )
    paces_s = [_known(series.pace_s[part]) for part in (slow, fast)]
    if all(len(one) for one in paces_s):
        slower = float(np.median(paces_s[0]) / np.median(paces_s[1]))
        if slower > 1 + LEAST and PACE * math.log(slower) > abs(math.log(alarm.ratio)):
            reasons.append(f"a matrix product took {slower - 1:.0%} longer {when[0]}, too")
    return replace(alarm, doubt="; ".join(reasons))


def _known(values: Array) -> Array:
    return values[np.isfinite(values)]


def _constant(series: Series) -> bool:
    """A tracked figure that repeats exactly: steps in it need no statistics."""
    return bool(np.mean(np.diff(series.raw) == 0) >= 0.5)


def _values(series: Series, least: float) -> list[Alarm]:
    """Changes of figures that are exact, or may be 0: from one constant to another."""
    found = []
    for place in np.flatnonzero(np.diff(series.raw) != 0) + 1:
        before, after = float(series.raw[place - 1]), float(series.raw[place])
        steady = place < 2 or series.raw[place - 2] == before
        lasting = place + 1 < len(series.raw) and series.raw[place + 1] == after
        if not steady or (not lasting and place + 1 < len(series.raw)):
            continue
        ratio = after / before if before > 0 and after > 0 else math.inf if after > before else 0.0
        if abs(ratio - 1) < least:
            continue
        kind = VALUE if lasting else UNCONFIRMED
        name, note = series.commits[place], f"{before:g} to {after:g} {series.unit}".strip()
        found.append(
            Alarm(
                series,
                kind,
                name,
                series.commits[place - 1],
                (name,),
                ratio,
                ratio,
                ratio,
                0.0,
                note,
            )
        )
    return found


def numbers(series: Series) -> list[Alarm]:
    """Commits after which the same seeded training computes something else.

    Only where both commits' own repetitions agreed: `various` digests say nothing.
    """
    found = []
    known = [place for place, one in enumerate(series.digests) if one and one != "various"]
    for earlier, later in itertools.pairwise(known):
        if series.digests[earlier] != series.digests[later]:
            where = series.commits[earlier + 1 : later + 1]
            note = f"{series.digests[earlier][:8]} to {series.digests[later][:8]}"
            found.append(
                Alarm(
                    series,
                    NUMBERS,
                    where[-1],
                    series.commits[earlier],
                    where,
                    math.nan,
                    math.nan,
                    math.nan,
                    0.0,
                    note,
                )
            )
    return found


def segments(series: Series, alarms: Sequence[Alarm]) -> Segments:
    """The series cut at its steps, for charts."""
    cuts = sorted(
        series.commits.index(alarm.commit)
        for alarm in alarms
        if alarm.series is series and alarm.kind in (STEP, UNCONFIRMED)
    )
    edges = [0, *cuts, len(series.logs)]
    parts = itertools.pairwise(edges)
    return Segments(
        tuple(edges[:-1]),
        tuple(float(np.exp(np.median(series.logs[first:last]))) for first, last in parts),
    )
