"""A GRU of default form on JAX, on a CPU: one product for all time steps where that can be.

Keras' backend multiplies the input by its kernel in every time step, and on the way back adds up
the kernels' gradients step by step. Here the input's part of the gates is one product, and so is
each kernel's gradient; what a state's gradient is multiplied by does not depend on that gradient,
so it is computed for all time steps at once, too. Sums are added in another order, nothing else
differs. Masks, recurrent dropout, other activations, unrolled layers, half precision and
`use_cudnn=False` go Keras' way, and so does an LSTM, which gains nothing.

Within the loops a state is cells x rows, and all that is no product one long vector: of rows of a
few cells XLA makes no vector instructions, nor of a part of each row.
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
    """The states of a GRU after each time step, time x rows x cells; gates in Keras' order.

    With `reset_after`: Cho and others, EMNLP 2014, in the third version on arXiv.
    """
    return _gru_forward(projected, before, recurrent, bias)[0]


def _gru_forward(projected: Any, before: Any, recurrent: Any, bias: Any) -> Any:
    rows, units = before.shape
    # Transposed once, before the loop: XLA would have each product transpose it.
    transposed = lax.optimization_barrier(recurrent.T)
    # What is added to the gates is so before the loop; the new state's is behind a gate.
    of_gates, of_new = jnp.split(jnp.repeat(bias, rows), [2 * units * rows])
    given = _cells_first(projected) + jnp.concatenate((of_gates, jnp.zeros_like(of_new)))

    def step(state: Any, given: Any) -> Any:
        for_update, for_reset, for_new = jnp.split(given, 3)
        product = (transposed @ state.reshape(units, rows)).ravel()
        to_update, to_reset, to_new = jnp.split(product, 3)
        kept, opened = _sigmoid(for_update + to_update), _sigmoid(for_reset + to_reset)
        to_new = to_new + of_new
        new = jnp.tanh(for_new + opened * to_new)
        after = kept * state + (1 - kept) * new
        return after, (after, kept, opened, to_new, new)

    first = before.astype(projected.dtype).T.ravel()
    _, (states, *made) = lax.scan(step, first, given)
    return _rows_first(states, rows), (before, states, recurrent, made)


def _gru_backward(saved: Any, gradient: Any) -> Any:
    first, states, recurrent, (kept, opened, product, new) = saved
    rows, units = first.shape
    before = jnp.concatenate((first.astype(states.dtype).T.reshape(1, -1), states[:-1]))
    for_new = (1 - kept) * (1 - new**2)
    # By what a state's gradient is multiplied for the product with it.
    of_gates = (before - new) * kept * (1 - kept), for_new * product * opened * (1 - opened)
    factors = (*of_gates, for_new * opened)

    def step(later: Any, given: Any) -> Any:
        told, kept, *factors = given
        here = later + told
        of_product = jnp.concatenate([here * factor for factor in factors])
        return here * kept + (recurrent @ of_product.reshape(-1, rows)).ravel(), here

    given = _cells_first(gradient), kept, *factors
    of_first, told = lax.scan(step, jnp.zeros_like(states[0]), given, reverse=True)
    of_products = jnp.concatenate([_rows_first(told * one, rows) for one in factors], 2)
    of_new = _rows_first(told * for_new, rows)
    of_projected = jnp.concatenate((of_products[:, :, : 2 * units], of_new), 2)
    by_row = _rows_first(before, rows).reshape(-1, units)
    of_recurrent = by_row.T @ of_products.reshape(len(by_row), -1)
    of_first = of_first.reshape(units, rows).T.astype(first.dtype)
    return of_projected, of_first, of_recurrent, of_products.sum((0, 1))


def _sigmoid(x: Any) -> Any:
    """The logistic function by way of a tangent, which XLA computes faster; it rounds otherwise."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def _cells_first(x: Any) -> Any:
    """Time x rows x cells as time x (cells x rows)."""
    return jnp.swapaxes(x, 1, 2).reshape(len(x), -1)


def _rows_first(x: Any, rows: int) -> Any:
    """The other way."""
    return jnp.swapaxes(x.reshape(len(x), -1, rows), 1, 2)


_gru_states.defvjp(_gru_forward, _gru_backward)
