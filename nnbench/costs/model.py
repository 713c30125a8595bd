"""The cost model of one phase: a few coefficients one can read, and what they leave.

A phase takes so many seconds once, per layer, per FLOP and per byte. What is paid whatever a
layer's size (the overhead) and what grows with the work (the compute) need not add up: a device
that overlaps them takes little more than the larger, the roofline. `softness` p tells how:
`(overhead^p + compute^p)^(1/p)` is the sum for 1 and the larger of the two for infinity.
Activations beyond a cache cost more; its size, and what has to fit into it, are fitted, too. What
coefficients cannot say is left to a Gaussian process on the residuals.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from nnbench.costs.residual_process import Surrogate
from nnbench.costs.terms import NO_CACHE, OVERHEADS, SPILL, TERMS, Cache, Term, matrix, place
from nnbench.phases import STEP
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

Array = NDArray[np.float64]


class TooFewCasesError(Exception):
    """A phase was timed for too few cases to fit a model."""


@dataclass(frozen=True)
class Coefficient:
    """What one unit of a term costs, in seconds, with its 95 % interval."""

    term: Term
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Predicted:
    """A predicted duration.

    `deviation` is that of its natural logarithm, `mood` the part of it that is the launch's and
    the occasion's, and with it of all phases together.
    """

    value_s: float
    deviation: float
    mood: float
    overhead_s: float
    compute_s: float


@dataclass(frozen=True)
class PhaseModel:
    """A fitted phase; `cases` and `times_s` are what it was fitted to.

    `draws` (resamples + 1, terms) are the coefficients of the bootstrap, the fitted ones first:
    what one of them takes from another is in them. `covariance` (terms, terms) says how well all
    of them are known together, for predictions and for the choice of what to time next.
    """

    phase: str
    cases: Sequence[Case]
    times_s: Array
    coefficients: tuple[Coefficient, ...]
    softness: float
    surrogate: Surrogate
    known_s: Array
    draws: Array
    covariance: Array
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
        each time: what all times of one have in common is taken for its mood, not for the cases'.
        Raises TooFewCasesError below 8 times.
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
        coefficients = tuple(
            Coefficient(term, float(value), float(min(value, least)), float(max(value, most)))
            for term, value, least, most in zip(TERMS[phase], values, low, high, strict=True)
        )
        whole_s = known_s + _combine(phase, counts, values, softness)[0]
        left = np.log(times_s) - np.log(whole_s)
        places = np.array([place(case) for case in cases])
        numbers = np.unique(launches, return_inverse=True)[1] if len(launches) else None
        surrogate = Surrogate.fit(places, left, len(values), numbers)
        return cls(
            *(phase, cases, times_s, coefficients, softness, surrogate, known_s),
            np.array(draws),
            _covariance(_slopes(phase, counts, values, softness, known_s), surrogate),
            cache,
        )

    def plain_s(
        self, cases: Sequence[Case], known_s: Array | float = 0.0
    ) -> tuple[Array, Array, Array]:
        """What the coefficients alone say, in seconds: the whole, its overhead, its compute.

        `known_s` is what another model explains of it, a part of the whole only.
        """
        values = np.array([each.value for each in self.coefficients])
        counts = matrix(cases, self.phase, self.cache)
        whole, overhead, compute = _combine(self.phase, counts, values, self.softness)
        return known_s + whole, overhead, compute

    def drawn_s(self, cases: Sequence[Case]) -> tuple[Array, Array, Array]:
        """What each draw of the coefficients says, as in `plain_s`, each (draws, cases)."""
        counts = matrix(cases, self.phase, self.cache)
        parts = [_combine(self.phase, counts, values, self.softness) for values in self.draws]
        whole, overhead, compute = (np.array(each) for each in zip(*parts, strict=True))
        return whole, overhead, compute

    def predict(self, case: Case, known_s: float = 0.0) -> Predicted:
        """A case's time with what the residuals around it add; `known_s` as in `plain_s`."""
        whole, overhead, compute = (float(each[0]) for each in self.plain_s([case], known_s))
        mean, deviation = self.surrogate.predict(place(case)[None, :])
        unknown = math.sqrt(float(self.unknown([case], known_s)[0, 0]))
        value_s = whole * float(np.exp(mean[0]))
        mood = math.hypot(self.surrogate.inflation * self.surrogate.mood, OCCASION)
        whole_deviation = math.hypot(float(deviation[0]), unknown, OCCASION)
        return Predicted(value_s, whole_deviation, mood, overhead, compute)

    def unknown(self, cases: Sequence[Case], known_s: float = 0.0) -> Array:
        """Covariance of the logarithms of times by what is unknown of the coefficients, (n, n)."""
        counts = matrix(cases, self.phase, self.cache)
        values = np.array([each.value for each in self.coefficients])
        slopes = _slopes(self.phase, counts, values, self.softness, known_s)
        found: Array = slopes @ self.covariance @ slopes.T
        return found

    def residuals(self) -> Array:
        """Measured / predicted by the coefficients alone, minus 1, one a time."""
        return self.times_s / self.plain_s(self.cases, self.known_s)[0] - 1

    def left_out_errors(self) -> Array:
        """Predicted / measured of each time from all others, minus 1."""
        errors, _ = self.surrogate.leave_one_out()
        return np.exp(errors) - 1

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
    fixed = np.array([term in OVERHEADS for term in TERMS[phase]])
    overhead = counts[:, fixed] @ values[fixed]
    compute = counts[:, ~fixed] @ values[~fixed] if not fixed.all() else np.zeros(len(counts))
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


def _covariance(slopes: Array, surrogate: Surrogate) -> Array:
    """What the times leave unknown of the coefficients.

    They are told by residuals as large as the surrogate finds them, and by the belief that none
    of them is more than about the whole of the time that it takes most of.
    """
    noise = surrogate.amplitude**2 + surrogate.single**2
    scale = np.abs(slopes).max(axis=0)
    scale[scale == 0] = 1.0
    scaled = slopes / scale
    inverse = linalg.inv(scaled.T @ scaled / noise + np.eye(slopes.shape[1]))
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
    noticed = (values >= 1e-4 * start.max()) & (counts.max(axis=0) > 0)
    values = np.where(noticed, values, 0.0)
    return values / scale, float(found.x[-1]) if soft else fixed, float(found.cost)
