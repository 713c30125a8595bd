"""A Keras model from an architecture. Keras must have been started by `devices.start`."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nnbench.workload import own_model, tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training
from nnbench.workload.families import IMAGES, TABLE

if TYPE_CHECKING:
    import keras

DTYPE_POLICY = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
USUAL = Training().precision
"""One's own model is made in this one or in its own."""

JIT_COMPILE: dict[str, str | bool] = {"auto": "auto", "on": True, "off": False}


def jit_compile(case: Case) -> str | bool | None:
    """What `compiled.prepare` is told of it; one's own model was compiled as its owner wants."""
    return None if case.model is not None else JIT_COMPILE[case.training.jit]


def for_case(case: Case) -> "keras.Model":
    """The compiled network of a case; one's own that is not compiled is as the case says.

    Raises UserError where a person's function or file gives no model, or one that goes against an
    option of the training.
    """
    if case.architecture is not None:
        metrics = () if case.metric is None else (case.metric,)
        shape, vocabulary = case.row_shape, case.vocabulary
        return build(case.architecture, case.training, shape, vocabulary, metrics)
    assert case.model is not None
    precision = case.training.precision
    model = own_model.make(case.model, None if precision == USUAL else DTYPE_POLICY[precision])
    compiled = bool(model.compiled and model.optimizer is not None)
    own_model.check_options(case.model, case.training, compiled=compiled)
    if not compiled:
        _compile(model, case.training, () if case.metric is None else (case.metric,))
    own_model.set_options(case.model, model, case.training)
    return model


def make_weights(model: "keras.Model", x: Any) -> None:
    """Make the weights that a model has not yet, by passing rows through it as symbols.

    A subclassed model takes no shape: `build` would leave its layers without weights.
    """
    import keras

    if not all(layer.built for layer in model._flatten_layers()):
        as_symbols = keras.tree.map_structure(
            lambda array: keras.KerasTensor(
                array.shape, keras.backend.standardize_dtype(array.dtype)
            ),
            x,
        )
        model(as_symbols)


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

    def output() -> Any:
        # Made last, since each layer draws the seed of its weights when it is made.
        return keras.layers.Dense(units, activation=activation, dtype="float32")

    with _precision(training.precision):
        if architecture.family == "dense" and len(shape) == 1 and vocabulary is None:
            hidden = [
                keras.layers.Dense(width, activation=training.activation)
                for width in architecture.widths
            ]
            model = keras.Sequential([keras.Input(shape), *hidden, output()])
        else:
            inputs = keras.Input(shape, dtype="int32" if vocabulary else None)
            made = _as_taken(architecture, inputs, vocabulary)
            family, knobs = architecture.kind, architecture.knobs
            made = family.hidden(made, architecture.widths, training.activation, knobs)
            model = keras.Model(inputs, output()(made))
    _compile(model, training, metrics)
    return model


def _compile(model: "keras.Model", training: Training, metrics: Sequence[str]) -> None:
    import keras

    optimizer: Any = training.optimizer
    if optimizer == "momentum":
        optimizer = keras.optimizers.SGD(momentum=0.9)
    model.compile(
        optimizer,
        loss=training.loss,
        metrics=[*metrics] or None,
        jit_compile=JIT_COMPILE[training.jit],
        steps_per_execution=training.steps_per_execution or 1,
    )


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
