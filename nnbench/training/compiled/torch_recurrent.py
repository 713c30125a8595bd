"""Recurrent layers of default form on a CPU: a few operations for all time steps, not for each.

Keras' backend for Torch takes a dozen operations for every time step. While a training step is
recorded, an LSTM takes Torch's own operation instead, and a GRU one that is written here: Torch's
takes the time steps one by one, too. Sums are added in another order; nothing else differs. Masks,
recurrent dropout, other activations, unrolled layers, half precision and layers with
`use_cudnn=False` go Keras' way, but for masks of a GRU.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

from nnbench.training.compiled.torch_tape import Op

DTYPES = (torch.float32, torch.float64)

State = tuple[Any, Any, list[Any]]
"""The last output, all outputs, the states: what Keras' layers ask their backend for."""


def are_in(model: Any) -> bool:
    """Whether a model has layers that may be taken so."""
    import keras

    kinds = keras.layers.LSTM, keras.layers.GRU
    return any(isinstance(layer, kinds) for layer in model._flatten_layers())


def is_own(op: Op) -> bool:
    """Whether an operation is one of those told above."""
    return op.call in (torch.ops.aten.mkldnn_rnn_layer.default, torch.ops.nnbench.gru.default)


@contextlib.contextmanager
def in_few_operations() -> Iterator[None]:
    """Keras' recurrent layers are computed as told above."""
    import keras
    from keras.src import backend

    plain: Any = keras.layers.GRU.inner_loop

    def inner_loop(layer: Any, *given: Any, **named: Any) -> Any:
        # The backend is not told what is output where the mask hides a step.
        zeros = bool(getattr(layer, "zero_output_for_mask", False))
        gru = functools.partial(_gru, backend.gru, zeros)
        with mock.patch.object(backend, "gru", gru):
            return plain(layer, *given, **named)

    lstm = functools.partial(_lstm, backend.lstm)
    with (
        mock.patch.object(backend, "lstm", lstm),
        mock.patch.object(keras.layers.GRU, "inner_loop", inner_loop),
    ):
        yield


def _lstm(plain: Any, x: Any, hidden: Any, carry: Any, mask: Any, **form: Any) -> State:
    """As `keras.src.backend.lstm`, by Torch's operation. `x`: rows x time x features."""
    given = x, hidden, carry, mask
    x, kernel, recurrent, bias, hidden, carry = _tensors(x, form, hidden, carry)
    if mask is not None or kernel.dtype != torch.float32 or not _is_default(x, form):
        return plain(*given, **form)  # type: ignore[no-any-return]
    none = kernel.new_zeros(kernel.shape[1])
    weights = [kernel.t().contiguous(), recurrent.t().contiguous(), none, none]
    if bias is not None:
        weights[2] = bias
    states = hidden.unsqueeze(0), carry.unsqueeze(0)
    backwards = x.flip(1) if form["go_backwards"] else x
    # With biases, in one layer, without dropout, in training, one way, rows first.
    how = True, 1, 0.0, torch.is_grad_enabled(), False, True
    outputs, hidden, carry = torch._VF.lstm(backwards, states, weights, *how)
    return hidden[0], outputs, [hidden[0], carry[0]]


def _gru(plain: Any, zeros: bool, x: Any, hidden: Any, mask: Any, **form: Any) -> State:
    """As `keras.src.backend.gru`, by the operation below. `x`: rows x time x features.

    `zeros`: hidden steps output zeros, not once more what was output before.
    """
    given = x, hidden, mask
    x, kernel, recurrent, bias, hidden = _tensors(x, form, hidden)
    known = kernel.dtype in DTYPES and form["reset_after"] and _is_default(x, form)
    if not known or (mask is not None and mask.ndim != 2):
        return plain(*given, **form)  # type: ignore[no-any-return]
    units, (rows, steps, features) = recurrent.shape[0], x.shape
    if bias is None:
        bias = kernel.new_zeros(2, kernel.shape[1])
    if form["go_backwards"]:
        x, mask = x.flip(1), None if mask is None else mask.flip(1)
    x = x.transpose(0, 1).reshape(steps * rows, features)
    projected = torch.addmm(bias[0], x, kernel).view(steps, rows, 3 * units)
    if mask is not None:
        mask = mask.to(torch.bool).t().unsqueeze(2)
        # A gate that is open wide hands the state on as it is.
        kept, other = projected.split((units, 2 * units), 2)
        projected = torch.cat((kept.masked_fill(~mask, torch.inf), other), 2)
    states = _Gru.apply(projected, hidden, recurrent, bias[1])
    outputs, last = states[1:], states[-1]
    if mask is not None:
        outputs = outputs * (mask if zeros else mask.cumsum(0) > 0)
        return outputs[-1], outputs.transpose(0, 1), [last]
    return last, outputs.transpose(0, 1), [last]


