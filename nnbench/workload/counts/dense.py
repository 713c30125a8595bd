"""Chains of Dense layers on a table, counted by arithmetic alone, without Keras."""

from nnbench.workload.architecture import Architecture
from nnbench.workload.counts.records import LayerCount, NetworkCount

# Additions, multiplications, divisions and square roots of a weight's update, by Keras' formulas.
UPDATE_FLOPS = {"sgd": 2, "momentum": 4, "rmsprop": 9, "adam": 12}

# Variables of a weight's size that the optimizer keeps beside it.
OPTIMIZER_SLOTS = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2}

BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "float16": 2}

ACTIVATION_FLOPS = {"linear": 0, "relu": 1, "sigmoid": 4, "tanh": 5, "softmax": 5}
"""Operations a unit's activation costs, an exponential counted as one."""


def count(
    architecture: Architecture,
    *,
    features: int,
    rows: int,
    outputs: int = 1,
    activation: str = "relu",
    output_activation: str = "sigmoid",
    optimizer: str = "adam",
    precision: str = "float32",
) -> NetworkCount:
    """Count one step on a batch of `rows`.

    A multiply-add is two operations. Forward: `2 * rows * inputs * units` for each Dense layer's
    matrix product, plus bias and activation. Backward: one such product for the weights'
    gradient and, in all but the first layer, one for the inputs' gradient, plus the bias sums
    and the activation's derivative (one operation a unit and row). Update: `UPDATE_FLOPS` for
    each parameter. The loss itself, a few operations a row, is left out. In the mixed
    precisions weights and optimizer state stay in float32, as Keras keeps them; activations
    (every layer's output and the batch itself, held for the backward pass) are in the
    compute type.
    """
    shapes = architecture.layer_shapes(features, outputs)
    value_bytes, weight_bytes = BYTES_PER_VALUE[precision], BYTES_PER_VALUE["float32"]
    layers = []
    for position, (inputs, units) in enumerate(shapes):
        own = output_activation if position == len(shapes) - 1 else activation
        product, held, weights = 2 * rows * inputs * units, rows * units, inputs * units + units
        layers.append(
            LayerCount(
                name="dense" if position == 0 else f"dense_{position}",
                kind="Dense",
                output=(rows, units),
                parameters=weights,
                trainable=weights,
                weight_bytes=weight_bytes * weights,
                activation=own,
                forward_products=product,
                forward_elementwise=held * (1 + ACTIVATION_FLOPS[own]),
                backward_products=product * (1 if position == 0 else 2),
                backward_elementwise=2 * held,
                activation_bytes=value_bytes * held,
                variables=2,
            )
        )
    parameters = architecture.parameters(features, outputs)
    return NetworkCount(
        rows=rows,
        layers=tuple(layers),
        batch_bytes=value_bytes * rows * features,
        optimizer=optimizer,
        update_flops=UPDATE_FLOPS[optimizer] * parameters,
        optimizer_bytes=weight_bytes * OPTIMIZER_SLOTS[optimizer] * parameters,
        precision=precision,
    )
