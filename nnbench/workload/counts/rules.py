"""How many operations a call of each kind of Keras layer takes.

A multiply-add is two operations; an exponential, a root or a division is one. A product is what a
matrix unit does: its backward pass is one product as large for the weights' gradient and one for
the inputs'. Everything else is elementwise.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nnbench.workload.counts.calls import Call
from nnbench.workload.counts.records import Shape

ACTIVATIONS = {
    "linear": 0, "relu": 1, "relu6": 2, "leaky_relu": 2, "hard_sigmoid": 4, "hard_silu": 5,
    "hard_swish": 5, "elu": 3, "selu": 4, "celu": 4, "softplus": 3, "softsign": 3, "silu": 5,
    "swish": 5, "sigmoid": 4, "tanh": 5, "gelu": 9, "mish": 9, "exponential": 1, "softmax": 5,
    "log_softmax": 6, "log_sigmoid": 5,
}  # fmt: skip
"""Operations an element costs."""


@dataclass(frozen=True)
class Work:
    """Operations of one call: forward, and what the backward pass makes of them.

    `product` multiplies inputs with weights; `inner` multiplies two results with each other, or
    with a state that needs its gradient; `forward` and `backward` are elementwise. `held` counts
    the values that are kept for the backward pass besides the outputs.
    """

    product: int = 0
    inner: int = 0
    forward: int = 0
    backward: int = 0
    held: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.product + other.product,
            self.inner + other.inner,
            self.forward + other.forward,
            self.backward + other.backward,
            self.held + other.held,
        )


Rule = Callable[[Call], Work | None]
"""None: this layer, as it is set, is not counted."""

RULES: dict[str, Rule] = {}
"""By the name of Keras' class; a class derived from it that has its own `call` has no rule."""

VIEWS: set[str] = set()
"""Kinds whose output is their input, seen otherwise: they compute and hold nothing."""


