"""Estimates with intervals, from samples nested in blocks nested in launches.

Pure functions on arrays. Times are compared as ratios, so everything is done on logarithms and
an interval is wider above the estimate than below it.
"""

import functools
import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from nnbench.stats.interval import CONFIDENCE, Interval

AT_ONCE = 1000
"""Rows that are resampled together: each takes 50 kB meanwhile."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate(Interval):
    """A positive quantity with its interval and what stands behind it.

    `low` and `high` are NaN when there is one unit only: a single value has no known spread.
    `log_error` is the standard error of the logarithm of `value`: half the width of the
    interval's logarithm, divided by the quantile of Student's t.
    """

    samples: int
    blocks: int
    launches: int
    log_error: float = math.nan
    confidence: float = CONFIDENCE

    @property
    def inverse(self) -> "Estimate":
        """The same of the other side of a ratio."""
        return replace(self, value=1 / self.value, low=1 / self.high, high=1 / self.low)

    @property
    def degrees_of_freedom(self) -> int:
        """Of the interval's t distribution: launches less one, or the blocks of a single one."""
        return (self.launches if self.launches > 1 else self.blocks) - 1


def hodges_lehmann(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of all pairwise means along the last axis.

    As robust against a bad launch as a median needs to be here (29 % of wild values) and nearly
    as precise as a mean for normal ones (efficiency 0.95). Source: Hodges and Lehmann,
    "Estimates of location based on rank tests", Ann. Math. Statist. 34 (1963).
    """
    return np.asarray(np.median(_pairwise_means(values), axis=-1))


def _pairwise_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second = np.triu_indices(values.shape[-1])
    return np.asarray((values[..., first] + values[..., second]) / 2)


def nested_estimate(
    values: ArrayLike, launches: ArrayLike, *, samples: int | None = None
) -> Estimate:
    """Estimate a positive quantity from one value a block, blocks nested in launches.

    `values` (n,) holds one value per block (already a median of its samples), `launches` (n,)
    the launch of each. Every launch is reduced to the median of its blocks (in nested data only
    the highest level says how far another measurement would be: Davison and Hinkley, "Bootstrap
    Methods and their Application", 1997, section 3.8); the estimate is the Hodges-Lehmann centre
    of the launches' logarithms.

    From six launches on the interval is that of the signed-rank test (see `signed_rank_bounds`),
    which covers as often as it says however heavy the tails are. Fewer launches have none at
    95 %: there the standard error is that of the bootstrap that draws whole launches, of which
    all draws are few enough to be taken, and is multiplied by Student's t (Hesterberg, "What
    Teachers Should Know About the Bootstrap", Am. Stat. 69, 2015), since percentile intervals from
    five launches would be much too narrow. With one launch its blocks are drawn instead, and the
    spread between launches stays unknown.

    Raises ValueError for no values and for values that are not positive.
    """
    observed = np.asarray(values, dtype=np.float64)
    names = np.unique(np.asarray(launches))
    units = _launch_logs(observed, launches if len(names) > 1 else np.arange(len(observed)))
    centre, low, high, error = (float(one[0]) for one in _centres(units[None]))
    interval = math.exp(centre), math.exp(low), math.exp(high)
    counts = len(observed) if samples is None else samples, len(observed), len(names)
    return Estimate(*interval, *counts, error)


def nested_difference(values: ArrayLike, launches: ArrayLike) -> Interval:
    """The same for a quantity of any sign, such as a difference: not on logarithms."""
    observed, launch_of = np.asarray(values, dtype=np.float64), np.asarray(launches)
    names = np.unique(launch_of)
    several = len(names) > 1
    medians = [np.median(observed[launch_of == name]) for name in names]
    units = np.array(medians) if several else observed
    centre, low, high, _ = (float(one[0]) for one in _centres(units[None]))
    return Interval(centre, low, high)


def centres(logs: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """`nested_estimate` of many series at once: value, low and high of each row of `logs` (m, n).

    A row holds the logarithms of n launches, each the median of its blocks.
    """
    centre, low, high, _ = _centres(logs)
    return np.exp(centre), np.exp(low), np.exp(high)


def _centres(units: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Centre, lower and upper end and standard error of each row of `units` (m, n)."""
    count = units.shape[-1]
    means = np.sort(_pairwise_means(units), axis=-1)
    centre = np.median(means, axis=-1)
    quantile = student_quantile(count - 1)
    ends = _signed_rank_ends(means, count)
    if ends is None:
        error = _bootstrap_error(units)
        return centre, centre - error * quantile, centre + error * quantile, error
    return centre, *ends, (ends[1] - ends[0]) / 2 / quantile


def student_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """How many standard errors an interval of Student's t reaches to either side."""
    return float(special.stdtrit(max(1, degrees), (1 + confidence) / 2))


def centre(values: ArrayLike) -> Interval:
    """The centre of what may be zero or negative, of `values` (n,), one a launch.

    Hodges-Lehmann's, with its interval as in `nested_estimate`, but not on logarithms; without one
    for a single value. Raises ValueError for no values.
    """
    units = np.asarray(values, dtype=np.float64)
    if units.size == 0:
        raise ValueError("an estimate needs at least one value")
    found, low, high, _ = (float(one[0]) for one in _centres(units[None]))
    return Interval(found, low, high)


def signed_rank_bounds(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """The interval of Wilcoxon's signed-rank test around the centre of `values` (n,).

    Its ends are two of the ordered pairwise means, so it holds their median, the Hodges-Lehmann
    centre. It supposes that values are symmetric about the centre, as ratios of two equal sides
    are, and nothing else of their distribution. Possible levels are few when n is small: the
    interval is interpolated between the two around 95 %, linearly in the level. Source: Hollander,
    Wolfe and Chicken, "Nonparametric Statistical Methods" (2013), section 3.3. None where no
    level is as high as 95 %: for fewer than six values.
    """
    ends = _signed_rank_ends(np.sort(_pairwise_means(values)), len(values))
    return None if ends is None else (float(ends[0]), float(ends[1]))


def _signed_rank_ends(
    means: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The same of the ordered pairwise means of `count` values, along the last axis."""
    below = _signed_rank_tail(count)
    wanted = (1 - CONFIDENCE) / 2
    inner = int(np.searchsorted(below, wanted, side="right"))
    if inner == 0:
        return None
    share = (wanted - below[inner - 1]) / (below[inner] - below[inner - 1])
    low = (1 - share) * means[..., inner - 1] + share * means[..., inner]
    high = (1 - share) * means[..., -inner] + share * means[..., -inner - 1]
    return low, high


@functools.cache
def _signed_rank_tail(count: int) -> NDArray[np.float64]:
    """Probabilities that the signed-rank sum of `count` values is at most 0, 1, 2, ..."""
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, count + 1):
        ways[rank:] += ways[:-rank].copy()
    return np.asarray(np.cumsum(ways) / ways.sum())


def unpaired_ratio(
    first: ArrayLike, first_launches: ArrayLike, second: ArrayLike, second_launches: ArrayLike
) -> Estimate:
    """Estimate second / first from two sets of launches that share nothing, blocks nested in each.

    The centre is the two-sample Hodges-Lehmann shift of the launches' log medians (the median of
    all differences); its error comes from drawing launches on each side, and the degrees of
    freedom are those of the side with fewer launches, which errs on the wide side. What differed
    between the two occasions (the machine's speed) is not in the interval: prefer paired ratios.
    Raises ValueError as `nested_estimate` does, and for fewer than two launches on a side.
    """
    before = _launch_logs(first, first_launches)
    after = _launch_logs(second, second_launches)
    fewest = min(len(before), len(after))
    if fewest < 2:
        raise ValueError("two launches on each side are needed to compare separate runs")
    centre = float(np.median(np.subtract.outer(after, before)))
    generator = np.random.default_rng(0)
    draws_before = generator.choice(before, (RESAMPLES, len(before)))
    draws_after = generator.choice(after, (RESAMPLES, len(after)))
    shifts = np.median(draws_after[:, :, None] - draws_before[:, None, :], axis=(1, 2))
    error = float(np.std(shifts))
    half_width = error * student_quantile(fewest - 1)
    low, high = math.exp(centre - half_width), math.exp(centre + half_width)
    samples = np.size(first) + np.size(second)
    return Estimate(math.exp(centre), low, high, samples, fewest, fewest, error)


def _launch_logs(values: ArrayLike, launches: ArrayLike) -> NDArray[np.float64]:
    observed, launch_of = np.asarray(values, dtype=np.float64), np.asarray(launches)
    if observed.size == 0 or not np.all(observed > 0) or not np.all(np.isfinite(observed)):
        raise ValueError("an estimate needs at least one value, all of them positive")
    logs = np.log(observed)
    return np.array([np.median(logs[launch_of == name]) for name in np.unique(launch_of)])


def _bootstrap_error(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation of the centre over all draws of n of a row's n units; n is below 6.

    Draws that differ in their order only are one, weighted by how many orders there are. Source:
    Fisher and Hall, "Bootstrap algorithms for small samples", J. Stat. Plan. Inference 27 (1991).
    """
    count = units.shape[-1]
    if count < 2:
        return np.full(units.shape[:-1], math.nan)
    if units.ndim > 1 and len(units) > AT_ONCE:
        parts = (units[start : start + AT_ONCE] for start in range(0, len(units), AT_ONCE))
        return np.concatenate([_bootstrap_error(part) for part in parts])
    draws, weights = _all_draws(count)
    found = hodges_lehmann(units[..., draws])
    middle = found @ weights
    return np.asarray(np.sqrt(((found - middle[..., None]) ** 2) @ weights))


@functools.cache
def _all_draws(count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every draw of `count` of as many with putting back, but for order, and its probability."""
    draws = np.array(list(itertools.combinations_with_replacement(range(count), count)))
    repeats = [np.bincount(draw, minlength=count) for draw in draws]
    orders = [math.factorial(count) / math.prod(map(math.factorial, one)) for one in repeats]
    return draws, np.array(orders) / count**count


def steady_from(series_s: ArrayLike) -> int:
    """Where a series of durations has reached its steady state: the first index to keep.

    MSER, the marginal standard error rule: cut where the standard error of the mean of what
    remains is least, at most half of the series (White, "An effective truncation heuristic for
    bias reduction in simulation output", Simulation 69, 1997). Values beyond five median
    absolute deviations are pulled in first, so that one hiccup does not pass for a warm-up.
    """
    series = np.asarray(series_s, dtype=np.float64)
    if len(series) < 4:
        return 0
    middle = np.median(series)
    spread = 5 * 1.4826 * np.median(np.abs(series - middle))
    tame = np.clip(series - middle, -spread, spread)[::-1]
    # Of what remains after each cut: its length, its mean and the mean of its squares.
    left = np.arange(1, len(tame) + 1)
    variances = np.cumsum(tame**2) / left - (np.cumsum(tame) / left) ** 2
    errors = (np.maximum(variances, 0) / left)[::-1]
    return int(np.argmin(errors[: len(series) // 2 + 1]))


def steady_median(series_s: ArrayLike) -> float:
    """The median of the steady part of a series, in the series' unit."""
    series = np.asarray(series_s, dtype=np.float64)
    return float(np.median(series[steady_from(series) :]))
