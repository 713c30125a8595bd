"""The cost model of one phase: a few coefficients one can read, and how times scatter around them.

A phase takes so many seconds once, per layer, per FLOP and per byte. What is paid whatever a
layer's size (the overhead) and what grows with the work (the compute) need not add up: a device
that overlaps them takes little more than the larger, the roofline. `softness` p tells how:
`(overhead^p + compute^p)^(1/p)` is the sum for 1 and the larger of the two for infinity.
Activations beyond a cache cost more; its size, and what has to fit into it, are fitted, too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from nnbench.costs.terms import NO_CACHE, OVERHEADS, SPILL, TERMS, Cache, Term, matrix
from nnbench.phases import STEP
from nnbench.stats.interval import Interval
from nnbench.workload.case import Case

CACHES = tuple(
    Cache(float(1 << power), single) for single in (False, True) for power in range(20, 27)
)
"""Those tried: 1 to 64 MiB."""

OCCASION = 0.04
"""Standard deviation of what a machine is like at another time, on a log scale: no calibration of a
few minutes shows it. The same trainings, of 12 x 5 launches, seven times within half an hour, were
off together by 1.4 % (a step) to 3.3 % (compiling); on another day by a fifth."""

RESAMPLES = 60
LEAST_CASES = 8
SOFTEST = 8.0

LEAST_SHARE = 1e-3
"""A term that is nowhere a larger part of the time is taken to cost nothing."""

LEAST_NOISE = 0.01
"""Repeated timings of one case differ by at least 1 % here: less would be overfitted."""

FAR = 3.0
"""Residuals further than so many robust standard deviations from the median are drawn nearer."""

LARGEST_REACH = 1e6
"""An interval reaches from a value divided by this to a value times it, at most."""

Array = NDArray[np.float64]


class TooFewCasesError(Exception):
    """A phase was timed for too few cases to fit a model."""


def around(value: float, log_reach: float) -> Interval:
    """The interval of a positive value whose logarithm is known to within `log_reach`."""
    # Of a few times nothing may be known at all: so much is said, and no more than floats hold.
    reach = math.exp(min(log_reach, math.log(LARGEST_REACH)))
    return Interval(value, value / reach, value * reach)


@dataclass(frozen=True)
class Predicted:
    """A predicted duration.

    `deviation` is that of its natural logarithm, `launch_effect` the part of it that all phases of
    a launch share. `overhead_share` is of what the coefficients say.
    """

    seconds: Interval
    deviation: float
    launch_effect: float
    overhead_share: float


@dataclass(frozen=True)
class Scatter:
    """How the logarithms of times scatter around what the coefficients say.

    `launch_effect` is the standard deviation of what all times of one launch share (processes of
    one program differ), `noise` that of each time by itself. `inflation` widens both until 95 % of
    the times lie as near to what is predicted of them without them as they should.
    """

    noise: float
    launch_effect: float
    inflation: float = 1.0

    @property
    def single(self) -> float:
        """The standard deviation of a time in a new launch."""
        return math.hypot(self.noise, self.launch_effect)

    @classmethod
    def of(cls, residuals: Array, launches: Sequence[str], leverages: Array | float = 0.0) -> Self:
        """Estimate it by the analysis of variance of launches (Searle 1992, chapter 3).

        `leverages` say how much each time drew the coefficients to itself. A residual far from all
        others was noisy: it counts for `inflation`, not for the deviations. Without `launches`, or
        with one, there is no launch effect.
        """
        free = _near(residuals / np.sqrt(1 - leverages))
        names = np.array(launches)
        groups = [free[names == name] for name in np.unique(names)] or [free]
        sizes = np.array([len(group) for group in groups])
        within = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
        variance = within / max(1, len(free) - len(groups))
        launch_effect = 0.0
        if len(groups) > 1:
            means = np.array([group.mean() for group in groups])
            between = float(np.sum(sizes * (means - free.mean()) ** 2)) / (len(groups) - 1)
            size = (len(free) - np.sum(sizes**2) / len(free)) / (len(groups) - 1)
            launch_effect = math.sqrt(max(0.0, between - variance) / size)
        found = cls(max(math.sqrt(variance), LEAST_NOISE), launch_effect)
        expected = np.hypot(found.single, found.noise * np.sqrt(leverages / (1 - leverages)))
        misses = np.abs(residuals / (1 - leverages)) / expected
        return replace(found, inflation=max(1.0, float(np.quantile(misses, 0.95)) / 1.96))


def _near(values: Array) -> Array:
    middle = float(np.median(values))
    deviation = float(stats.median_abs_deviation(values, scale="normal"))
    reach = FAR * max(deviation, LEAST_NOISE)
    return np.clip(values, middle - reach, middle + reach)


@dataclass(frozen=True)
class PhaseModel:
    """A fitted phase; `cases` and `times_s` are what it was fitted to.

    `coefficients` are what one unit of each term costs, in seconds. `draws` (resamples + 1, terms)
    are those of the bootstrap, the fitted ones first:
    what one of them takes from another is in them. `covariance` (terms, terms) says how well all
    of them are known together, for predictions and for the choice of what to time next.
    `leverages` say how much each time drew the coefficients to itself, from 0 to 1.
    """

    phase: str
    cases: Sequence[Case]
    times_s: Array
    coefficients: Mapping[Term, Interval]
    softness: float
    scatter: Scatter
    known_s: Array
    draws: Array
    covariance: Array
    leverages: Array
    cache: Cache = NO_CACHE

    @classmethod
    def fit(
        cls,
        phase: str,
        cases: Sequence[Case],
        times_s: Array,
        known_s: Array | None = None,
        launches: Sequence[str] = (),
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Self:
        """Fit to one time a case and launch, in seconds; the same case may come again.

        `known_s` is the part of each time that other models explain: coefficients are of what
        comes on top. They are not negative and minimise the residuals of the logarithm of the
        whole, so that a small network counts as much as a large one; wild values pull little
        (soft L1). Their intervals are of the bootstrap over cases. `launches` names the launch of
        each time. Raises TooFewCasesError below 8 times.
        """
        if len(cases) < LEAST_CASES:
            raise TooFewCasesError(f"{phase}: {len(cases)} times, {LEAST_CASES} are needed")
        known_s = np.zeros(len(cases)) if known_s is None else known_s
        cache = _cache(phase, cases, times_s, known_s)
        counts = matrix(cases, phase, cache)
        values, softness, _ = _coefficients(phase, counts, times_s, known_s)
        rng = np.random.default_rng(seed)
        draws = [values]
        for _ in range(resamples):
            chosen = rng.integers(0, len(cases), len(cases))
            drawn = counts[chosen], times_s[chosen], known_s[chosen]
            draws.append(_coefficients(phase, *drawn, softness)[0])
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        ends = np.transpose([values, np.minimum(values, low), np.maximum(values, high)]).tolist()
        left = np.log(times_s / (known_s + _combine(phase, counts, values, softness)[0]))
        slopes = _slopes(phase, counts, values, softness, known_s)
        first = Scatter.of(left, launches)
        # A coefficient that is 0 stays there when a time is left out.
        free = slopes[:, values > 0]
        known = _covariance(free, first.single)
        leverages = np.einsum("ij,jk,ik->i", free, known, free) / first.single**2
        scatter = Scatter.of(left, launches, leverages)
        return cls(
            phase,
            cases,
            times_s,
            {term: Interval(*end) for term, end in zip(TERMS[phase], ends, strict=True)},
            softness,
            scatter,
            known_s,
            np.array(draws),
            _covariance(slopes, scatter.single),
            leverages,
            cache,
        )

    def plain_s(
        self, cases: Sequence[Case], known_s: Array | float = 0.0
    ) -> tuple[Array, Array, Array]:
        """What the coefficients say, in seconds: the whole, its overhead, its compute.

        `known_s` is what another model explains of it, a part of the whole only.
        """
        counts = matrix(cases, self.phase, self.cache)
        whole, overhead, compute = _combine(self.phase, counts, self.draws[0], self.softness)
        return known_s + whole, overhead, compute

    def drawn_s(self, cases: Sequence[Case]) -> tuple[Array, Array, Array]:
        """What each draw of the coefficients says, as in `plain_s`, each (draws, cases)."""
        counts = matrix(cases, self.phase, self.cache)
        return _combine(self.phase, counts, self.draws, self.softness)

    def predict(self, case: Case, known_s: float = 0.0) -> Predicted:
        """A case's time; `known_s` as in `plain_s`."""
        whole, overhead, compute = (float(each[0]) for each in self.plain_s([case], known_s))
        single = self.scatter.inflation * self.scatter.single
        unknown = math.sqrt(float(self.unknown([case], known_s)[0, 0]))
        deviation = math.hypot(single, unknown, OCCASION)
        both = overhead + compute
        return Predicted(
            around(whole, self.quantile * deviation),
            deviation,
            math.hypot(self.scatter.inflation * self.scatter.launch_effect, OCCASION),
            overhead / both if both > 0 else 0.0,
        )

    def ratio(self, one: Case, other: Case) -> Interval:
        """Time of `one` / time of `other`.

        Two networks that are alike err alike: the ratio is surer than either time. Its interval
        holds what is unknown of the coefficients, and the noise of each of the two: a network
        timed again takes the same within some per cent, so most of that noise is what its widths
        have of their own (how a product of such sides is computed).
        """
        whole_s = self.plain_s([one, other])[0]
        unknown = self.unknown([one, other])
        variance = float(unknown[0, 0] + unknown[1, 1] - 2 * unknown[0, 1])
        own = 0.0 if one == other else 2 * (self.scatter.inflation * self.scatter.noise) ** 2
        deviation = math.sqrt(max(variance, 0.0) + own)
        return around(float(whole_s[0] / whole_s[1]), self.quantile * deviation)

    def unknown(self, cases: Sequence[Case], known_s: float = 0.0) -> Array:
        """Covariance of the logarithms of times by what is unknown of the coefficients, (n, n)."""
        counts = matrix(cases, self.phase, self.cache)
        slopes = _slopes(self.phase, counts, self.draws[0], self.softness, known_s)
        found: Array = slopes @ self.covariance @ slopes.T
        return found

    def residuals(self) -> Array:
        """Measured / predicted by the coefficients, minus 1, one a time."""
        return self.times_s / self.plain_s(self.cases, self.known_s)[0] - 1

    def left_out_errors(self) -> Array:
        """Predicted / measured of each time from all others, minus 1."""
        found: Array = (1 + self.residuals()) ** (-1 / (1 - self.leverages)) - 1
        return found

    def left_out_deviations(self) -> Array:
        """The deviation of the logarithm of each, as it is predicted."""
        unknown = self.scatter.noise * np.sqrt(self.leverages / (1 - self.leverages))
        return np.hypot(self.scatter.inflation * self.scatter.single, unknown)

    @property
    def median_error(self) -> float:
        """The median of `left_out_errors`, whatever their sign."""
        return float(np.median(np.abs(self.left_out_errors())))

    @property
    def worst_error(self) -> float:
        """Their 95th percentile."""
        return float(np.quantile(np.abs(self.left_out_errors()), 0.95))

    @property
    def quantile(self) -> float:
        """How many deviations a 95 % interval reaches."""
        freedom = max(1, len(self.times_s) - len(self.coefficients))
        return float(stats.t.ppf(0.975, freedom))


