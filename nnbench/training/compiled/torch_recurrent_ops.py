"""A GRU and an LSTM over all time steps as one operation of Torch each, forwards and backwards.

They are operations, `torch.ops.nnbench.gru` and so on, that a recording holds as such; what they do
is no part of it. What a state's gradient is multiplied by on the way back does not depend on that
gradient, so it is computed for all time steps at once, and few operations are left for each.

Tensors are time x rows x cells, gates in Keras' order. The input's part of the gates, `projected`,
is computed before. Where a gate is to be wide open or shut, it is infinite there.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def _gru_back(ctx: Any, gradient: Tensor) -> Any:
    return torch.ops.nnbench.gru_backward(gradient, *ctx.saved_tensors)


def _lstm_back(ctx: Any, *gradients: Tensor) -> Any:
    return *torch.ops.nnbench.lstm_backward(*gradients, *ctx.saved_tensors), None


class Gru(torch.autograd.Function):  # type: ignore[misc]
    """All states of a GRU from the first, which it is given, to the last: time + 1."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Any:
        """Takes what `gru` takes."""
        states, *made = torch.ops.nnbench.gru(*given)
        ctx.save_for_backward(given[2], states, *made)
        return states

    backward = staticmethod(once_differentiable(_gru_back))


class Lstm(torch.autograd.Function):  # type: ignore[misc]
    """All states and all carries of an LSTM, time + 1; where `shown` is 0, a state stays."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Any:
        """Takes what `lstm` takes."""
        states, carries, *made = torch.ops.nnbench.lstm(*given)
        ctx.save_for_backward(*given[3:], states, carries, *made)
        return states, carries

    backward = staticmethod(once_differentiable(_lstm_back))


def gru(
    projected: Tensor, before: Tensor, recurrent: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keras' GRU with `reset_after` (Cho and others, EMNLP 2014, in the third version on arXiv).

    Gives the states, and for the way back their products, the gates and the new states.
    """
    steps, rows, wide = projected.shape
    units = wide // 3
    states = projected.new_empty(steps + 1, rows, units)
    states[0] = before
    products, new = torch.empty_like(projected), projected.new_empty(steps, rows, units)
    gates, inner = projected[:, :, : 2 * units].clone(), projected[:, :, 2 * units :]
    of_gates, of_new = products.split((2 * units, units), 2)
    update, reset = gates.split(units, 2)
    parts = states, states[1:], products, of_gates, of_new, gates, update, reset, inner, new
    for state, after, product, for_gates, for_new, gate, kept, opened, x, made in _by_step(*parts):
        torch.addmm(bias, state, recurrent, out=product)
        gate.add_(for_gates).sigmoid_()
        torch.addcmul(x, opened, for_new, out=made).tanh_()
        torch.lerp(made, state, kept, out=after)
    return states, products, gates, new


