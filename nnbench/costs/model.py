"""The cost model of a phase: a few coefficients one can read, and how times scatter around them.

A phase takes so many seconds once, per layer of a kind, per FLOP and per byte. What of a step is
paid whatever a layer's size (the overhead) and what grows with the work (the compute) need not add
up: a device that overlaps them takes little more than the larger, the roofline. `softness` p tells
how: `(overhead^p + compute^p)^(1/p)` is the sum for 1 and the larger of the two for infinity.
Activations beyond a cache cost more; its size, and what has to fit into it, are fitted, too.

Coefficients are positive: their logarithms are fitted, from a prior that is as wide as a factor of
50 either way, by the largest posterior density (MacKay, "Information Theory, Inference, and
Learning Algorithms" 2003, chapter 27). Terms that are like each other share a part of theirs: what
a kind of layer costs that was never timed is guessed from the others, and known as badly as these
differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from nnbench.costs.terms import (
    AROUND_STEPS,
    NO_CACHE,
    OVERHEADS,
    TERMS,
    Cache,
    Counted,
    Term,
    matrix,
)
from nnbench.phases import EPOCH, STEP
from nnbench.stats.interval import Interval

CACHES = tuple(
    Cache(float(1 << power), single) for single in (False, True) for power in range(20, 27, 2)
)

OCCASION = 0.04
"""Standard deviation of what a machine is like at another time, on a log scale: no calibration of a
few minutes shows it. The same trainings, of 12 x 5 launches, seven times within half an hour, were
off together by 1.4 % (a step) to 3.3 % (compiling); on another day by a fifth."""

LEAST_CASES = 8
USUAL_SOFTNESS, SOFTEST = 0.5, 8.0
"""The first is beyond a sum, before anything is known."""

WIDE, LIKE = 2.0, 0.8
"""Standard deviations of a coefficient's logarithm before anything was timed: of what alike terms
share (or of one that is like no other), and of what each has of its own."""

USUAL_SHARE = 0.1
"""Of a time that a term is expected to take before anything is known."""

LEAST_SHARE = 1e-3
"""A term that is nowhere a larger part of the time is taken to cost nothing."""

LEAST_NOISE = 0.01
"""Repeated timings of one case differ by at least 1 % here: less would be overfitted."""

FIRST_NOISE, MOST_NOISE, WILD = 0.1, 0.4, 1.5
"""The standard deviation that a fit begins with, the largest that it weighs times by, and from how
many on residuals count less than squared (soft L1)."""

FAR = 3.0
"""Residuals further than so many robust standard deviations from the median are drawn nearer."""

LARGEST_REACH = 1e6

Array = NDArray[np.float64]
Made = TypeVar("Made", bound="PhaseModel")


class TooFewCasesError(Exception):
    """A phase was timed for too few cases to fit a model."""


def around(value: float, log_reach: float) -> Interval:
    """The interval of a positive value whose logarithm is known to within `log_reach`."""
    # Of a few times nothing may be known at all: so much is said, and no more than floats hold.
    reach = math.exp(min(log_reach, math.log(LARGEST_REACH)))
    return Interval(value, value / reach, value * reach)


@dataclass(frozen=True)
class Predicted:
    """A duration; `deviation` is of its logarithm.

    `launch_effect` is the part of that which phases share, `unknown` what more timings would
    lessen.
    """

    seconds: Interval
    deviation: float
    launch_effect: float
    unknown: float
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

    def at_most(self, single: float) -> Self:
        """The same, drawn nearer where a time scatters more than so."""
        less = min(1.0, single / self.single)
        return replace(self, noise=less * self.noise, launch_effect=less * self.launch_effect)

    def whitened(self, values: Array, launches: Sequence[str]) -> Array:
        """Logarithms of times, (times,) or (times, any), whitened: independent, of variance 1.

        So least squares are generalised ones: what a launch shares counts once, not once for each
        of its times (Searle 1992, chapter 3).
        """
        launch = np.unique(launches or [""] * len(values), return_inverse=True)[1]
        sizes = np.bincount(launch)
        shared = 1 - 1 / np.sqrt(1 + sizes * (self.launch_effect / self.noise) ** 2)
        means = np.equal.outer(launch, launch) / sizes[launch]
        found: Array = (values - shared[launch] * means @ values) / self.noise
        return found

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
class Observations:
    """Times of a phase: one for each case and launch, in seconds; a case may come again.

    `known_s` is the part of each time that other models explain.
    """

    phase: str
    cases: Sequence[Counted]
    times_s: Array
    launches: Sequence[str] = ()
    known_s: Array | float = 0.0


@dataclass(frozen=True)
class PhaseModel:
    """A fitted phase; `cases` and `times_s` are what of it was timed.

    `values` are seconds for a unit of each term, `covariance` (terms + 1, terms + 1) how well their
    logarithms are known, and that of the softness - 1. `leverages`: how much each time drew the
    coefficients to itself, from 0 to 1. `freedom` is the number of times that the coefficients were
    fitted to, less what they took.
    """

    phase: str
    cases: Sequence[Counted]
    times_s: Array
    known_s: Array
    values: Array
    softness: float
    covariance: Array
    leverages: Array
    scatter: Scatter
    freedom: float
    cache: Cache = NO_CACHE

    @classmethod
    def fit(cls, *observed: Observations) -> tuple[Self, ...]:
        """Fit one set of coefficients to the times of one phase, or of steps and epochs together.

        Residuals are of the logarithm of the whole: small networks count as much as large ones,
        wild values little. Raises TooFewCasesError below 8 times of a phase.
        """
        for one in observed:
            if (count := len(one.cases)) < LEAST_CASES:
                raise TooFewCasesError(f"{one.phase}: {count} times, {LEAST_CASES} are needed")
        are_steps = observed[0].phase in (STEP, EPOCH)
        begun = [_Begun.of(observed, NO_CACHE)]
        for cache in CACHES if are_steps else ():
            begun.append(_Begun.of(observed, cache, begun[-1].latent))
        best = min(begun, key=lambda one: one.loss).finished()
        return tuple(best.phase_model(cls, one, number) for number, one in enumerate(observed))

    @property
    def terms(self) -> tuple[Term, ...]:
        """What its coefficients are of."""
        return TERMS[self.phase]

    @property
    def coefficients(self) -> dict[Term, Interval]:
        """Seconds for a unit of each term that costs something in what was timed."""
        counts = matrix(self.cases, self.phase, self.cache)
        shares = (counts * self.values / self.times_s[:, None]).max(axis=0)
        deviations = np.sqrt(np.diag(self.covariance))
        return {
            term: around(float(value), self.quantile * float(deviation))
            for term, value, deviation, share in zip(
                self.terms, self.values, deviations, shares, strict=False
            )
            if share >= LEAST_SHARE
        }

    def plain_s(
        self, cases: Sequence[Counted], known_s: Array | float = 0.0
    ) -> tuple[Array, Array, Array]:
        """The whole with `known_s` (what another model explains), overhead, compute, in seconds."""
        counts = matrix(cases, self.phase, self.cache)
        whole, overhead, compute, around_s = _parts(self.phase, counts, self.values, self.softness)
        return known_s + whole, overhead + around_s, compute

    def predict(self, case: Counted, known_s: float = 0.0) -> Predicted:
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
            unknown,
            overhead / both if both > 0 else 0.0,
        )

    def ratio(self, one: Counted, other: Counted) -> Interval:
        """Time of `one` / `other`: alike networks err alike, but each width has its own noise."""
        whole_s = self.plain_s([one, other])[0]
        unknown = self.unknown([one, other])
        variance = float(unknown[0, 0] + unknown[1, 1] - 2 * unknown[0, 1])
        own = 0.0 if one == other else 2 * (self.scatter.inflation * self.scatter.noise) ** 2
        deviation = math.sqrt(max(variance, 0.0) + own)
        return around(float(whole_s[0] / whole_s[1]), self.quantile * deviation)

    def compute_by_overhead(self, case: Counted) -> Interval:
        """The compute of a case / its overhead, by the coefficients."""
        counts = matrix([case], self.phase, self.cache)[0] * self.values
        fixed = _is(self.phase, OVERHEADS) | _is(self.phase, AROUND_STEPS)
        overhead, compute = (max(counts[each].sum(), 1e-12) for each in (fixed, ~fixed))
        slopes = np.append(counts * np.where(fixed, -1 / overhead, 1 / compute), 0.0)
        unknown = math.sqrt(float(slopes @ self.covariance @ slopes))
        return around(float(compute / overhead), self.quantile * unknown)

    def unknown(self, cases: Sequence[Counted], known_s: Array | float = 0.0) -> Array:
        """Covariance of the logarithms of times by what is unknown of the coefficients, (n, n)."""
        counts = matrix(cases, self.phase, self.cache)
        slopes = _slopes(self.phase, counts, self.values, self.softness, known_s)[1]
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
        return float(stats.t.ppf(0.975, max(1.0, self.freedom)))


def _is(phase: str, terms: Sequence[Term]) -> NDArray[np.bool_]:
    return np.array([term in terms for term in TERMS[phase]])


def _parts(
    phase: str, counts: Array, values: Array, softness: float
) -> tuple[Array, Array, Array, Array]:
    """The whole, its overhead, its compute and what is around the steps, each (cases,)."""
    outside = _is(phase, AROUND_STEPS)
    fixed = _is(phase, OVERHEADS)
    parts = counts * values
    overhead = parts[:, fixed].sum(axis=1)
    around_s = parts[:, outside].sum(axis=1)
    compute = parts[:, ~(fixed | outside)].sum(axis=1)
    largest = np.maximum(np.maximum(overhead, compute), 1e-12)
    scaled = (overhead / largest) ** softness + (compute / largest) ** softness
    whole = largest * scaled ** (1 / softness) + around_s
    return np.maximum(whole, 1e-9), overhead, compute, around_s


def _slopes(
    phase: str, counts: Array, values: Array, softness: float, known_s: Array | float
) -> tuple[Array, Array]:
    """The whole times, and by how much their logarithms grow with those of the coefficients.

    The second is of shape (cases, terms + 1); its last column is for the softness - 1.
    """
    whole, overhead, compute, around_s = _parts(phase, counts, values, softness)
    joined = np.maximum(whole - around_s, 1e-12)
    weight = np.ones_like(counts)
    fixed, outside = _is(phase, OVERHEADS), _is(phase, AROUND_STEPS)
    by_overhead = (np.maximum(overhead, 1e-15) / joined) ** (softness - 1)
    by_compute = (np.maximum(compute, 1e-15) / joined) ** (softness - 1)
    weight[:, fixed] = by_overhead[:, None]
    weight[:, ~(fixed | outside)] = by_compute[:, None]
    all_s = known_s + whole
    found = counts * values * weight / np.reshape(all_s, (-1, 1))
    shares = np.maximum(np.array([overhead, compute]) / joined, 1e-15)
    # Of the logarithm of (a^p + b^p)^(1/p), by p.
    by_softness = np.sum(shares**softness * np.log(shares), axis=0) / softness
    last = by_softness * joined / all_s * (softness - 1)
    return all_s, np.column_stack([found, last])


@dataclass(frozen=True)
class _Begun:
    """A fit that weighs all times alike, by which caches are compared."""

    observed: Sequence[Observations]
    cache: Cache
    counts: Sequence[Array]
    centres: Array
    loadings: Array
    latent: Array
    loss: float

    @classmethod
    def of(cls, observed: Sequence[Observations], cache: Cache, begin: Array | None = None) -> Self:
        counts = [matrix(one.cases, one.phase, cache) for one in observed]
        centres, loadings = _prior(observed, counts)
        scatters = [Scatter(FIRST_NOISE, 0.0)] * len(observed)
        begin = np.zeros(loadings.shape[1]) if begin is None else begin
        latent, loss = _solve(observed, counts, centres, loadings, scatters, begin)
        return cls(observed, cache, counts, centres, loadings, latent, loss)

    def finished(self) -> "_Fit":
        """The fit that weighs times by how they scatter in the first one."""
        _, _, found = self._at(self.latent)
        scatters = [
            Scatter.of(np.log(one.times_s / whole), one.launches).at_most(MOST_NOISE)
            for one, (whole, _) in zip(self.observed, found, strict=True)
        ]
        rest = self.observed, self.counts, self.centres, self.loadings, scatters
        values, softness, found = self._at(_solve(*rest, self.latent)[0])
        precision = np.eye(self.loadings.shape[1])
        slopes = [each @ self.loadings for _, each in found]
        for one, each, scatter in zip(self.observed, slopes, scatters, strict=True):
            white = scatter.whitened(each, one.launches)
            precision += white.T @ white
        known = linalg.inv(precision)
        noises = [scatter.single for scatter in scatters]
        return _Fit(self.cache, values, softness, slopes, known, self.loadings, noises)

    def _at(self, latent: Array) -> tuple[Array, float, list[tuple[Array, Array]]]:
        values, softness = _read(self.observed[0].phase, self.centres, self.loadings, latent)
        found = [
            _slopes(one.phase, each, values, softness, one.known_s)
            for one, each in zip(self.observed, self.counts, strict=True)
        ]
        return values, softness, found


@dataclass(frozen=True)
class _Fit:
    """Coefficients of one or two phases; `known` is the covariance of the latent variables.

    `slopes` and `noises` are those of each phase.
    """

    cache: Cache
    values: Array
    softness: float
    slopes: Sequence[Array]
    known: Array
    loadings: Array
    noises: Sequence[float]

    def phase_model(self, kind: type[Made], one: Observations, number: int) -> Made:
        slopes, noise = self.slopes[number], self.noises[number]
        leverages = np.einsum("ij,jk,ik->i", slopes, self.known, slopes) / noise**2
        leverages = np.clip(leverages, 0.0, 0.95)
        counts = matrix(one.cases, one.phase, self.cache)
        whole = _slopes(one.phase, counts, self.values, self.softness, one.known_s)[0]
        scatter = Scatter.of(np.log(one.times_s / whole), one.launches, leverages)
        times = len(one.times_s)
        return kind(
            phase=one.phase,
            cases=one.cases,
            times_s=one.times_s,
            known_s=np.broadcast_to(one.known_s, times).astype(float),
            values=self.values,
            softness=self.softness,
            covariance=self.loadings @ self.known @ self.loadings.T,
            leverages=leverages,
            scatter=scatter,
            freedom=times - float(leverages.sum()),
            cache=self.cache,
        )


def _prior(observed: Sequence[Observations], counts: Sequence[Array]) -> tuple[Array, Array]:
    """Centres of the coefficients' logarithms, and what standard normal variables add to them.

    Shapes (terms,) and (terms + 1, variables); the last row is for the softness. A term is centred
    where it would take `USUAL_SHARE` of a usual time; terms that are alike have one centre, each
    for its size.
    """
    terms = TERMS[observed[0].phase]
    sizes = np.array([term.size for term in terms])
    alike = [term.like or term.name for term in terms]
    names = list(dict.fromkeys(alike))
    groups = np.array([[name == one for one in alike] for name in names], dtype=float)
    left_s = np.concatenate(
        [np.maximum(one.times_s - one.known_s, 0.02 * one.times_s) for one in observed]
    )
    totals = np.vstack(counts) * sizes @ groups.T
    usual: list[float] = []
    for column in totals.T:
        has = column > 0
        usual.append(float(np.median(np.log(left_s[has] / column[has]))) if has.any() else -25.0)
    centres = groups.T @ np.array(usual) + math.log(USUAL_SHARE) + np.log(sizes)
    shared = WIDE * groups.T
    own = LIKE * np.eye(len(terms))[:, [bool(term.like) for term in terms]]
    loadings = np.column_stack([shared, own])
    soft = np.zeros((1, loadings.shape[1] + 1))
    soft[0, -1] = 1.0
    return centres, np.vstack([np.column_stack([loadings, np.zeros(len(terms))]), soft])


def _read(phase: str, centres: Array, loadings: Array, latent: Array) -> tuple[Array, float]:
    """Coefficients and softness of latent variables."""
    found = loadings @ latent
    values = np.exp(np.clip(centres + found[:-1], -60.0, 20.0))
    soft = phase in (STEP, EPOCH)
    return values, 1 + min(USUAL_SOFTNESS * math.exp(found[-1]), SOFTEST - 1) if soft else 1.0


def _solve(
    observed: Sequence[Observations],
    counts: Sequence[Array],
    centres: Array,
    loadings: Array,
    scatters: Sequence[Scatter],
    begin: Array,
) -> tuple[Array, float]:
    """The latent variables of the largest posterior density, and the loss that they leave.

    They are standard normal before.
    """

    def parts(latent: Array) -> tuple[Array, Array]:
        values, softness = _read(observed[0].phase, centres, loadings, latent)
        residuals, slopes = [latent], [np.eye(len(latent))]
        for one, each, scatter in zip(observed, counts, scatters, strict=True):
            whole, by = _slopes(one.phase, each, values, softness, one.known_s)
            residuals.append(scatter.whitened(np.log(whole / one.times_s), one.launches))
            slopes.append(scatter.whitened(by @ loadings, one.launches))
        return np.concatenate(residuals), np.vstack(slopes)

    found = optimize.least_squares(
        lambda latent: parts(latent)[0],
        begin,
        jac=lambda latent: parts(latent)[1],
        loss="soft_l1",
        f_scale=WILD,
        ftol=1e-5,
        max_nfev=60,
    )
    return found.x, float(found.cost)