def _combine(
    phase: str, counts: Array, values: Array, softness: float
) -> tuple[Array, Array, Array]:
    """The whole, its overhead and its compute, of coefficients (..., terms): (..., cases)."""
    fixed = np.array([term in OVERHEADS for term in TERMS[phase]])
    overhead = values[..., fixed] @ counts[:, fixed].T
    compute = values[..., ~fixed] @ counts[:, ~fixed].T
    largest = np.maximum(np.maximum(overhead, compute), 1e-12)
    scaled = (overhead / largest) ** softness + (compute / largest) ** softness
    return np.maximum(largest * scaled ** (1 / softness), 1e-9), overhead, compute


def _slopes(
    phase: str, counts: Array, values: Array, softness: float, known_s: Array | float
) -> Array:
    """By how much the logarithm of each time grows with each coefficient, shape of `counts`."""
    whole, overhead, compute = _combine(phase, counts, values, softness)
    fixed = np.array([term in OVERHEADS for term in TERMS[phase]])
    part = np.where(fixed[None, :], overhead[:, None], compute[:, None])
    slopes: Array = counts * (part / whole[:, None]) ** (softness - 1)
    return slopes / (known_s + whole)[:, None]


def _covariance(slopes: Array, deviation: float) -> Array:
    """What times that scatter by `deviation` leave unknown of the coefficients.

    They are told by the times, and by the belief that none of them is more than about the whole
    of the time that it takes most of.
    """
    scale = np.abs(slopes).max(axis=0)
    scale[scale == 0] = 1.0
    scaled = slopes / scale
    inverse = linalg.inv(scaled.T @ scaled / deviation**2 + np.eye(slopes.shape[1]))
    found: Array = inverse / np.outer(scale, scale)
    return found


