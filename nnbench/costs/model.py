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

OCCASION = 0.04
"""Standard deviation of what a machine is like at another time, on a log scale: no calibration of a
few minutes shows it. The same trainings, of 12 x 5 launches, seven times within half an hour, were
off together by 1.4 % (a step) to 3.3 % (compiling); on another day by a fifth."""

LEAST_CASES = 8
SOFTEST = 8.0

LEAST_SHARE = 1e-3
"""A term that is nowhere a larger part of the time is taken to cost nothing."""

LEAST_NOISE = 0.01
"""Repeated timings of one case differ by at least 1 % here: less would be overfitted."""

FAR = 3.0
"""Residuals further than so many robust standard deviations from the median are drawn nearer."""

LARGEST_REACH = 1e6

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
    """A duration; `deviation` is of its logarithm, `launch_effect` the part that phases share."""

    seconds: Interval
    deviation: float
    launch_effect: float
    overhead_share: float


@dataclass(frozen=True)
class Scatter:
    """How the logarithms of times scatter around what the coefficients say.

    `launch_effect` is the standard deviation of what the times of a launch share, `noise` that of
    each by itself. `inflation` widens both until 95 % of the left-out times lie within.
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

        A residual far from all others was noisy: it counts for `inflation`, not for the deviations.
        """
        free = residuals / np.sqrt(1 - leverages)
        middle = np.median(free)
        reach = FAR * max(stats.median_abs_deviation(free, scale="normal"), LEAST_NOISE)
        free = np.clip(free, middle - reach, middle + reach)
        launch = np.unique(launches or [""] * len(free), return_inverse=True)[1]
        sizes = np.bincount(launch)
        means = np.bincount(launch, free) / sizes
        count, others = len(free), len(sizes) - 1
        variance = float(np.sum((free - means[launch]) ** 2)) / max(1, count - others - 1)
        launch_effect = 0.0
        if others:
            between = float(np.sum(sizes * (means - free.mean()) ** 2)) / others
            size = (count - np.sum(sizes**2) / count) / others
            launch_effect = math.sqrt(max(0.0, between - variance) / size)
        found = cls(max(math.sqrt(variance), LEAST_NOISE), launch_effect)
        expected = np.hypot(found.single, found.noise * np.sqrt(leverages / (1 - leverages)))
        misses = np.abs(residuals / (1 - leverages)) / expected
        return replace(found, inflation=max(1.0, float(np.quantile(misses, 0.95)) / 1.96))


