"""A Keras model from an architecture. Keras must have been started by `devices.start`."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nnbench.errors import UserError
from nnbench.workload import tasks, user_code
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training
from nnbench.workload.families import IMAGES, TABLE

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
        metrics = () if case.metric is None else (case.metric,)
        shape, vocabulary = case.row_shape, case.vocabulary
        return build(case.architecture, case.training, shape, vocabulary, metrics)
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


def build(
    architecture: Architecture,
    training: Training,
    shape: tuple[int, ...],
    vocabulary: int | None = None,
    metrics: Sequence[str] = (),
) -> "keras.Model":
    """The compiled network; `shape` is that of a row of features, and the output layer the task's.

    Its output is float32 in every precision, as Keras recommends for mixed precision. A chain of
    Dense layers on a table is `Sequential`. Tokens, of which there are `vocabulary`, are embedded
    in as many dimensions as the first layer is wide; of an image a sequence's steps are the rows.
    """
    import keras

    units, activation = tasks.outputs(training.task), tasks.output_activation(training.task)
    output = keras.layers.Dense(units, activation=activation, dtype="float32")
    with _precision(training.precision):
        if architecture.family == "dense" and len(shape) == 1 and vocabulary is None:
            hidden = [
                keras.layers.Dense(width, activation=training.activation)
                for width in architecture.widths
            ]
            model = keras.Sequential([keras.Input(shape), *hidden, output])
        else:
            inputs = keras.Input(shape, dtype="int32" if vocabulary else None)
            made = _as_taken(architecture, inputs, vocabulary)
            family, knobs = architecture.kind, architecture.knobs
            made = family.hidden(made, architecture.widths, training.activation, knobs)
            model = keras.Model(inputs, output(made))
    optimizer: Any = training.optimizer
    if optimizer == "momentum":
        optimizer = keras.optimizers.SGD(momentum=0.9)
    jit = JIT_COMPILE[training.jit]
    model.compile(optimizer, loss=training.loss, metrics=[*metrics] or None, jit_compile=jit)
    return model


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """Layers that are made within compute in this precision."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(DTYPE_POLICY[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _as_taken(
    architecture: Architecture, inputs: "keras.KerasTensor", vocabulary: int | None
) -> "keras.KerasTensor":
    """The input as the family takes it."""
    import keras

    if vocabulary is not None:
        return keras.layers.Embedding(vocabulary, architecture.widths[0])(inputs)
    if len(inputs.shape) == 4 and IMAGES != architecture.kind.takes[0] != TABLE:
        _, rows, columns, channels = inputs.shape
        return keras.layers.Reshape((rows, columns * channels))(inputs)
    return inputs