def _cache(phase: str, cases: Sequence[Case], times_s: Array, known_s: Array) -> Cache:
    """The cache that explains the times best."""
    if SPILL not in TERMS[phase]:
        return NO_CACHE
    return min(
        CACHES,
        key=lambda one: _coefficients(phase, matrix(cases, phase, one), times_s, known_s)[2],
    )


def _coefficients(
    phase: str,
    counts: Array,
    times_s: Array,
    known_s: Array,
    softness: float | None = None,
) -> tuple[Array, float, float]:
    """Least squares of the logarithm from a non-negative start; softness fitted for steps only.

    Returns coefficients, softness and the loss that is left.
    """
    scale = counts.max(axis=0)
    scale[scale == 0] = 1.0
    weighted = counts / scale / times_s[:, None]
    start, _ = optimize.nnls(weighted, np.maximum(1 - known_s / times_s, 0))
    soft = phase == STEP and softness is None
    fixed = 1.0 if softness is None else softness

    def residuals(parameters: Array) -> Array:
        values = parameters[: counts.shape[1]] / scale
        power = parameters[-1] if soft else fixed
        return np.log((known_s + _combine(phase, counts, values, power)[0]) / times_s)

    # From exactly 0 the gradient of a logarithm may be lost.
    begin = np.maximum(start, 1e-6 * max(start.max(), 1e-9))
    upper = [np.inf] * counts.shape[1]
    low = [0.0] * counts.shape[1]
    if soft:
        begin, low, upper = np.append(begin, 1.5), [*low, 1.0], [*upper, SOFTEST]
    found = optimize.least_squares(
        residuals,
        begin,
        bounds=(low, upper),
        loss="soft_l1",
        f_scale=0.1,
        x_scale=np.maximum(begin, 1e-9),
    )
    values = found.x[: counts.shape[1]]
    # Costs that no network here notices, or has, are said to be none.
    noticed = (weighted * values).max(axis=0) >= LEAST_SHARE
    values = np.where(noticed, values, 0.0)
    return values / scale, float(found.x[-1]) if soft else fixed, float(found.cost)