@dataclass(frozen=True)
class PhaseModel:
    """A fitted phase; `cases` and `times_s` are what it was fitted to.

    `coefficients` are seconds for a unit of each term, `covariance` (terms, terms) how well they
    are known. `leverages`: how much each time drew the coefficients to itself, from 0 to 1.
    """

    phase: str
    cases: Sequence[Case]
    times_s: Array
    coefficients: Mapping[Term, Interval]
    softness: float
    scatter: Scatter
    known_s: Array
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
    ) -> Self:
        """Fit to one time a case and launch, in seconds; the same case may come again.

        `known_s` is the part of each time that other models explain. Coefficients, of the rest, are
        not negative and minimise residuals of the logarithm of the whole: small networks count as
        much as large ones, wild values little (soft L1). Raises TooFewCasesError below 8 times.
        """
        if len(cases) < LEAST_CASES:
            raise TooFewCasesError(f"{phase}: {len(cases)} times, {LEAST_CASES} are needed")
        known_s = np.zeros(len(cases)) if known_s is None else known_s
        fits = {
            one: _coefficients(phase, matrix(cases, phase, one), times_s, known_s)
            for one in (CACHES if SPILL in TERMS[phase] else (NO_CACHE,))
        }
        cache = min(fits, key=lambda one: fits[one][2])
        counts, (values, softness, _) = matrix(cases, phase, cache), fits[cache]
        left = np.log(times_s / (known_s + _combine(phase, counts, values, softness)[0]))
        slopes = _slopes(phase, counts, values, softness, known_s)
        first = Scatter.of(left, launches)
        # A coefficient that is 0 stays there when a time is left out.
        free = slopes[:, values > 0]
        known = _covariance(free, first.single)
        leverages = np.einsum("ij,jk,ik->i", free, known, free) / first.single**2
        scatter = Scatter.of(left, launches, leverages)
        covariance = _covariance(slopes, scatter.single)
        quantile = _quantile(len(cases), len(values))
        reach = np.where(values > 0, quantile * scatter.inflation * np.sqrt(np.diag(covariance)), 0)
        ends = np.transpose([values, np.maximum(values - reach, 0), values + reach]).tolist()
        costs_s = {term: Interval(*each) for term, each in zip(TERMS[phase], ends, strict=True)}
        return cls(
            phase, cases, times_s, costs_s, softness, scatter, known_s, covariance, leverages, cache
        )

    @property
    def values(self) -> Array:
        """The coefficients alone, in the terms' order."""
        return np.array([cost_s.value for cost_s in self.coefficients.values()])

    def plain_s(
        self, cases: Sequence[Case], known_s: Array | float = 0.0
    ) -> tuple[Array, Array, Array]:
        """The whole with `known_s` (what another model explains), overhead, compute, in seconds."""
        counts = matrix(cases, self.phase, self.cache)
        whole, overhead, compute = _combine(self.phase, counts, self.values, self.softness)
        return known_s + whole, overhead, compute

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
        """Time of `one` / `other`: alike networks err alike, but each width has its own noise."""
        whole_s = self.plain_s([one, other])[0]
        unknown = self.unknown([one, other])
        variance = float(unknown[0, 0] + unknown[1, 1] - 2 * unknown[0, 1])
        own = 0.0 if one == other else 2 * (self.scatter.inflation * self.scatter.noise) ** 2
        deviation = math.sqrt(max(variance, 0.0) + own)
        return around(float(whole_s[0] / whole_s[1]), self.quantile * deviation)

    def compute_by_overhead(self, case: Case) -> Interval:
        """The compute of a case / its overhead, by the coefficients."""
        overhead, compute = (max(each[0], 1e-12) for each in self.plain_s([case])[1:])
        signed = np.where(_is_overhead(self.phase), -1 / overhead, 1 / compute)
        slopes = matrix([case], self.phase, self.cache)[0] * signed
        unknown = math.sqrt(float(slopes @ self.covariance @ slopes))
        return around(float(compute / overhead), self.quantile * unknown)

    def unknown(self, cases: Sequence[Case], known_s: float = 0.0) -> Array:
        """Covariance of the logarithms of times by what is unknown of the coefficients, (n, n)."""
        counts = matrix(cases, self.phase, self.cache)
        slopes = _slopes(self.phase, counts, self.values, self.softness, known_s)
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

    def left_out_error(self, share: float = 0.5) -> float:
        """That which so large a share of `left_out_errors` stays below, whatever their sign."""
        return float(np.quantile(np.abs(self.left_out_errors()), share))

    @property
    def quantile(self) -> float:
        """How many deviations a 95 % interval reaches."""
        return _quantile(len(self.times_s), len(self.coefficients))


def _quantile(times: int, terms: int) -> float:
    return float(stats.t.ppf(0.975, max(1, times - terms)))


def _is_overhead(phase: str) -> NDArray[np.bool_]:
    return np.array([term in OVERHEADS for term in TERMS[phase]])


def _combine(
    phase: str, counts: Array, values: Array, softness: float
) -> tuple[Array, Array, Array]:
    """The whole, its overhead and its compute, of coefficients (..., terms): (..., cases)."""
    fixed = _is_overhead(phase)
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
    part = np.where(_is_overhead(phase)[None, :], overhead[:, None], compute[:, None])
    slopes: Array = counts * (part / whole[:, None]) ** (softness - 1)
    return slopes / (known_s + whole)[:, None]


def _covariance(slopes: Array, deviation: float) -> Array:
    """By a prior: no coefficient is more than about the whole of the time that it takes most of."""
    scale = np.abs(slopes).max(axis=0)
    scale[scale == 0] = 1.0
    scaled = slopes / scale
    inverse = linalg.inv(scaled.T @ scaled / deviation**2 + np.eye(slopes.shape[1]))
    found: Array = inverse / np.outer(scale, scale)
    return found


def _coefficients(
    phase: str, counts: Array, times_s: Array, known_s: Array
) -> tuple[Array, float, float]:
    """Coefficients, softness (fitted for steps only) and the loss left by least squares."""
    scale = counts.max(axis=0)
    scale[scale == 0] = 1.0
    weighted = counts / scale / times_s[:, None]
    start, _ = optimize.nnls(weighted, np.maximum(1 - known_s / times_s, 0))
    soft, terms = phase == STEP, counts.shape[1]

    def residuals(parameters: Array) -> Array:
        power = parameters[-1] if soft else 1.0
        whole_s = known_s + _combine(phase, counts, parameters[:terms] / scale, power)[0]
        return np.log(whole_s / times_s)

    # From exactly 0 the gradient of a logarithm may be lost.
    begin = np.maximum(start, 1e-6 * max(start.max(), 1e-9))
    low, upper = [0.0] * terms, [np.inf] * terms
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
    values = found.x[:terms]
    # Costs that no network here notices, or has, are said to be none.
    noticed = (weighted * values).max(axis=0) >= LEAST_SHARE
    values = np.where(noticed, values, 0.0)
    return values / scale, float(found.x[-1]) if soft else 1.0, float(found.cost)
