"""Recurrent layers of default form on a CPU: a few operations for all time steps, not for each.

Keras' backend for Torch takes a dozen operations for every time step. While a training step is
recorded, an LSTM takes Torch's own operation instead; a GRU, which Torch takes step by step as
well, and whatever has a mask, take those of `torch_recurrent_ops`. Sums are added in another order,
nothing else differs. Recurrent dropout, other activations, unrolled layers, half precision and
`use_cudnn=False` go Keras' way.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from nnbench.training.compiled.torch_recurrent_ops import Gru, Lstm
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
    own = torch.ops.nnbench.lstm.default, torch.ops.nnbench.gru.default
    return op.call in (torch.ops.aten.mkldnn_rnn_layer.default, *own)


@contextlib.contextmanager
def in_few_operations() -> Iterator[None]:
    """Keras' recurrent layers are computed as told above."""
    import keras

    with _asking(keras.layers.LSTM, "lstm", _lstm), _asking(keras.layers.GRU, "gru", _gru):
        yield


@contextlib.contextmanager
def _asking(kind: Any, name: str, ours: Callable[..., State]) -> Iterator[None]:
    """Layers of a kind ask this function, not that of their backend."""
    from keras.src import backend

    loop: Any = kind.inner_loop

    def inner_loop(layer: Any, *given: Any, **named: Any) -> Any:
        # The backend is not told what is output where the mask hides a time step.
        zeros = bool(getattr(layer, "zero_output_for_mask", False))
        asked = functools.partial(ours, getattr(backend, name), zeros)
        with mock.patch.object(backend, name, asked):
            return loop(layer, *given, **named)

    with mock.patch.object(kind, "inner_loop", inner_loop):
        yield


def _lstm(
    plain: Any, zeros: bool, x: Any, hidden: Any, carry: Any, mask: Any, **form: Any
) -> State:
    """As `keras.src.backend.lstm`; `zeros`: hidden time steps output zeros, not the last output."""
    given = x, hidden, carry, mask
    x, kernel, recurrent, bias, hidden, carry = _tensors(x, form, hidden, carry)
    if not _is_known(x, kernel, mask, form):
        return plain(*given, **form)  # type: ignore[no-any-return]
    if bias is None:
        bias = kernel.new_zeros(kernel.shape[1])
    if mask is None and kernel.dtype == torch.float32:
        backwards = x.flip(1) if form["go_backwards"] else x
        kernels = kernel.t().contiguous(), recurrent.t().contiguous()
        weights = [*kernels, bias, torch.zeros_like(bias)]
        # With biases, in one layer, without dropout, in training, one way, rows first.
        how = True, 1, 0.0, torch.is_grad_enabled(), False, True
        states = hidden.unsqueeze(0), carry.unsqueeze(0)
        outputs, hidden, carry = torch._VF.lstm(backwards, states, weights, *how)
        return hidden[0], outputs, [hidden[0], carry[0]]
    projected, shown = _projected(x, kernel, bias, mask, form)
    if mask is not None:
        # Nothing goes into the carry, and nothing out of it.
        units = recurrent.shape[0]
        entry, kept, other = projected.tensor_split((units, 2 * units), 2)
        entry, kept = entry.masked_fill(~shown, -torch.inf), kept.masked_fill(~shown, torch.inf)
        projected = torch.cat((entry, kept, other), 2)
    states, carries = Lstm.apply(projected, hidden, carry, recurrent, shown.to(projected.dtype))
    return _answer(states, [states[-1], carries[-1]], None if mask is None else shown, zeros)


def _gru(plain: Any, zeros: bool, x: Any, hidden: Any, mask: Any, **form: Any) -> State:
    """As `keras.src.backend.gru`; `zeros` as above."""
    given = x, hidden, mask
    x, kernel, recurrent, bias, hidden = _tensors(x, form, hidden)
    if not form["reset_after"] or not _is_known(x, kernel, mask, form):
        return plain(*given, **form)  # type: ignore[no-any-return]
    if bias is None:
        bias = kernel.new_zeros(2, kernel.shape[1])
    projected, shown = _projected(x, kernel, bias[0], mask, form)
    if mask is not None:
        # A gate that is wide open hands the state on as it is.
        kept, other = projected.tensor_split((recurrent.shape[0],), 2)
        projected = torch.cat((kept.masked_fill(~shown, torch.inf), other), 2)
    states = Gru.apply(projected, hidden, recurrent, bias[1])
    return _answer(states, [states[-1]], None if mask is None else shown, zeros)


def _tensors(x: Any, form: Any, *states: Any) -> list[Any]:
    """Input, weights and states as tensors of the weights' dtype, as Keras makes them."""
    from keras.src.backend import convert_to_tensor

    kernel, recurrent = map(convert_to_tensor, (form["kernel"], form["recurrent_kernel"]))
    bias = None if form["bias"] is None else convert_to_tensor(form["bias"])
    x, *before = (convert_to_tensor(one, dtype=kernel.dtype) for one in (x, *states))
    return [x, kernel, recurrent, bias, *before]


def _is_known(x: torch.Tensor, kernel: torch.Tensor, mask: Any, form: Any) -> bool:
    from keras import activations, ops

    return (
        x.device.type == "cpu"
        and kernel.dtype in DTYPES
        and (mask is None or mask.ndim == 2)
        and form["activation"] in (activations.tanh, ops.tanh, torch.tanh)
        and form["recurrent_activation"] in (activations.sigmoid, ops.sigmoid, torch.sigmoid)
        and not form["unroll"]
    )


def _projected(x: Any, kernel: Any, bias: Any, mask: Any, form: Any) -> tuple[Any, Any]:
    """The input's part of the gates, time x rows x cells, and what the mask shows of it.

    `x`: rows x time x features. Both run as the layer does, backwards if it does.
    """
    rows, steps, features = x.shape
    shown = x.new_ones(rows, steps, dtype=torch.bool) if mask is None else mask.to(torch.bool)
    if form["go_backwards"]:
        x, shown = x.flip(1), shown.flip(1)
    together = x.transpose(0, 1).reshape(steps * rows, features)
    return torch.addmm(bias, together, kernel).view(steps, rows, -1), shown.t().unsqueeze(2)


def _answer(states: Any, last: list[Any], shown: Any, zeros: bool) -> State:
    """What Keras asks for, of all states; `shown`: what the mask shows, None without a mask."""
    outputs = states[1:]
    if shown is None:
        return last[0], outputs.transpose(0, 1), last
    # Before the first time step that is shown there is no output to tell once more.
    outputs = outputs * (shown if zeros else shown.cumsum(0) > 0)
    return outputs[-1], outputs.transpose(0, 1), last