def _rule(*kinds: str) -> Callable[[Rule], Rule]:
    def enter(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return enter


def _same(operations: int, backward: int | None = None) -> Rule:
    """So many operations an element of the output."""

    def rule(call: Call) -> Work:
        size = _size(call.outputs[0])
        back = operations if backward is None else backward
        return Work(forward=operations * size, backward=back * size)

    return rule


def _size(shape: Shape) -> int:
    return math.prod(shape)


def _activation(function: Any, size: int) -> Work | None:
    """The work of an activation function on so many elements; its derivative is one operation."""
    name = getattr(function, "__name__", None) or type(function).__name__
    each = ACTIVATIONS.get(name, ACTIVATIONS.get(_snake(name)))
    return None if each is None else Work(forward=each * size, backward=size)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _with_weights(call: Call, product: int) -> Work | None:
    """A product with weights, then bias and activation."""
    size = _size(call.outputs[0])
    after = _activation(call.layer.activation, size)
    if after is None:
        return None
    bias = Work(forward=size, backward=size) if _has_bias(call.layer) else Work()
    return Work(product=product) + bias + after


def _has_bias(layer: Any) -> bool:
    return getattr(layer, "bias", None) is not None


@_rule("Dense")
def _dense(call: Call) -> Work | None:
    return _with_weights(call, 2 * _size(call.outputs[0]) * call.inputs[0][-1])


@_rule("EinsumDense")
def _einsum_dense(call: Call) -> Work | None:
    kernel = tuple(call.layer.kernel.shape)
    return _with_weights(call, _einsum(call.layer.equation, [call.inputs[0], kernel]))


def _einsum(equation: str, shapes: list[Shape]) -> int:
    """Operations of a sum over products: one multiply-add for each combination of indices."""
    sizes: dict[str, int] = {}
    rest = 1
    for term, shape in zip(equation.partition("->")[0].split(","), shapes, strict=True):
        before, dots, after = term.strip().partition("...")
        named = [*zip(before, shape, strict=False)]
        if dots:
            spread = len(shape) - len(before) - len(after)
            rest = max(rest, _size(shape[len(before) : len(before) + spread]))
            named += zip(after, shape[len(before) + spread :], strict=True)
        sizes.update(named)
    return 2 * rest * math.prod(sizes.values())


@_rule("Conv1D", "Conv2D", "Conv3D")
def _convolution(call: Call) -> Work | None:
    *window, inputs, _ = call.layer.kernel.shape
    return _with_weights(call, 2 * _size(call.outputs[0]) * math.prod(window) * inputs)


@_rule("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(call: Call) -> Work | None:
    *window, _, _ = call.layer.kernel.shape
    return _with_weights(call, 2 * _size(call.outputs[0]) * math.prod(window))


@_rule("SeparableConv1D", "SeparableConv2D")
def _separable(call: Call) -> Work | None:
    *window, inputs, each = call.layer.depthwise_kernel.shape
    outputs = call.outputs[0]
    channels_last = call.layer.data_format == "channels_last"
    filters = outputs[-1] if channels_last else outputs[1]
    between = _size(outputs) // filters * inputs * each
    return _with_weights(call, 2 * between * math.prod(window) + 2 * _size(outputs) * inputs * each)


@_rule("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def _transposed(call: Call) -> Work | None:
    *window, filters, _ = call.layer.kernel.shape
    return _with_weights(call, 2 * _size(call.inputs[0]) * math.prod(window) * filters)


@_rule("LSTM", "GRU", "SimpleRNN", "RNN")
def _recurrent(call: Call) -> Work | None:
    cells = getattr(call.layer.cell, "cells", [call.layer.cell])
    rows, steps, inputs = call.inputs[0][:3]
    whole = Work()
    for cell in cells:
        work = _cell(cell, rows * steps, inputs)
        if work is None:
            return None
        whole, inputs = whole + work, cell.units
    return whole


def _cell(cell: Any, turns: int, inputs: int) -> Work | None:
    """A recurrent cell: the product with its state always needs the state's gradient."""
    gates = {"LSTMCell": 4, "GRUCell": 3, "SimpleRNNCell": 1}.get(type(cell).__name__)
    if gates is None or not type(cell).__module__.startswith("keras."):
        return None
    values = turns * cell.units
    inner = _activation(cell.activation, values)
    gate = _activation(getattr(cell, "recurrent_activation", None) or cell.activation, values)
    if inner is None or gate is None:
        return None
    # LSTM: three gates, the new cell, tanh of the state, two products and a sum, one product more.
    # GRU: two gates, the new state, its product with a gate, and a sum of two weighted states.
    squashes = {4: (3, 2, 4), 3: (2, 1, 5), 1: (0, 1, 0)}[gates]
    sums = gates * (2 if cell.use_bias else 1)
    each = squashes[2] + sums
    return Work(
        product=2 * values * gates * inputs,
        inner=2 * values * gates * cell.units,
        forward=each * values + squashes[0] * gate.forward + squashes[1] * inner.forward,
        backward=each * values + squashes[0] * gate.backward + squashes[1] * inner.backward,
        held=values * {4: 5, 3: 4, 1: 0}[gates],
    )


@_rule("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
def _conv_lstm(call: Call) -> Work | None:
    cell = call.layer.cell
    if cell.data_format != "channels_last":
        return None
    rows, steps = call.inputs[0][:2]
    outputs = call.outputs[0]
    places = math.prod(outputs[2:-1] if call.layer.return_sequences else outputs[1:-1])
    turns = rows * steps * places
    values = turns * cell.filters
    each = _activation(cell.activation, values), _activation(cell.recurrent_activation, values)
    if each[0] is None or each[1] is None:
        return None
    elementwise = 12 * values
    return Work(
        product=2 * turns * math.prod(cell.kernel.shape),
        inner=2 * turns * math.prod(cell.recurrent_kernel.shape),
        forward=elementwise + 3 * each[1].forward + 2 * each[0].forward,
        backward=elementwise + 3 * each[1].backward + 2 * each[0].backward,
        held=5 * values,
    )


@_rule("MultiHeadAttention")
def _heads(call: Call) -> Work | None:
    config = call.layer.get_config()
    return _attention_of(call, config["num_heads"], config["key_dim"], config["value_dim"])


@_rule("GroupedQueryAttention")
def _grouped_heads(call: Call) -> Work | None:
    config = call.layer.get_config()
    return _attention_of(call, config["num_query_heads"], config["head_dim"], config["head_dim"])


def _attention_of(call: Call, heads: int, key: int, value: int | None) -> Work:
    """The projections, which are calls of their own, and every query with every key."""
    projections = Work()
    for made in call.calls:
        if type(made.layer).__name__ == "EinsumDense":
            projections += _einsum_dense(made) or Work()
    query, other = call.inputs[0], call.inputs[1] if len(call.inputs) > 1 else call.inputs[0]
    scores = heads * math.prod(query[:-1]) * math.prod(other[1:-1])
    return projections + Work(
        inner=2 * scores * (key + (value or key)),
        forward=(ACTIVATIONS["softmax"] + 1) * scores,
        backward=(ACTIVATIONS["softmax"] + 1) * scores,
        held=scores,
    )


@_rule("Attention")
def _dot_attention(call: Call) -> Work | None:
    query, value = call.inputs[:2]
    scores = math.prod(query[:-1]) * math.prod(value[1:-1])
    return Work(
        inner=2 * scores * (query[-1] + value[-1]),
        forward=ACTIVATIONS["softmax"] * scores,
        backward=ACTIVATIONS["softmax"] * scores,
        held=scores,
    )


@_rule("AdditiveAttention")
def _additive_attention(call: Call) -> Work | None:
    query, value = call.inputs[:2]
    scores = math.prod(query[:-1]) * math.prod(value[1:-1])
    each = (ACTIVATIONS["tanh"] + 3) * query[-1] + ACTIVATIONS["softmax"]
    return Work(inner=2 * scores * value[-1], forward=each * scores, backward=each * scores)


@_rule("Embedding")
def _embedding(call: Call) -> Work:
    # Rows are copied; each output's gradient is added to its row.
    return Work(backward=_size(call.outputs[0]))


@_rule("MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
       "AveragePooling1D", "AveragePooling2D", "AveragePooling3D")  # fmt: skip
def _pooling(call: Call) -> Work:
    window = call.layer.pool_size
    each = window if isinstance(window, int) else math.prod(window)
    size = each * _size(call.outputs[0])
    return Work(forward=size, backward=size)


@_rule("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
       "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
       "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D",
       "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D")  # fmt: skip
def _global_pooling(call: Call) -> Work:
    size = _size(call.inputs[0])
    return Work(forward=size, backward=size)


@_rule("Activation")
def _activation_layer(call: Call) -> Work | None:
    return _activation(call.layer.activation, _size(call.outputs[0]))


@_rule("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
def _merge(call: Call) -> Work:
    """Also the operations of these names; what has one tensor alone works on a number."""
    between = max(1, len(call.inputs) - 1)
    size = between * _size(call.outputs[0])
    return Work(forward=size, backward=size)


@_rule("Dot", "Matmul")
def _inner_product(call: Call) -> Work | None:
    if len(call.inputs) != 2:
        return None
    first = call.inputs[0]
    axes = getattr(call.layer, "axes", -1)
    summed = first[axes if isinstance(axes, int) else axes[0]] if first else 1
    return Work(inner=2 * _size(call.outputs[0]) * summed)


@_rule("Einsum")
def _einsum_operation(call: Call) -> Work | None:
    return Work(inner=_einsum(call.layer.subscripts, call.inputs))


@_rule("UpSampling2D", "Resizing")
def _resampling(call: Call) -> Work:
    each = 0 if call.layer.interpolation == "nearest" else 8
    size = _size(call.outputs[0])
    return Work(forward=each * size, backward=max(1, each) * size)


def _normalised(forward: int, backward: int) -> Rule:
    def rule(call: Call) -> Work:
        size = _size(call.inputs[0])
        return Work(forward=forward * size, backward=backward * size)

    return rule


for _kinds, _counted in {
    # Mean, variance, difference, root and scale with offset; and the gradients of all of them.
    ("BatchNormalization", "LayerNormalization", "GroupNormalization"): _normalised(7, 11),
    ("RMSNormalization", "UnitNormalization"): _normalised(4, 7),
    ("Normalization", "Rescaling"): _same(2, 0),
    ("ReLU", "Relu"): _same(1),
    ("LeakyReLU", "LeakyRelu", "PReLU"): _same(2),
    ("ELU", "Elu"): _same(3, 2),
    ("Softmax",): _same(ACTIVATIONS["softmax"], 4),
    ("Sigmoid",): _same(ACTIVATIONS["sigmoid"], 1),
    ("Tanh",): _same(ACTIVATIONS["tanh"], 1),
    ("Gelu",): _same(ACTIVATIONS["gelu"], 1),
    ("Silu",): _same(ACTIVATIONS["silu"], 1),
    ("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout"): _same(2, 1),
    ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"): _same(1),
    ("Divide", "TrueDivide", "Negative", "Absolute", "Abs", "Square", "Sqrt", "Exp", "Log"): _same(
        1
    ),
    ("Power", "Sin", "Cos", "Clip", "Reciprocal", "Rsqrt", "Where", "Relu6"): _same(1),
    ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"): _same(1, 0),
    ("RepeatVector", "UpSampling1D", "UpSampling3D"): _same(0, 1),
    ("Masking",): _same(2, 1),
    ("Mean", "Sum", "Max", "Min", "Amax", "Amin"): _global_pooling,
}.items():
    RULES.update(dict.fromkeys(_kinds, _counted))

VIEWS |= {
    "InputLayer", "Identity", "Flatten", "Reshape", "Permute", "ExpandDims", "Squeeze", "Transpose",
    "Cast", "StopGradient", "ActivityRegularization", "GetItem", "Moveaxis", "Ravel", "Swapaxes",
}  # fmt: skip
_MOVES = {
    "Concatenate", "Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D",
    "ZeroPadding3D", "Stack", "Split", "Pad", "Tile", "Repeat", "BroadcastTo", "Take", "Slice",
    "ZerosLike", "OnesLike", "Arange",
}  # fmt: skip
RULES.update(dict.fromkeys(VIEWS | _MOVES, lambda call: Work()))