def _tensors(x: Any, form: Any, *states: Any) -> list[Any]:
    """Input, weights and states as tensors of the weights' dtype, as Keras makes them."""
    from keras.src.backend import convert_to_tensor

    given = (form[name] for name in ("kernel", "recurrent_kernel", "bias"))
    weights = [None if one is None else convert_to_tensor(one) for one in given]
    x, *states_ = (convert_to_tensor(one, dtype=weights[0].dtype) for one in (x, *states))
    return [x, *weights, *states_]


def _is_default(x: torch.Tensor, form: Any) -> bool:
    from keras import activations, ops

    return (
        x.device.type == "cpu"
        and form["activation"] in (activations.tanh, ops.tanh, torch.tanh)
        and form["recurrent_activation"] in (activations.sigmoid, ops.sigmoid, torch.sigmoid)
        and not form["unroll"]
    )


class _Gru(torch.autograd.Function):  # type: ignore[misc]
    """All states of a GRU, the first before it begins: time + 1 x rows x units."""

    @staticmethod
    def forward(ctx: Any, projected: Any, before: Any, recurrent: Any, bias: Any) -> Any:
        states, *made = torch.ops.nnbench.gru(projected, before, recurrent, bias)
        ctx.save_for_backward(recurrent, states, *made)
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Any) -> Any:
        return torch.ops.nnbench.gru_backward(gradient, *ctx.saved_tensors)


def _gru_forward(
    projected: torch.Tensor, before: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Keras' GRU with `reset_after` (Cho and others, EMNLP 2014; v3 of their paper).

    `projected`: time x rows x 3 units, the input's part of update gate, reset gate and new state.
    Gives the states, and for the way back the states' products, the gates and the new states.
    """
    steps, rows, wide = projected.shape
    units = wide // 3
    states = projected.new_empty(steps + 1, rows, units)
    products, gates = projected.new_empty(steps, rows, wide), projected[:, :, : 2 * units].clone()
    new = projected.new_empty(steps, rows, units)
    states[0] = before
    of_gates, of_new = products.split((2 * units, units), 2)
    update, reset = gates.split(units, 2)
    parts = states, products, of_gates, gates, update, reset, of_new, projected[:, :, -units:], new
    by_step = zip(states[1:].unbind(), *(part.unbind() for part in parts), strict=False)
    for after, state, product, for_gates, gate, kept, opened, inner, outer, made in by_step:
        torch.addmm(bias, state, recurrent, out=product)
        gate.add_(for_gates).sigmoid_()
        torch.addcmul(outer, opened, inner, out=made).tanh_()
        torch.lerp(made, state, kept, out=after)
    return states, products, gates, new


def _gru_backward(
    gradient: torch.Tensor,
    recurrent: torch.Tensor,
    states: torch.Tensor,
    products: torch.Tensor,
    gates: torch.Tensor,
    new: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    """Gradients of the input's part, the first state, the recurrent kernel and its bias.

    What a gradient of a state is multiplied by does not depend on it: that is computed for all
    time steps at once.
    """
    steps, rows, units = new.shape
    update, reset = gates.split(units, 2)
    mixed = 1 - update
    by_new = mixed * (1 - new * new)
    by_part = new.new_empty(steps, rows, 3, units)
    torch.mul((states[:-1] - new) * update, mixed, out=by_part[:, :, 0])
    torch.mul(by_new * products[:, :, 2 * units :], reset * (1 - reset), out=by_part[:, :, 1])
    torch.mul(by_new, reset, out=by_part[:, :, 2])
    of_states = gradient.clone(memory_format=torch.contiguous_format)
    of_products = torch.empty_like(by_part)
    flat, back = of_products.view(steps, rows, 3 * units), recurrent.t()
    parts = of_states[1:], of_states, by_part, update, of_products, flat
    by_step = list(zip(*(part.unbind() for part in parts), strict=False))
    for of_after, of_state, by, kept, of_product, of_flat in reversed(by_step):
        torch.mul(of_after.unsqueeze(1), by, out=of_product)
        of_state.addcmul_(of_after, kept).addmm_(of_flat, back)
    of_projected = flat.clone()
    torch.mul(of_states[1:], by_new, out=of_projected[:, :, 2 * units :])
    together = flat.view(steps * rows, 3 * units)
    of_recurrent = states[:-1].reshape(steps * rows, units).t().mm(together)
    return of_projected, of_states[0].clone(), of_recurrent, together.sum(0)


# Operations of their own: a recording holds one, not what it does.
_LIBRARY = torch.library.Library("nnbench", "DEF")
_FOUR = "(Tensor, Tensor, Tensor, Tensor)"
for _name, _takes, _does in (
    ("gru", "projected before recurrent bias", _gru_forward),
    ("gru_backward", "gradient recurrent states products gates new", _gru_backward),
):
    _given = ", ".join(f"Tensor {one}" for one in _takes.split())
    _LIBRARY.define(f"{_name}({_given}) -> {_FOUR}")
    _LIBRARY.impl(_name, _does, "CPU")
