"""A Gaussian process over a few numbers: what a simple model leaves, and how sure one can be.

All values of a launch may be off together, by its mood: processes of one program differ. A value
far from all others was disturbed: it counts for how sure one can be, not for what is expected.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithm 2.1
(prediction), section 5.4.1 (marginal likelihood), section 5.4.2 (leave-one-out).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

Array = NDArray[np.float64]

LEAST_NOISE = 0.01
"""Repeated timings of one case differ by at least 1 % here: less would be overfitted."""

LEAST_MOOD = 0.001

LENGTH = (1.0, 30.0)
"""Shortest and longest length scale, in powers of two of depth, width and rows."""


FOLDS = 5

FAR = 3.0
"""Values further than so many robust standard deviations from the median are drawn nearer."""


@dataclass(frozen=True)
class Surrogate:
    """A fitted process of mean 0 with a squared exponential kernel, one length scale an axis.

    `launches` (n,) numbers the launch of each value. `mood` is the standard deviation of what
    the values of one launch share, `noise` that of each by itself.
    """

    places: Array
    values: Array
    launches: NDArray[np.int64]
    amplitude: float
    lengths: Array
    noise: float
    mood: float
    inflation: float

    @classmethod
    def fit(
        cls,
        places: Array,
        values: Array,
        fitted: int = 0,
        launches: NDArray[np.int64] | None = None,
    ) -> Self:
        """Fit to `values` (n,) at `places` (n, axes) by the largest marginal likelihood.

        `inflation` widens the predicted deviation until the errors on values held out, of which
        95 % should lie within two deviations, do: lengths and noise are fitted anew without each
        fold. `fitted` parameters of a model that left these values, and those of the process,
        count against the number of values. Without `launches`, or with one, there is no mood.
        """
        if launches is None:
            launches = np.zeros(len(values), dtype=np.int64)
        spread = max(float(np.std(_near(values))), LEAST_NOISE)
        starts = [
            np.log(
                [
                    spread,
                    max(share * spread, LEAST_NOISE),
                    max(0.3 * spread, LEAST_NOISE),
                    *[length] * places.shape[1],
                ]
            )
            for share in (0.2, 0.7)
            for length in (3.0, 10.0)
        ]
        plain, parameters = cls._likeliest(places, values, launches, starts)
        misses = [
            np.abs(values[held] - mean) / deviation
            for held in _folds(len(values))
            for without, _ in [
                cls._likeliest(
                    np.delete(places, held, 0),
                    np.delete(values, held),
                    np.delete(launches, held),
                    [parameters],
                )
            ]
            for mean, deviation in [without.predict(places[held])]
        ]
        excess = float(np.quantile(np.concatenate(misses), 0.95)) / 1.96
        free = max(len(values) / 3, len(values) - fitted - len(parameters))
        return replace(plain, inflation=max(1.0, excess) * float(np.sqrt(len(values) / free)))

    @classmethod
    def _likeliest(
        cls,
        places: Array,
        values: Array,
        launches: NDArray[np.int64],
        starts: Sequence[Array],
    ) -> tuple[Self, Array]:
        """The process of the largest marginal likelihood, and the logarithms of its parameters."""
        axes = places.shape[1]
        near = _near(values)
        spread = max(float(np.std(near)), LEAST_NOISE)
        together = _together(launches)

        apart = (places[:, None, :] - places[None, :, :]) ** 2

        def loss(parameters: Array) -> tuple[float, Array]:
            amplitude, noise, mood, *rest = np.exp(parameters)
            lengths = np.array(rest)
            smooth = _kernel(places, places, amplitude, lengths)
            covariance = smooth + mood**2 * together
            covariance[np.diag_indices_from(covariance)] += noise**2
            try:
                factor = linalg.cho_factor(covariance, lower=True)
            except linalg.LinAlgError:
                return 1e9, np.zeros_like(parameters)
            inverse = linalg.cho_solve(factor, np.eye(len(near)))
            weights = inverse @ near
            # A weak prior on the lengths: without one, axes that hardly vary go to a bound.
            distance = np.log(lengths) - np.log(5.0)
            value = (
                0.5 * near @ weights + np.log(np.diag(factor[0])).sum() + 0.5 * distance @ distance
            )
            # Half the trace of this times the covariance's slope is the slope of the likelihood.
            left = inverse - np.outer(weights, weights)
            slopes = [
                np.sum(left * smooth),
                noise**2 * np.trace(left),
                mood**2 * np.sum(left * together),
                *(0.5 * np.einsum("ij,ij,ijk->k", left, smooth, apart) / lengths**2 + distance),
            ]
            return float(value), np.array(slopes)

        bounds = [
            (np.log(LEAST_NOISE), np.log(10 * spread + LEAST_NOISE)),
            (np.log(LEAST_NOISE), np.log(2 * spread + LEAST_NOISE)),
            (np.log(LEAST_MOOD), np.log(spread + LEAST_NOISE)),
            *[(np.log(LENGTH[0]), np.log(LENGTH[1]))] * axes,
        ]
        found = min(
            (
                optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
                for start in starts
            ),
            key=lambda answer: float(answer.fun),
        )
        amplitude, noise, mood, *lengths = (float(each) for each in np.exp(found.x))
        mood = mood if together.any() else 0.0
        process = cls(places, values, launches, amplitude, np.array(lengths), noise, mood, 1.0)
        return process, found.x

    @property
    def single(self) -> float:
        """The standard deviation of a single timing in a new launch, its place well known."""
        return float(np.hypot(self.noise, self.mood))

    def _covariance(self) -> Array:
        covariance = _kernel(self.places, self.places, self.amplitude, self.lengths)
        covariance += self.mood**2 * _together(self.launches)
        covariance[np.diag_indices_from(covariance)] += self.noise**2
        return covariance

    @cached_property
    def _factor(self) -> tuple[Array, bool]:
        factor: tuple[Array, bool] = linalg.cho_factor(self._covariance(), lower=True)
        return factor

    @cached_property
    def _weights(self) -> Array:
        weights: Array = linalg.cho_solve(self._factor, _near(self.values))
        return weights

    def leave_one_out(self) -> tuple[Array, Array]:
        """For each value: what the others predict too much, and the deviation they predict.

        As if it was timed in a launch of its own, whose mood the others cannot tell.
        """
        covariance = self._covariance()
        across = _kernel(self.places, self.places, self.amplitude, self.lengths)
        near = _near(self.values)
        errors, deviations = np.empty(len(near)), np.empty(len(near))
        for one in range(len(near)):
            others = np.delete(np.arange(len(near)), one)
            factor = linalg.cho_factor(covariance[np.ix_(others, others)], lower=True)
            known = linalg.cho_solve(factor, across[others, one])
            errors[one] = known @ near[others] - self.values[one]
            left = self.amplitude**2 - known @ across[others, one]
            deviations[one] = np.sqrt(max(left, 0.0) + self.single**2)
        return errors, deviations

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of a timing in a new launch, at `places` (m, axes)."""
        across = _kernel(places, self.places, self.amplitude, self.lengths)
        mean = across @ self._weights
        known = np.sum(across * linalg.cho_solve(self._factor, across.T).T, axis=1)
        variance = np.maximum(self.amplitude**2 - known, 0) + self.single**2
        return mean, self.inflation * np.sqrt(variance)

    def left(self, places: Array) -> Array:
        """Covariance between `places` (m, axes) that the timings leave, without their noise."""
        across = _kernel(places, self.places, self.amplitude, self.lengths)
        within = _kernel(places, places, self.amplitude, self.lengths)
        left: Array = within - across @ linalg.cho_solve(self._factor, across.T)
        return left


def _folds(count: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """`FOLDS` random parts of the numbers below `count`, each in one of them."""
    return np.array_split(np.random.default_rng(seed).permutation(count), FOLDS)


def _near(values: Array) -> Array:
    middle = float(np.median(values))
    # The median absolute deviation of normal values is 1 / 1.4826 of the standard deviation.
    reach = FAR * max(1.4826 * float(np.median(np.abs(values - middle))), LEAST_NOISE)
    return np.clip(values, middle - reach, middle + reach)


def _together(launches: NDArray[np.int64]) -> Array:
    """1 where two values are of one launch, (n, n); 0 everywhere if there is only one."""
    if len(np.unique(launches)) == 1:
        return np.zeros((len(launches), len(launches)))
    same: Array = (launches[:, None] == launches[None, :]).astype(float)
    return same


def _kernel(first: Array, second: Array, amplitude: float, lengths: Array) -> Array:
    steps = (first[:, None, :] - second[None, :, :]) / lengths
    kernel: Array = amplitude**2 * np.exp(-0.5 * np.sum(steps**2, axis=2))
    return kernel
