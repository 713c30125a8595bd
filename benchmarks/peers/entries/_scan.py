"""A step `(state, (x, y)) -> (state, loss)` of JAX, scanned over what there is to scan."""

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.peers.task import Prepared


def prepare(task, state, step, parameters):
    """Over an epoch's batches; over the epochs where each is one batch."""
    x, y = jnp.array(task.x), jnp.array(task.y)
    key = jax.random.key(0)
    stretches = {}

    @jax.jit(donate_argnums=0)
    def epoch(state, key, x, y):
        order = jax.random.permutation(key, len(x)).reshape(task.steps, -1)
        state, losses = lax.scan(lambda state, rows: step(state, (x[rows], y[rows])), state, order)
        return state, jnp.mean(losses)

    def full_batches(count):
        if count not in stretches:

            @jax.jit(donate_argnums=0)
            def stretch(state, x, y):
                return lax.scan(lambda state, _: step(state, (x, y)), state, length=count)

            stretches[count] = stretch.lower(state, x, y).compile()
        return stretches[count]

    def train(epochs):
        nonlocal state, key
        if task.steps == 1:
            state, losses = full_batches(epochs)(state, x, y)
            return float(losses[-1])
        for _ in range(epochs):
            key, drawn = jax.random.split(key)
            state, loss = epoch(state, drawn, x, y)
        return float(loss)

    return Prepared(train, parameters)
