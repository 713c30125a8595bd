"""Recurrent layers and their cells."""

import math
from dataclasses import replace
from typing import Any

from nnbench.workload.counts.calls import Call, keras_kind
from nnbench.workload.counts.work import Work, activation, rule


@rule("LSTM", "GRU", "SimpleRNN", "RNN")
def _recurrent(call: Call) -> Work | None:
    rows, steps, inputs = call.inputs[0][:3]
    return _cells(getattr(call.layer.cell, "cells", [call.layer.cell]), rows * steps, inputs)


@rule("LSTMCell", "GRUCell", "SimpleRNNCell")
def _one_step(call: Call) -> Work | None:
    rows, inputs = call.inputs[0]
    return _cells([call.layer], rows, inputs)


def _cells(cells: list[Any], turns: int, inputs: int) -> Work | None:
    """Cells on top of each other; what enters all but the first comes of trained weights."""
    whole = Work()
    for position, cell in enumerate(cells):
        work = _cell(cell, turns, inputs)
        if work is None:
            return None
        if position:
            work = replace(work, product=0, through=work.product + work.through)
        whole, inputs = whole + work, cell.units
    return whole


def _cell(cell: Any, turns: int, inputs: int) -> Work | None:
    """A recurrent cell; its state comes of its own weights."""
    gates = {"LSTMCell": 4, "GRUCell": 3, "SimpleRNNCell": 1}.get(keras_kind(cell) or "")
    if gates is None:
        return None
    values = turns * cell.units
    inner = activation(cell.activation, values)
    gate = activation(getattr(cell, "recurrent_activation", None) or cell.activation, values)
    # LSTM: three gates, the new cell, tanh of the state, two products and a sum, one product more.
    # GRU: two gates, the new state, its product with a gate, and a sum of two weighted states.
    squashes = {4: (3, 2, 4), 3: (2, 1, 5), 1: (0, 1, 0)}[gates]
    sums = gates * (2 if cell.use_bias else 1)
    each = squashes[2] + sums
    return Work(
        product=2 * values * gates * inputs,
        through=2 * values * gates * cell.units,
        forward=each * values + squashes[0] * gate.forward + squashes[1] * inner.forward,
        backward=each * values + squashes[0] * gate.backward + squashes[1] * inner.backward,
        held=values * {4: 5, 3: 4, 1: 0}[gates],
        missing=inner.missing or gate.missing,
    )


@rule("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
def _conv_lstm(call: Call) -> Work:
    cell = call.layer.cell
    rows, steps = call.inputs[0][:2]
    image = call.outputs[0][2 if call.layer.return_sequences else 1 :]
    turns = rows * steps * (math.prod(image) // cell.filters)
    values = turns * cell.filters
    each = activation(cell.activation, values), activation(cell.recurrent_activation, values)
    elementwise = 12 * values
    return Work(
        product=2 * turns * math.prod(cell.kernel.shape),
        through=2 * turns * math.prod(cell.recurrent_kernel.shape),
        forward=elementwise + 3 * each[1].forward + 2 * each[0].forward,
        backward=elementwise + 3 * each[1].backward + 2 * each[0].backward,
        held=5 * values,
        missing=each[0].missing or each[1].missing,
    )
