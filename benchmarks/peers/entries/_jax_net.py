"""The training as JAX and Optax users write it: rows x features."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax


def start(x, y, widths):
    numbers = np.random.default_rng(0)
    sides = itertools.pairwise((4, *widths, 1))
    weights = [
        (jnp.array(numbers.normal(size=(n, m)) * np.sqrt(2 / (n + m)), "float32"), jnp.zeros(m))
        for n, m in sides
    ]
    optimizer = optax.adam(1e-3, eps=1e-7)
    x, y = jnp.array(x), jnp.array(y)

    def loss_of(weights):
        z = x
        for w, b in weights[:-1]:
            z = jax.nn.relu(z @ w + b)
        w, b = weights[-1]
        p = jnp.clip(jax.nn.sigmoid(z @ w + b), 1e-7, 1 - 1e-7)
        return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))

    def step(state, _=None):
        weights, slots = state
        loss, gradients = jax.value_and_grad(loss_of)(weights)
        updates, slots = optimizer.update(gradients, slots)
        return (optax.apply_updates(weights, updates), slots), loss

    return (weights, optimizer.init(weights)), step
