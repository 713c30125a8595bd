"""The values that Keras gives new variables on JAX, without a program for each shape of them.

Keras draws weights operation by operation, and JAX compiles a program for each of them and for each
shape: a second for three layers. Nearly all of that is the hash which makes random bits of a key
and a number (Threefry: Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3,
SC 2011). Here NumPy hashes, since whole numbers are the same everywhere. What rounds is left to
XLA, in a program that serves all shapes. So every value is the one that Keras would have drawn, to
the last bit; what is not known to be so is left to Keras.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEWEST = 0, 10
"""JAX's newest version whose draws were compared with these; a newer one is left to draw."""

MOST = 2**20
"""Values of a variable beyond which XLA's program pays, which several cores run."""

CHUNK = 4096
"""Values that the programs make at a time."""

Bits = NDArray[np.uint32]
Drawn = NDArray[np.float32]


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Within, variables that Keras makes on JAX get their values so; nothing else is changed.

    It does nothing on other backends and on other devices than one CPU.
    """
    import keras

    if keras.backend.backend() != "jax" or not _takes_part():
        yield
        return
    from keras.src.backend import numpy as ops
    from keras.src.backend import random

    replaced = [
        (module, name, getattr(module, name), ours)
        for module, name, ours in (
            (random, "uniform", _uniform),
            (random, "normal", _normal),
            (random, "truncated_normal", _truncated_normal),
            (ops, "zeros", _filled(np.zeros)),
            (ops, "ones", _filled(np.ones)),
        )
    ]
    try:
        for module, name, theirs, ours in replaced:
            setattr(module, name, _or_else(ours, theirs))
        yield
    finally:
        for module, name, theirs, _ in replaced:
            setattr(module, name, theirs)


class _LeftError(Exception):
    """It is left to Keras."""


def _takes_part() -> bool:
    """Whether JAX draws bits on one CPU as it does by itself."""
    import jax
    import keras

    settings = jax.config.values
    return bool(
        jax.__version_info__[:2] <= NEWEST
        and jax.default_backend() == "cpu"
        and keras.distribution.distribution() is None
        and settings["jax_default_prng_impl"] == "threefry2x32"
        and settings["jax_threefry_partitionable"]
    )


def _or_else(ours: Callable[..., Any], theirs: Callable[..., Any]) -> Callable[..., Any]:
    def value(*args: Any, **options: Any) -> Any:
        import jax

        try:
            # A shape may be anything that Keras takes, and so may all others.
            with jax.ensure_compile_time_eval():
                return jax.device_put(ours(*args, **options))
        except _LeftError:
            return theirs(*args, **options)

    return value


def _filled(make: Callable[..., Any]) -> Callable[..., Any]:
    def filled(shape: Any, dtype: Any = None) -> Any:
        _count(shape, dtype)
        return make(shape, np.float32)

    return filled


def _uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Drawn:
    ends = _float32(minval), _float32(maxval)
    return _drawn(_programs()["uniform"], shape, dtype, seed, *ends)


def _normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Drawn:
    moments = _float32(mean), _float32(stddev)
    return _moved(_drawn(_programs()["normal"], shape, dtype, seed), *moments)


def _truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Drawn:
    moments = _float32(mean), _float32(stddev)
    ends = np.float32(-2), np.float32(2)
    return _moved(_drawn(_programs()["truncated"], shape, dtype, seed, *ends), *moments)


def _moved(drawn: Drawn, mean: np.float32, stddev: np.float32) -> Drawn:
    """Two roundings, as of two operations of Keras."""
    return drawn * stddev + mean


def _drawn(program: Any, shape: Any, dtype: Any, seed: Any, *ends: np.float32) -> Drawn:
    count = _count(shape, dtype)
    bits = np.zeros(-(-count // CHUNK) * CHUNK, np.uint32)
    bits[:count] = _bits(_key(seed), count)
    parts = [np.asarray(program(chunk, *ends)) for chunk in bits.reshape(-1, CHUNK)]
    return np.concatenate(parts)[:count].reshape(shape)


def _count(shape: Any, dtype: Any) -> int:
    import keras

    whole = isinstance(shape, tuple | list) and all(isinstance(side, int) for side in shape)
    if not whole or (dtype or keras.config.floatx()) not in ("float32", np.float32):
        raise _LeftError
    count: int = math.prod(shape)
    if not 0 < count <= MOST:
        raise _LeftError
    return count


def _float32(value: Any) -> np.float32:
    if not isinstance(value, float | int):
        raise _LeftError
    return np.float32(value)


def _key(seed: Any) -> tuple[int, int]:
    """The two halves of the key that Keras makes of an initializer's seed."""
    if isinstance(seed, int) and 0 <= seed < 2**32:
        return seed, 0
    raise _LeftError


def _bits(key: tuple[int, int], count: int) -> Bits:
    """The random bits of the first `count` numbers, below 2^32, as JAX draws them."""
    keys = np.array([*key, key[0] ^ key[1] ^ 0x1BD11BDA], np.uint32)
    left, right = np.full(count, keys[0]), np.arange(count, dtype=np.uint32) + keys[1]
    for turn in range(5):
        for by in ((13, 15, 26, 6), (17, 29, 16, 24))[turn % 2]:
            left += right
            right = (right << np.uint32(by)) | (right >> np.uint32(32 - by))
            right ^= left
        left += keys[(turn + 1) % 3]
        right += keys[(turn + 2) % 3]
        right += np.uint32(turn + 1)
    bits: Bits = left ^ right
    return bits


@cache
def _programs() -> dict[str, Callable[..., Any]]:
    """What makes numbers of `CHUNK` bits: the arithmetic of JAX's functions of these names."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    root, one, infinity = np.float32(np.sqrt(2)), np.float32(1), np.float32(np.inf)

    def uniform(bits: Any, low: Any, high: Any) -> Any:
        mantissas = (bits >> np.uint32(9)) | one.view(np.uint32)
        unit = lax.bitcast_convert_type(mantissas, np.float32) - one
        return lax.max(low, unit * (high - low) + low)

    def normal(bits: Any) -> Any:
        return root * lax.erf_inv(uniform(bits, np.nextafter(-one, np.float32(0)), one))

    def truncated(bits: Any, low: Any, high: Any) -> Any:
        made = root * lax.erf_inv(uniform(bits, lax.erf(low / root), lax.erf(high / root)))
        return jnp.clip(made, lax.nextafter(low, infinity), lax.nextafter(high, -infinity))

    return {made.__name__: jax.jit(made) for made in (uniform, normal, truncated)}
