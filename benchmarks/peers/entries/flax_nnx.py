import itertools

import jax
import jax.numpy as jnp
import optax
from flax import nnx


def prepare(x, y, widths):
    keys = nnx.Rngs(0)
    sides = itertools.pairwise((4, *widths))
    hidden = [part for n, m in sides for part in (nnx.Linear(n, m, rngs=keys), nnx.relu)]
    net = nnx.Sequential(*hidden, nnx.Linear(widths[-1], 1, rngs=keys))
    optimizer = nnx.Optimizer(net, optax.adam(1e-3, eps=1e-7), wrt=nnx.Param)
    x, y = jnp.array(x), jnp.array(y)

    @nnx.jit
    def step(net, optimizer):
        def loss_of(net):
            p = jnp.clip(jax.nn.sigmoid(net(x)), 1e-7, 1 - 1e-7)
            return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))

        loss, gradients = nnx.value_and_grad(loss_of)(net)
        optimizer.update(net, gradients)
        return loss

    return lambda epochs: jax.block_until_ready([step(net, optimizer) for _ in range(epochs)])
