"""A jitted step that Python calls with each batch."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.task import Prepared


def prepare(task, step, parameters):
    """`step` takes rows and labels, keeps the state by itself, and returns the loss."""
    numbers = np.random.default_rng(0)
    full = jnp.array(task.x), jnp.array(task.y)

    def train(epochs):
        for _ in range(epochs):
            losses = []
            for rows in task.batches(numbers):
                batch = full if task.steps == 1 else (task.x[rows], task.y[rows])
                losses.append(step(*batch))
        return float(np.mean(jax.block_until_ready(losses)))

    return Prepared(train, parameters)


def prepare_pure(task, state, step, parameters):
    """`step` is a function `(state, (x, y)) -> (state, loss)`, not jitted yet."""
    jitted = jax.jit(step, donate_argnums=0)

    def keeping(x, y):
        nonlocal state
        state, loss = jitted(state, (x, y))
        return loss

    return prepare(task, keeping, parameters)
