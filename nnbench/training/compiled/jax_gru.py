"""A GRU of default form on JAX, on a CPU: one product for all time steps where that can be.

Keras' backend multiplies the input by its kernel in every time step, and on the way back adds up
the kernels' gradients step by step. Here the input's part of the gates is one product, and so is
each kernel's gradient; what a state's gradient is multiplied by does not depend on that gradient,
so it is computed for all time steps at once, too. Sums are added in another order, nothing else
differs. Masks, recurrent dropout, other activations, unrolled layers, half precision and
`use_cudnn=False` go Keras' way, and so does an LSTM, which gains nothing.

Arrays are time x rows x cells, gates in Keras' order.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@contextlib.contextmanager
def in_few_operations() -> Iterator[None]:
    """GRUs that are traced meanwhile are computed as told above."""
    from keras.src import backend

    plain: Any = backend.gru
    if jax.default_backend() == "cpu":
        backend.gru = functools.partial(_gru, plain)
    try:
        yield
    finally:
        backend.gru = plain


def _gru(plain: Any, x: Any, hidden: Any, mask: Any, **form: Any) -> Any:
    """As `keras.src.backend.gru`: the last output, all outputs, the states."""
    if not form["reset_after"] or not _is_known(mask, form):
        return plain(x, hidden, mask, **form)
    of_input, of_state = (None, None) if form["bias"] is None else jnp.asarray(form["bias"])
    projected, recurrent = _projected(x, of_input, form)
    bias = jnp.zeros(recurrent.shape[1], recurrent.dtype) if of_state is None else of_state
    states = _gru_states(projected, hidden, recurrent, bias)
    return states[-1], jnp.swapaxes(states, 0, 1), [states[-1]]


def _is_known(mask: Any, form: Any) -> bool:
    from keras import activations, ops

    return (
        mask is None
        and jnp.asarray(form["kernel"]).dtype in (jnp.float32, jnp.float64)
        and form["activation"] in (activations.tanh, ops.tanh, jnp.tanh)
        and form["recurrent_activation"] in (activations.sigmoid, ops.sigmoid, jax.nn.sigmoid)
        and not form["unroll"]
    )


def _projected(x: Any, bias: Any, form: Any) -> tuple[jax.Array, jax.Array]:
    """The input's part of the gates in the layer's direction, and the recurrent kernel.

    `x`: rows x time x features.
    """
    kernel, recurrent = jnp.asarray(form["kernel"]), jnp.asarray(form["recurrent_kernel"])
    x = jnp.swapaxes(x, 0, 1).astype(kernel.dtype)
    if form["go_backwards"]:
        x = jnp.flip(x, 0)
    projected = x @ kernel
    return projected if bias is None else projected + jnp.asarray(bias), recurrent


@jax.custom_vjp  # type: ignore[untyped-decorator]
def _gru_states(
    projected: jax.Array, before: jax.Array, recurrent: jax.Array, bias: jax.Array
) -> jax.Array:
    """The states of a GRU after each time step.

    With `reset_after`: Cho and others, EMNLP 2014, in the third version on arXiv.
    """
    return _gru_forward(projected, before, recurrent, bias)[0]


def _gru_forward(projected: Any, before: Any, recurrent: Any, bias: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        product = state @ recurrent + bias
        of_update, of_reset, of_new = jnp.split(product, 3, 1)
        for_update, for_reset, for_new = jnp.split(x, 3, 1)
        kept, opened = jax.nn.sigmoid(for_update + of_update), jax.nn.sigmoid(for_reset + of_reset)
        new = jnp.tanh(for_new + opened * of_new)
        after = kept * state + (1 - kept) * new
        return after, (after, kept, opened, of_new, new)

    _, (states, *made) = lax.scan(step, before.astype(projected.dtype), projected)
    return states, (before, states, recurrent, made)


def _gru_backward(saved: Any, gradient: Any) -> Any:
    first, states, recurrent, (kept, opened, product, new) = saved
    before = jnp.concatenate((first.astype(states.dtype)[None], states[:-1]))
    for_new = (1 - kept) * (1 - new**2)
    gates = jnp.stack(
        ((before - new) * kept * (1 - kept), for_new * product * opened * (1 - opened)), 2
    )
    # By what a state's gradient is multiplied for the products: time x rows x gates x cells.
    factors = jnp.concatenate((gates, (for_new * opened)[:, :, None]), 2)
    # Transposed once, before the loop: XLA would have each product transpose it.
    transposed = lax.optimization_barrier(recurrent.T)

    def step(later: Any, given: Any) -> Any:
        told, kept, factor = given
        here = later + told
        of_product = (here[:, None] * factor).reshape(len(here), -1)
        return here * kept + of_product @ transposed, here

    of_first, all_told = lax.scan(
        step, jnp.zeros_like(states[0]), (gradient, kept, factors), reverse=True
    )
    of_products = (all_told[:, :, None] * factors).reshape(*states.shape[:2], -1)
    of_gates = (all_told[:, :, None] * gates).reshape(*states.shape[:2], -1)
    of_projected = jnp.concatenate((of_gates, all_told * for_new), 2)
    of_recurrent = jnp.einsum("tru,trg->ug", before, of_products)
    return of_projected, of_first.astype(first.dtype), of_recurrent, of_products.sum((0, 1))


_gru_states.defvjp(_gru_forward, _gru_backward)
