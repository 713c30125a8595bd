"""Not a peer: three products of 1024 x 1024 weights with the data's rows, as a wide layer has."""

import jax
import jax.numpy as jnp
import numpy as np

SIDE = 1024


def prepare(x, y, widths):
    numbers = np.random.default_rng(0)
    z, d = (jnp.array(numbers.normal(size=(len(x), SIDE)), "float32") for _ in range(2))
    w = jnp.array(numbers.normal(size=(SIDE, SIDE)), "float32")
    products = jax.jit(lambda z, w, d: (z @ w, d @ w.T, z.T @ d))
    return lambda times: [jax.block_until_ready(products(z, w, d)) for _ in range(times)]
