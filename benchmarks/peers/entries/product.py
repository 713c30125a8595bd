"""Not a peer: three products of 1024 x 1024 weights with the data's rows, as a wide layer has."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.task import Prepared

SIDE = 1024


def prepare(task):
    if task.family != "dense":
        raise NotImplementedError("it is the yardstick of chains of Dense layers")
    numbers = np.random.default_rng(0)
    z, d = (jnp.array(numbers.normal(size=(len(task.x), SIDE)), "float32") for _ in range(2))
    w = jnp.array(numbers.normal(size=(SIDE, SIDE)), "float32")
    products = jax.jit(lambda z, w, d: (z @ w, d @ w.T, z.T @ d))

    def train(times):
        for _ in range(times):
            jax.block_until_ready(products(z, w, d))
        return 0.0

    return Prepared(train)
