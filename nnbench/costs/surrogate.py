"""A Gaussian process over a few numbers: what a simple model leaves, and how sure one can be.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithm 2.1
(prediction), section 5.4.1 (marginal likelihood), section 5.4.2 (leave-one-out).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

Array = NDArray[np.float64]

LEAST_NOISE = 0.01
"""Repeated timings of one case differ by at least 1 % here: less would be overfitted."""

LENGTH = (1.0, 30.0)
"""Shortest and longest length scale, in powers of two of depth, width and rows."""


FOLDS = 5


@dataclass(frozen=True)
class Surrogate:
    """A fitted process of mean 0 with a squared exponential kernel, one length scale an axis."""

    places: Array
    values: Array
    amplitude: float
    lengths: Array
    noise: float
    inflation: float

    @classmethod
    def fit(cls, places: Array, values: Array, fitted: int = 0) -> Self:
        """Fit to `values` (n,) at `places` (n, axes) by the largest marginal likelihood.

        `inflation` widens the predicted deviation until the errors on values held out, of which
        95 % should lie within two deviations, do: lengths and noise are fitted anew without each
        fold. `fitted` parameters of a model that left these values, and those of the process,
        count against the number of values.
        """
        spread = max(float(np.std(values)), LEAST_NOISE)
        starts = [
            np.log([spread, max(share * spread, LEAST_NOISE), *[length] * places.shape[1]])
            for share in (0.2, 0.7)
            for length in (3.0, 10.0)
        ]
        plain, parameters = cls._likeliest(places, values, starts)
        misses = [
            np.abs(values[held] - mean) / deviation
            for held in _folds(len(values))
            for without, _ in [
                cls._likeliest(np.delete(places, held, 0), np.delete(values, held), [parameters])
            ]
            for mean, deviation in [without.predict(places[held])]
        ]
        excess = float(np.quantile(np.concatenate(misses), 0.95)) / 1.96
        free = max(len(values) / 3, len(values) - fitted - len(parameters))
        return replace(plain, inflation=max(1.0, excess) * float(np.sqrt(len(values) / free)))

    @classmethod
    def _likeliest(
        cls, places: Array, values: Array, starts: Sequence[Array]
    ) -> tuple[Self, Array]:
        """The process of the largest marginal likelihood, and the logarithms of its parameters."""
        axes = places.shape[1]
        spread = max(float(np.std(values)), LEAST_NOISE)

        def loss(parameters: Array) -> float:
            amplitude, noise, *lengths = np.exp(parameters)
            covariance = _kernel(places, places, amplitude, np.array(lengths))
            covariance[np.diag_indices_from(covariance)] += noise**2
            try:
                factor = linalg.cho_factor(covariance, lower=True)
            except linalg.LinAlgError:
                return 1e9
            fit = values @ linalg.cho_solve(factor, values)
            # A weak prior on the lengths: without one, axes that hardly vary go to a bound.
            prior = 0.5 * np.sum(((np.log(lengths) - np.log(5.0)) / 1.0) ** 2)
            return float(0.5 * fit + np.log(np.diag(factor[0])).sum() + prior)

        bounds = [
            (np.log(LEAST_NOISE), np.log(10 * spread + LEAST_NOISE)),
            (np.log(LEAST_NOISE), np.log(2 * spread + LEAST_NOISE)),
            *[(np.log(LENGTH[0]), np.log(LENGTH[1]))] * axes,
        ]
        found = min(
            (optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts),
            key=lambda answer: float(answer.fun),
        )
        amplitude, noise, *lengths = np.exp(found.x)
        process = cls(places, values, float(amplitude), np.array(lengths), float(noise), 1.0)
        return process, found.x

    def _covariance(self) -> Array:
        covariance = _kernel(self.places, self.places, self.amplitude, self.lengths)
        covariance[np.diag_indices_from(covariance)] += self.noise**2
        return covariance

    def leave_one_out(self) -> tuple[Array, Array]:
        """For each value: what the others predict too much, and the deviation they predict."""
        inverse = linalg.inv(self._covariance())
        variance = 1 / np.diag(inverse)
        return -(inverse @ self.values) * variance, np.sqrt(variance)

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Mean and standard deviation, the noise of a timing included, at `places` (m, axes)."""
        factor = linalg.cho_factor(self._covariance(), lower=True)
        across = _kernel(places, self.places, self.amplitude, self.lengths)
        mean = across @ linalg.cho_solve(factor, self.values)
        known = np.sum(across * linalg.cho_solve(factor, across.T).T, axis=1)
        variance = np.maximum(self.amplitude**2 - known, 0) + self.noise**2
        return mean, self.inflation * np.sqrt(variance)

    def left(self, places: Array) -> Array:
        """Covariance between `places` (m, axes) that the timings leave, without their noise."""
        factor = linalg.cho_factor(self._covariance(), lower=True)
        across = _kernel(places, self.places, self.amplitude, self.lengths)
        within = _kernel(places, places, self.amplitude, self.lengths)
        left: Array = within - across @ linalg.cho_solve(factor, across.T)
        return left

    def with_place(self, place: Array) -> Self:
        """The process as it would be after timing at `place`, its value as predicted."""
        value, _ = self.predict(place[None, :])
        return type(self)(
            np.vstack([self.places, place]),
            np.append(self.values, value),
            self.amplitude,
            self.lengths,
            self.noise,
            self.inflation,
        )


def _folds(count: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """`FOLDS` random parts of the numbers below `count`, each in one of them."""
    return np.array_split(np.random.default_rng(seed).permutation(count), FOLDS)


def _kernel(first: Array, second: Array, amplitude: float, lengths: Array) -> Array:
    steps = (first[:, None, :] - second[None, :, :]) / lengths
    kernel: Array = amplitude**2 * np.exp(-0.5 * np.sum(steps**2, axis=2))
    return kernel