def gru_backward(
    gradient: Tensor,
    recurrent: Tensor,
    states: Tensor,
    products: Tensor,
    gates: Tensor,
    new: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of all that `gru` takes, from that of the states."""
    steps, rows, units = new.shape
    update, reset = gates.split(units, 2)
    mixed = 1 - update
    by_new = mixed * (1 - new * new)
    by_part = new.new_empty(steps, rows, 3, units)
    torch.mul((states[:-1] - new) * update, mixed, out=by_part[:, :, 0])
    torch.mul(by_new * products[:, :, 2 * units :], reset * (1 - reset), out=by_part[:, :, 1])
    torch.mul(by_new, reset, out=by_part[:, :, 2])
    of_states, of_parts = gradient.contiguous().clone(), torch.empty_like(by_part)
    flat, back = of_parts.view(steps, rows, 3 * units), recurrent.t()
    parts = of_states, of_states[1:], by_part, update, of_parts, flat
    for of_state, of_after, by, kept, of_part, of_product in reversed(list(_by_step(*parts))):
        torch.mul(of_after.unsqueeze(1), by, out=of_part)
        of_state.addcmul_(of_after, kept).addmm_(of_product, back)
    of_projected = flat.clone()
    torch.mul(of_states[1:], by_new, out=of_projected[:, :, 2 * units :])
    of_recurrent = _of_recurrent(states, flat)
    return of_projected, of_states[0].clone(), of_recurrent, flat.sum((0, 1))


def lstm(
    projected: Tensor, before: Tensor, carry: Tensor, recurrent: Tensor, shown: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Keras' LSTM (Hochreiter and Schmidhuber, 1997); `shown`: time x rows x 1, 0 or 1.

    Gives states and carries, and for the way back the gates, the new part and the carries' tanh.
    """
    steps, rows, wide = projected.shape
    units = wide // 4
    states, carries = (projected.new_empty(steps + 1, rows, units) for _ in range(2))
    states[0], carries[0] = before, carry
    gates, new, bent = projected.clone(), *(torch.empty_like(states[1:]) for _ in range(2))
    parts = states, states[1:], carries, carries[1:], gates, *gates.split(units, 2), new, bent
    for state, after, held, holds, gate, entry, kept, inner, told, made, tanh, seen in _by_step(
        *parts, shown
    ):
        gate.addmm_(state, recurrent)
        torch.tanh(inner, out=made)
        gate.sigmoid_()
        torch.mul(kept, held, out=holds).addcmul_(entry, made)
        torch.tanh(holds, out=tanh)
        torch.lerp(state, told * tanh, seen, out=after)
    return states, carries, gates, new, bent


def lstm_backward(
    gradient: Tensor,
    of_carries: Tensor,
    recurrent: Tensor,
    shown: Tensor,
    states: Tensor,
    carries: Tensor,
    gates: Tensor,
    new: Tensor,
    bent: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of all that `lstm` takes but `shown`, from those of the states and carries."""
    steps, rows, units = new.shape
    entry, kept, _, told = gates.split(units, 2)
    of_parts = gates.new_empty(steps, rows, 4, units)
    by_part, told_shown = torch.empty_like(of_parts), told * shown
    torch.mul(new * entry, 1 - entry, out=by_part[:, :, 0])
    torch.mul(carries[:-1] * kept, 1 - kept, out=by_part[:, :, 1])
    torch.mul(entry, 1 - new * new, out=by_part[:, :, 2])
    torch.mul(bent * told_shown, 1 - told, out=by_part[:, :, 3])
    by_carry, hidden = told_shown * (1 - bent * bent), 1 - shown
    of_states, of_carries = gradient.contiguous().clone(), of_carries.contiguous().clone()
    flat, back = of_parts.view(steps, rows, 4 * units), recurrent.t()
    by_way = by_part[:, :, :3], of_parts[:, :, :3], by_part[:, :, 3], of_parts[:, :, 3]
    of_both = of_states, of_states[1:], of_carries, of_carries[1:]
    for of_state, of_after, of_held, of_holds, by, by_3, of_3, by_told, of_told, *rest in reversed(
        list(_by_step(*of_both, by_carry, *by_way, kept, hidden, flat))
    ):
        keeps, stays, of_gate = rest
        of_holds.addcmul_(of_after, by)
        torch.mul(of_holds.unsqueeze(1), by_3, out=of_3)
        torch.mul(of_after, by_told, out=of_told)
        of_held.addcmul_(of_holds, keeps)
        of_state.addcmul_(of_after, stays).addmm_(of_gate, back)
    of_recurrent = _of_recurrent(states, flat)
    return flat, of_states[0].clone(), of_carries[0].clone(), of_recurrent


def _by_step(*parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(part.unbind() for part in parts), strict=False)


def _of_recurrent(states: Tensor, of_products: Tensor) -> Tensor:
    """Gradient of the recurrent kernel, from that of the states' products with it."""
    return states[:-1].flatten(0, 1).t().mm(of_products.flatten(0, 1))


_LIBRARY = torch.library.Library("nnbench", "DEF")
for _does in (gru, gru_backward, lstm, lstm_backward):
    _LIBRARY.define(_does.__name__ + torch.library.infer_schema(_does, mutates_args=()))
    _LIBRARY.impl(_does.__name__, _does, "CPU")
