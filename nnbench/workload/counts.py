"""Layers, FLOPs and bytes of a network, counted from its architecture without any framework."""

from dataclasses import dataclass

from nnbench.workload.architecture import Architecture

# Additions, multiplications, divisions and square roots of a weight's update, by Keras' formulas.
UPDATE_FLOPS = {"sgd": 2, "momentum": 4, "rmsprop": 9, "adam": 12}

# Variables of a weight's size that the optimizer keeps beside it.
OPTIMIZER_SLOTS = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2}

BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "float16": 2}

ACTIVATION_FLOPS = {"linear": 0, "relu": 1, "sigmoid": 4, "tanh": 5, "softmax": 5}
"""Operations a unit's activation costs, an exponential counted as one."""


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table, with the names and counts of Keras' `model.summary()`."""

    name: str
    kind: str
    cells: int
    activation: str
    parameters: int


def layer_table(
    architecture: Architecture,
    features: int,
    outputs: int = 1,
    *,
    activation: str = "relu",
    output_activation: str = "sigmoid",
) -> list[LayerRow]:
    """The Dense layers of the network, the output layer last."""
    return [
        LayerRow(
            name="dense" if position == 0 else f"dense_{position}",
            kind="Dense",
            cells=units,
            activation=activation if position < architecture.depth else output_activation,
            parameters=inputs * units + units,
        )
        for position, (inputs, units) in enumerate(architecture.layer_shapes(features, outputs))
    ]


@dataclass(frozen=True)
class StepCost:
    """Floating-point operations of one training step, and the bytes a network holds meanwhile."""

    forward_flops: int
    backward_flops: int
    update_flops: int
    weight_bytes: int
    optimizer_bytes: int
    activation_bytes: int

    @property
    def flops(self) -> int:
        """Operations of the whole step."""
        return self.forward_flops + self.backward_flops + self.update_flops


def step_cost(
    architecture: Architecture,
    *,
    features: int,
    rows: int,
    outputs: int = 1,
    activation: str = "relu",
    output_activation: str = "sigmoid",
    optimizer: str = "adam",
    precision: str = "float32",
) -> StepCost:
    """Count one step on a batch of `rows`, by arithmetic alone.

    A multiply-add is two operations. Forward: `2 * rows * inputs * units` for each Dense layer's
    matrix product, plus bias and activation. Backward: one such product for the weights'
    gradient and, in all but the first layer, one for the inputs' gradient, plus the bias sums
    and the activation's derivative (one operation a unit and row). Update: `UPDATE_FLOPS` for
    each parameter. The loss itself, a few operations a row, is left out. In the mixed
    precisions weights and optimizer state stay in float32, as Keras keeps them; activations
    (every layer's output and the batch itself, held for the backward pass) are in the
    compute type.
    """
    forward = backward = 0
    shapes = architecture.layer_shapes(features, outputs)
    for position, (inputs, units) in enumerate(shapes):
        is_output = position == len(shapes) - 1
        product = 2 * rows * inputs * units
        held = rows * units
        forward += product + held
        forward += held * ACTIVATION_FLOPS[output_activation if is_output else activation]
        backward += product * (1 if position == 0 else 2) + 2 * held
    parameters = architecture.parameters(features, outputs)
    variable_bytes = BYTES_PER_VALUE["float32"]
    values_held = rows * (features + sum(units for _, units in shapes))
    return StepCost(
        forward_flops=forward,
        backward_flops=backward,
        update_flops=UPDATE_FLOPS[optimizer] * parameters,
        weight_bytes=variable_bytes * parameters,
        optimizer_bytes=variable_bytes * OPTIMIZER_SLOTS[optimizer] * parameters,
        activation_bytes=BYTES_PER_VALUE[precision] * values_held,
    )
