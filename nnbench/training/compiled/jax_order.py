"""An order of rows, drawn on the device without sorting.

A Feistel network over pairs of digits maps the rows one to one to rows; its functions are keyed by
random bits. Numbers beyond the last row are mapped on until they are rows ("cycle walking": Black
and Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002). For shuffling on devices see
Mitchell, Stokes, Frank and Holmes, Bandwidth-Optimal Random Shuffling for GPUs, 2021.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

ROUNDS = 8
"""Four for each digit, of which three make a pseudorandom permutation (Luby and Rackoff, 1988)."""


def drawn(key: jax.Array, rows: int) -> jax.Array:
    """Each of so many rows once, as int32 of shape (rows,). `key` decides the order."""
    keys = jax.random.bits(key, (ROUNDS,))
    low = math.isqrt(rows - 1) + 1
    high = -(-rows // low)

    def beyond(numbers: jax.Array) -> jax.Array:
        return jnp.any(numbers >= rows)

    def mapped_on(numbers: jax.Array) -> jax.Array:
        return jnp.where(numbers >= rows, _mapped(numbers, keys, high, low), numbers)

    first = _mapped(jnp.arange(rows, dtype=jnp.uint32), keys, high, low)
    return lax.while_loop(beyond, mapped_on, first).astype(jnp.int32)


def _mapped(numbers: jax.Array, keys: jax.Array, high: int, low: int) -> jax.Array:
    """One to one within 0 to `high` x `low` - 1, both below 2^16."""
    upper, lower = numbers // jnp.uint32(low), numbers % jnp.uint32(low)
    for turn in range(0, ROUNDS, 2):
        upper = _moved(upper, _hashed(lower ^ keys[turn]), high)
        lower = _moved(lower, _hashed(upper ^ keys[turn + 1]), low)
    return upper * jnp.uint32(low) + lower


def _moved(digit: jax.Array, by: jax.Array, base: int) -> jax.Array:
    """A digit moved round by what 16 bits of a hash are in its base."""
    moved = digit + ((by >> 16) * jnp.uint32(base) >> 16)
    return jnp.where(moved >= base, moved - jnp.uint32(base), moved)


def _hashed(bits: jax.Array) -> jax.Array:
    """MurmurHash3's finalizer: every bit of the input moves every bit of the output."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
