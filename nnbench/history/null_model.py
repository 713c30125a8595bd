"""How far a history scatters where nothing changed, and how large steps look in it by chance.

A commit's level errs by what its launches differ (known) and by what differs from one occasion of
measuring to the next (estimated here from differences of neighbours, whose median a few real
steps cannot move). Chance is simulated: histories without any change, of the same length and
errors, with tails heavier than the normal's, go through exactly the same estimates.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal, stats

Array = NDArray[np.float64]

QUIETEST = 0.002
"""Rebuilding the same code moves times by a few parts in a thousand: no history is quieter."""
TAILS = 5
"""Degrees of freedom of the t distribution that stands for real noise."""
WINDOW = 5
CLIP = 3.0
"""A commit farther than this many deviations from the median of its neighbours is pulled in."""
LEAST_FOR_CORRELATION = 20
LEAST_CORRELATION, LARGEST_CORRELATION = 0.2, 0.8
"""Commits measured one after another share what the machine was like: so much is assumed."""
BETWEEN = 0.005
"""How far harmless commits scatter that were measured in turn, beyond what launches differ. The
twelve of `benchmarks/calibration/history` do so by 0.004 in their steps."""
BELIEF = 10.0
"""So many independent differences of commits would be worth as much as knowing `BETWEEN`."""
WORTH = 0.25
"""A median of squared differences of neighbours is worth so much of as many independent ones."""
FEW = 6
"""Fewer commits say nothing of how far harmless ones scatter."""
BLOCKS = (2, 3, 4, 6, 9, 14, 21, 32, 48, 72, 108)
"""Lengths of passing changes, in commits, that chance is given the opportunity to look like."""
ALONE = 0.03
"""Scatter of the simulated histories of commits measured one by one, which any would do for."""
TAIL_SHARE = 0.1
MEDIAN_SQUARE = float(stats.chi2.median(1))
TAILS_SCALE = float(stats.norm.ppf(0.75) / stats.t.ppf(0.75, TAILS))


@dataclass(frozen=True)
class Scatter:
    """Standard deviation of each commit's level (..., n), and correlation of neighbours (...,)."""

    deviations: Array
    correlation: Array

    @property
    def inflation(self) -> Array:
        """By how much a mean of many neighbours errs more: the root of the long-run variance."""
        return np.asarray(np.sqrt(1 + self.correlation) / (1 - self.correlation))


def of(levels: Array, errors: Array, *, interleaved: bool) -> Scatter:
    """Estimate the scatter along the last axis of `levels` (..., n), given `errors` (n,)."""
    # The larger errors of commits that were measured badly must not stand for all.
    known = errors[1:] ** 2 + errors[:-1] ** 2
    steps = np.diff(levels, axis=-1)
    between = (np.median(steps**2, axis=-1) / MEDIAN_SQUARE - np.median(known)) / 2
    if interleaved:
        # In turn, commits have only what they are in them; a few steps among few differences
        # would make it look like far more.
        count = levels.shape[-1]
        worth = WORTH * (count - 1) if count >= FEW else 0.0
        between = (BELIEF * BETWEEN**2 + worth * between) / (BELIEF + worth)
    between = np.maximum(between, QUIETEST**2)
    correlation = np.full(levels.shape[:-1], 0.0 if interleaved else LEAST_CORRELATION)
    if not interleaved and levels.shape[-1] >= LEAST_FOR_CORRELATION:
        # From differences one and two apart: 2 s2 (1 - r) and 2 s2 (1 - r2).
        near = np.median(steps**2, axis=-1)
        far = np.median((levels[..., 2:] - levels[..., :-2]) ** 2, axis=-1)
        ratio = np.divide(far, near, out=np.ones_like(far), where=near > 0)
        correlation = np.clip(ratio - 1, LEAST_CORRELATION, LARGEST_CORRELATION)
    return Scatter(np.sqrt(errors**2 + between[..., None]), correlation)


def without_spikes(levels: Array, deviations: Array) -> Array:
    """Pull in what stands out of its neighbours' running median (Tukey); steps keep their edges.

    A single wild value costs little (Fearnhead and Rigaill, J. Am. Stat. Assoc. 114, 2019).
    """
    middle = running_median(levels)
    return np.clip(levels, middle - CLIP * deviations, middle + CLIP * deviations)


def running_median(levels: Array) -> Array:
    """Over `WINDOW` commits along the last axis, mirrored at the ends."""
    if levels.shape[-1] <= WINDOW // 2:
        return np.broadcast_to(np.median(levels, axis=-1, keepdims=True), levels.shape)
    size = (1,) * (levels.ndim - 1) + (WINDOW,)
    return np.asarray(ndimage.median_filter(levels, size, mode="mirror"))


def step_sizes(levels: Array, weights: Array, least: int) -> Array:
    """How many standard errors part the levels before and after commits `least` to n - `least`."""
    before, sums = np.cumsum(weights, axis=-1), np.cumsum(weights * levels, axis=-1)
    inner = slice(least - 1, levels.shape[-1] - least)
    return _distance(before[..., inner], sums[..., inner], before[..., -1:], sums[..., -1:])


