"""How far two trainings are apart: pure functions on arrays, and one record of them all."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Weights = Sequence[NDArray[np.generic]]


def digest(arrays: Weights) -> str:
    """SHA-256 (FIPS 180-4) of the shapes, types and bytes of arrays, in order, as hexadecimal."""
    found = hashlib.sha256()
    for array in arrays:
        plain = np.ascontiguousarray(array)
        plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
        found.update(f"{plain.shape}{plain.dtype.str}".encode())
        found.update(plain.tobytes())
    return found.hexdigest()


def digest_number(hexadecimal: str) -> float:
    """The first 48 bits of a digest, which a float holds exactly: for tools that keep numbers."""
    return float(int(hexadecimal[:12], 16))


def bitwise_equal(first: ArrayLike, second: ArrayLike) -> bool:
    """Whether all bits are the same (+0 is not -0): what TensorFlow's RFC 346 calls determinism."""
    a, b = np.asarray(first), np.asarray(second)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def ulp_distance(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Floating-point numbers between each pair, in units in the last place of their type.

    0 for equal numbers (+0 and -0 are one number), 1 for neighbours, infinite between a NaN and
    anything that is not the same NaN. A float's bits, read as an integer with sign and magnitude,
    count the floats from zero: the distance is the difference of those counts. Arrays of other
    types differ by the difference of their numbers. Source: Goldberg, "What Every Computer
    Scientist Should Know About Floating-Point Arithmetic", ACM Computing Surveys 23 (1991), section
    1.2; the counting after Dawson, "Comparing Floating Point Numbers" (2012). Raises ValueError for
    unlike shapes or types.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(f"{a.dtype}{a.shape} and {b.dtype}{b.shape} have no distance")
    if a.dtype.kind != "f":
        return np.abs(a.astype(np.float64) - b.astype(np.float64))
    sign_a, count_a = _sign_and_count(a)
    sign_b, count_b = _sign_and_count(b)
    between = np.maximum(count_a, count_b) - np.minimum(count_a, count_b)
    apart = np.where(sign_a == sign_b, between, count_a + count_b).astype(np.float64)
    unknown = (np.isnan(a) | np.isnan(b)) & (apart > 0)
    return np.where(unknown, np.inf, apart)


def _sign_and_count(values: NDArray[np.generic]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    bits = values.view(f"u{values.dtype.itemsize}").astype(np.uint64)
    magnitude = np.uint64((1 << (8 * values.dtype.itemsize - 1)) - 1)
    return bits > magnitude, bits & magnitude


def flat_ulps(first: Weights, second: Weights) -> NDArray[np.float64]:
    """ULP distance of every number of two lists of arrays, in one row."""
    apart = (ulp_distance(a, b).ravel() for a, b in zip(first, second, strict=True))
    return np.concatenate([np.zeros(0), *apart])


def relative_l2(first: Weights, second: Weights) -> float:
    """Euclidean norm of the difference over the norm of the first; infinite where NaN comes in.

    Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition (2002), 6.2.
    """
    if all(map(bitwise_equal, first, second)):
        return 0.0
    a, b = (np.concatenate([*map(np.ravel, each)]).astype(np.float64) for each in (first, second))
    with np.errstate(invalid="ignore", over="ignore"):
        apart, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(a))
    if apart == 0:
        return 0.0
    return apart / size if size and math.isfinite(apart + size) else math.inf


def loss_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Largest difference in common epochs, in units of the loss; infinite if only one is finite."""
    both = list(zip(first, second, strict=False))
    a, b = np.array(both, np.float64).reshape(-1, 2).T
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(a - b)
    apart[np.isnan(apart)] = np.inf
    apart[~np.isfinite(a) & ~np.isfinite(b)] = 0.0
    return float(apart.max(initial=0.0))


def doubling_epochs(epochs: Sequence[int], distances: Sequence[float]) -> float | None:
    """Epochs in which the distance doubles while it grows; None where it has not even doubled.

    The inverse slope of log2(distance) against epochs by least squares, from the first non-zero
    distance to the first that has reached half of the largest, or 0.1, where two trainings no
    longer part but are apart. So is the largest Lyapunov exponent estimated from a series. Source:
    Rosenstein, Collins and De Luca, "A practical method for calculating largest Lyapunov exponents
    from small data sets", Physica D 65 (1993).
    """
    at, far = np.asarray(epochs, np.float64), np.asarray(distances, np.float64)
    usable = np.isfinite(far) & (far > 0)
    at, far = at[usable], far[usable]
    if len(far) < 3:
        return None
    ends = np.flatnonzero(far >= min(0.1, far.max() / 2))
    stop = max(3, int(ends[0]) + 1)
    at, far = at[:stop], np.log2(far[:stop])
    if far.max() - far[0] < 1 - 1e-9:
        return None
    slope = float(np.polyfit(at, far, 1)[0])
    return 1 / slope if slope > 0 else None


def disagreement(first: ArrayLike, second: ArrayLike, *, classes: bool) -> float:
    """The share of rows, 0 to 1, that two trained networks answer differently, known as churn.

    With `classes`: other classes (the larger output, or the side of 0.5 of a single one). Else:
    predictions that differ by more than 1 % of the first's standard deviation. Source: Milani Fard,
    Cormier, Canini, Gupta, "Launch and Iterate: Reducing Prediction Churn", NIPS 2016.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.size == 0:
        return 0.0
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    if classes:
        chosen = [x.argmax(1) if x.shape[1] > 1 else x[:, 0] > 0.5 for x in (a, b)]
        differs = (chosen[0] != chosen[1]) | (np.isnan(a).any(1) != np.isnan(b).any(1))
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            apart, spread = np.abs(a - b).max(1), float(np.std(a))
        differs = (apart > 0.01 * spread) | (np.isnan(a) != np.isnan(b)).any(1)
    return float(np.mean(differs))


@dataclass(frozen=True)
class Drift:
    """How far one training is from another; every figure is defined by a function above.

    `first_epoch` is the first recorded epoch after which weights differ (0: the initial weights),
    `before_epoch` the last at which they were equal; both None when they never differ. ULP figures
    and `relative_l2` are of the final weights; `distances` (relative L2) and `ulps` (the largest)
    of each recorded epoch. If not `comparable`, shapes are unlike, and only losses are compared.
    """

    comparable: bool
    loss_difference: float
    bitwise: bool = False
    initial_equal: bool = False
    max_ulp: float = math.inf
    median_ulp: float = math.inf
    relative_l2: float = math.inf
    first_epoch: int | None = 0
    before_epoch: int | None = None
    doubling_epochs: float | None = None
    disagreement: float = 1.0
    epochs: tuple[int, ...] = ()
    distances: tuple[float, ...] = ()
    ulps: tuple[float, ...] = ()
