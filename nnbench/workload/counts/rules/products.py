"""Products of inputs with weights: Dense layers, convolutions, their bias and activation."""

import math
from typing import Any

from nnbench.workload.counts.calls import Call
from nnbench.workload.counts.records import Shape
from nnbench.workload.counts.work import Work, activation, rule, size_of


def _with_weights(call: Call, product: int, through: int = 0, groups: int = 1) -> Work:
    """A product with weights, of so many groups of channels, then bias and activation."""
    size = size_of(call.outputs[0])
    after = activation(call.layer.activation, size)
    bias = Work(forward=size, backward=size) if _has_bias(call.layer) else Work()
    return Work(product=product, through=through) + _of_groups(product, groups) + bias + after


def _of_groups(product: int, groups: int) -> Work:
    """What to add to the work of a product of so many groups of channels."""
    return Work(grouped=product, ungrouped=groups * product) if groups > 1 else Work()


def _has_bias(layer: Any) -> bool:
    return getattr(layer, "bias", None) is not None


@rule("Dense")
def _dense(call: Call) -> Work:
    return _with_weights(call, 2 * size_of(call.outputs[0]) * call.inputs[0][-1])


@rule("EinsumDense")
def einsum_dense(call: Call) -> Work:
    """Also each projection of an attention layer."""
    kernel = tuple(call.layer.kernel.shape)
    return _with_weights(call, einsum(call.layer.equation, [call.inputs[0], kernel]))


def einsum(equation: str, shapes: list[Shape]) -> int:
    """Operations of a sum over products: one multiply-add for each combination of indices."""
    sizes: dict[str, int] = {}
    rest = 1
    for term, shape in zip(equation.partition("->")[0].split(","), shapes, strict=True):
        before, dots, after = term.strip().partition("...")
        named = [*zip(before, shape, strict=False)]
        if dots:
            spread = len(shape) - len(before) - len(after)
            rest = max(rest, size_of(shape[len(before) : len(before) + spread]))
            named += zip(after, shape[len(before) + spread :], strict=True)
        sizes.update(named)
    return 2 * rest * math.prod(sizes.values())


@rule("Conv1D", "Conv2D", "Conv3D")
def _convolution(call: Call) -> Work:
    *window, inputs, _ = call.layer.kernel.shape
    product = 2 * size_of(call.outputs[0]) * math.prod(window) * inputs
    return _with_weights(call, product, groups=call.layer.groups)


@rule("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(call: Call) -> Work:
    *window, inputs, _ = call.layer.kernel.shape
    product = 2 * size_of(call.outputs[0]) * math.prod(window)
    return _with_weights(call, product, groups=inputs)


@rule("SeparableConv1D", "SeparableConv2D")
def _separable(call: Call) -> Work:
    *window, inputs, each = call.layer.depthwise_kernel.shape
    outputs = call.outputs[0]
    channels_last = call.layer.data_format == "channels_last"
    filters = outputs[-1] if channels_last else outputs[1]
    between = size_of(outputs) // filters * inputs * each
    product, through = 2 * between * math.prod(window), 2 * size_of(outputs) * inputs * each
    return _with_weights(call, product, through, groups=inputs)


@rule("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def _transposed(call: Call) -> Work:
    *window, filters, _ = call.layer.kernel.shape
    return _with_weights(call, 2 * size_of(call.inputs[0]) * math.prod(window) * filters)


@rule("Dot", "Matmul", "Inner")
def _inner_product(call: Call) -> Work | None:
    """The layer and the operations of these names; an operation sums over its last axis."""
    if len(call.inputs) != 2:
        return None
    first = call.inputs[0]
    axes = getattr(call.layer, "axes", -1)
    summed = first[axes if isinstance(axes, int) else axes[0]] if first else 1
    return Work(inner=2 * size_of(call.outputs[0]) * summed)


@rule("Einsum")
def _einsum_operation(call: Call) -> Work:
    return Work(inner=einsum(call.layer.subscripts, call.inputs))


@rule("Conv", "DepthwiseConv")
def _convolution_operation(call: Call) -> Work:
    *window, inputs, _ = call.inputs[1]
    is_depthwise = type(call.layer).__name__ == "DepthwiseConv"
    product = 2 * size_of(call.outputs[0]) * math.prod(window) * (1 if is_depthwise else inputs)
    return Work(inner=product) + _of_groups(product, inputs if is_depthwise else 1)


@rule("ConvTranspose")
def _transposed_operation(call: Call) -> Work:
    return Work(inner=2 * size_of(call.inputs[0]) * math.prod(call.inputs[1][:-1]))