def _distance(part: Array, part_sum: Array, whole: Array, whole_sum: Array) -> Array:
    """Standard errors between the mean of a part and of the rest, from their (weighted) sums."""
    rest = whole - part
    between = part_sum / part - (whole_sum - part_sum) / rest
    return np.asarray(np.abs(between) / np.sqrt(1 / part + 1 / rest))


@dataclass(frozen=True)
class Chance:
    """Largest steps, and distances of the last commit, in histories in which nothing changed."""

    largest: Array
    last: Array


def p_value(simulated: Array, size: float) -> float:
    """Share of simulated values of at least `size`; beyond them by a power law (Hill, 1975).

    Tails fitted to the largest ones reach further than one in so many (Knijnenburg et al.,
    Bioinformatics 25, 2009). A power law errs towards no alarm.
    """
    ordered = np.sort(simulated)
    count = max(10, int(TAIL_SHARE * len(ordered)))
    from_size = float(ordered[-count])
    if size <= from_size:
        return float((np.sum(ordered >= size) + 1) / (len(ordered) + 1))
    hill = float(np.mean(np.log(ordered[-count:] / from_size)))
    return float(count / len(ordered) * (size / from_size) ** (-1 / max(hill, 1e-3)))


def threshold(simulated: Array, level: float) -> float:
    """The size whose `p_value` is this level, of at most `TAIL_SHARE`."""
    ordered = np.sort(simulated)
    count = max(10, int(TAIL_SHARE * len(ordered)))
    from_size = float(ordered[-count])
    hill = float(np.mean(np.log(ordered[-count:] / from_size)))
    return float(from_size * (count / len(ordered) / level) ** max(hill, 1e-3))


def chance(errors: Array, seen: Scatter, freedom: int, *, interleaved: bool) -> Chance:
    """Simulate histories like one of this scatter in which nothing changed."""
    n = len(errors)
    between = float(np.sqrt(np.median(np.maximum(seen.deviations**2 - errors**2, QUIETEST**2))))
    # Rounded, so that like histories share one simulation.
    shares = np.round(errors / between, 1)
    if n > 60:
        shares = np.full(n, np.round(np.median(shares) * 2) / 2)
    # But for what is assumed to be the least, only the ratio matters.
    usual = round(between, 3) if interleaved else ALONE if between > 1.5 * QUIETEST else QUIETEST
    rounded = tuple(float(share) for share in np.minimum(shares, 50.0))
    return _simulated(
        rounded, min(freedom, 60), round(float(seen.correlation), 1), interleaved, usual
    )


@lru_cache(maxsize=512)
def _simulated(
    shares: tuple[float, ...], freedom: int, correlation: float, interleaved: bool, between: float
) -> Chance:
    n = len(shares)
    count = 2000 if n <= 60 else 400
    rng = np.random.default_rng(n)
    errors = np.array(shares) * between
    noise = TAILS_SCALE * rng.standard_t(TAILS, (count, n))
    if correlation > 0:
        fresh = np.sqrt(1 - correlation**2)
        noise = signal.lfilter([fresh], [1, -correlation], noise, axis=-1)
    # Errors are known up to their degrees of freedom only: the truth may be larger or smaller.
    truth = errors * np.sqrt(freedom / rng.chisquare(freedom, (count, 1)))
    levels = between * noise + truth * rng.standard_normal((count, n))
    scatter = of(levels, errors, interleaved=interleaved)
    tame = levels if interleaved else without_spikes(levels, scatter.deviations)
    weights = 1 / scatter.deviations**2
    sizes = step_sizes(tame, weights, 1 if interleaved else 2).max(axis=-1)
    sizes = np.maximum(sizes, _largest_block(tame, weights)) / scatter.inflation
    return Chance(sizes, last_distance(tame, levels, weights, scatter.inflation))


def _largest_block(levels: Array, weights: Array) -> Array:
    """The largest distance of a block of commits in the middle from all around it, in errors."""
    largest = np.zeros(levels.shape[:-1])
    both = np.cumsum([weights, weights * levels], axis=-1)
    before, sums = np.concatenate([np.zeros_like(both[..., :1]), both], axis=-1)
    for length in [one for one in BLOCKS if 2 * one < levels.shape[-1]]:
        inside = before[..., length:] - before[..., :-length]
        inside_sum = sums[..., length:] - sums[..., :-length]
        sizes = _distance(inside, inside_sum, before[..., -1:], sums[..., -1:])
        largest = np.maximum(largest, sizes.max(axis=-1))
    return largest


def last_distance(tame: Array, levels: Array, weights: Array, inflation: Array) -> Array:
    """Standard errors between the last commit, as measured, and the level of those before it."""
    before = weights[..., :-1].sum(axis=-1)
    level = (weights * tame)[..., :-1].sum(axis=-1) / before
    error = np.sqrt(1 / weights[..., -1] + inflation**2 / before)
    return np.asarray(np.abs(levels[..., -1] - level) / error)
