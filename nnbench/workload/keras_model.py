"""A Keras model from an architecture. Keras must have been started by `devices.start`."""

import functools
from typing import TYPE_CHECKING, Any

from nnbench.errors import UserError
from nnbench.workload import tasks, user_code
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training

if TYPE_CHECKING:
    import keras

DTYPE_POLICY = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
JIT_COMPILE: dict[str, str | bool] = {"auto": "auto", "on": True, "off": False}

_factory = functools.cache(user_code.load)


def jit_compile(case: Case) -> str | bool | None:
    """What `compiled.prepare` is told of it; one's own model was compiled as its owner wants."""
    return None if case.model is not None else JIT_COMPILE[case.training.jit]


def for_case(case: Case) -> "keras.Model":
    """The compiled network of a case; UserError if a person's function does not return one."""
    if case.architecture is not None:
        return build(case.architecture, case.training, case.features)
    import keras

    assert case.model is not None
    factory = _factory(case.model)
    try:
        model = factory()
    except Exception as failure:
        raise UserError(f"{case.model} failed: {user_code.reason(failure)}") from failure
    if not isinstance(model, keras.Model):
        raise UserError(f"{case.model} returned a {type(model).__name__}, not a Keras model")
    if not model.compiled:
        raise UserError(f"{case.model} returned a model without an optimizer: call its compile()")
    return model


def build(architecture: Architecture, training: Training, features: int) -> "keras.Sequential":
    """A compiled `Sequential` of Dense layers; the output layer is that of the task.

    Its output is float32 in every precision, as Keras recommends for mixed precision.
    """
    import keras

    policy = DTYPE_POLICY[training.precision]
    hidden = [
        keras.layers.Dense(width, activation=training.activation, dtype=policy)
        for width in architecture.widths
    ]
    units, activation = tasks.outputs(training.task), tasks.output_activation(training.task)
    output = keras.layers.Dense(units, activation=activation, dtype="float32")
    model = keras.Sequential([keras.Input((features,)), *hidden, output])
    optimizer: Any = training.optimizer
    if optimizer == "momentum":
        optimizer = keras.optimizers.SGD(momentum=0.9)
    model.compile(optimizer, loss=training.loss, jit_compile=JIT_COMPILE[training.jit])
    return model
