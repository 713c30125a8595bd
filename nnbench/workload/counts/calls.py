"""Which layers a network calls and on which shapes: one forward pass without values."""

import contextlib
import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nnbench.workload.counts.records import Shape

if TYPE_CHECKING:
    import keras

VALUE_BYTES = {
    "float64": 8, "int64": 8, "uint64": 8, "complex64": 8, "float32": 4, "int32": 4, "uint32": 4,
    "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "complex128": 16,
}  # fmt: skip

GRAPHS = {"Functional", "Sequential", "Bidirectional", "StackedRNNCells", "Pipeline"}
"""Kinds of layers that only call others."""

VIEWS = {
    "InputLayer", "Identity", "Flatten", "Reshape", "Permute", "ExpandDims", "Squeeze", "Transpose",
    "Cast", "StopGradient", "ActivityRegularization", "GetItem", "Moveaxis", "Ravel", "Swapaxes",
}  # fmt: skip
"""Kinds whose output is their input, seen otherwise: they compute and hold nothing."""


@dataclass
class Call:
    """One call of a layer, or of one of Keras' operations.

    `inputs` and `outputs` are the shapes of its tensors, rows first and in the order of the layer's
    parameters; `types` are those of the inputs, `output_bytes` is what the outputs take.
    `on_trained` tells whether any input depends on trainable weights, so that the backward pass
    needs its gradient; `is_needed` whether the backward pass needs its outputs. `calls` are those
    made meanwhile. `is_masked` tells whether a mask comes with an input. `takes` and `makes` tell
    tensors from each other within one pass.
    """

    layer: Any
    inputs: list[Shape]
    outputs: list[Shape] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    output_bytes: int = 0
    on_trained: bool = False
    is_needed: bool = False
    is_masked: bool = False
    calls: list["Call"] = field(default_factory=list)
    takes: list[int] = field(default_factory=list)
    makes: list[int] = field(default_factory=list)


def of_model(model: "keras.Model", batch: Any) -> Call:
    """The call of a built `model` on `batch`, arrays or specifications with all rows.

    `batch` has the structure that the model takes: one array, a list or a dict of them.
    """
    import keras

    given = keras.tree.map_structure(
        lambda one: keras.KerasTensor(one.shape, keras.backend.standardize_dtype(one.dtype)), batch
    )
    return _traced(model, [given])


def one_step(call: Call) -> tuple[Call, int] | None:
    """The call on one step of a layer that goes through a sequence, and how many there are.

    None for other layers. What is inside is called in a loop there, or not by its name.
    """
    import keras

    kind = keras_kind(call.layer)
    if kind not in {"TimeDistributed", "RNN"}:
        return None
    rows, steps, *rest = call.inputs[0]
    given = [keras.KerasTensor((rows, *rest), call.types[0])]
    if kind == "TimeDistributed":
        return _traced(call.layer.layer, given, call.on_trained), steps
    states = keras.tree.map_structure(
        lambda one: keras.KerasTensor(one.shape, keras.backend.standardize_dtype(one.dtype)),
        call.layer.get_initial_state(batch_size=rows),
    )
    reached = call.on_trained or bool(call.layer.trainable_variables)
    return _traced(call.layer.cell, [*given, states], reached), steps


def _traced(layer: Any, given: list[Any], on_trained: bool = False) -> Call:
    """The call of a layer on tensors without values.

    Nothing is computed: the backend works out shapes, as Keras does when it builds a model.
    """
    import keras

    class Pass(keras.Operation):  # type: ignore[misc]
        def call(self, *inputs: Any) -> Any:
            return layer(*inputs, training=True)

    recorder = _Recorder(keras, on_trained)
    with recorder.listening():
        Pass().compute_output_spec(*given)
    return next(one for one in recorder.root.calls if one.layer is layer)


def is_recurrent(layer: Any) -> bool:
    """Whether it goes through a sequence step by step, each after the one before."""
    return any(is_of_keras(kind) and kind.__name__ == "RNN" for kind in type(layer).__mro__)


def size_bytes(array: Any) -> int:
    """What an array, tensor or variable takes."""
    import keras

    kind: str = keras.backend.standardize_dtype(array.dtype)
    return VALUE_BYTES[kind] * int(math.prod(array.shape))


def _output_bytes(layer: Any, output: Any) -> int:
    """What an output takes; on Torch, Keras traces layers of mixed precision in float32."""
    computes = VALUE_BYTES.get(getattr(layer, "compute_dtype", None) or "")
    if computes is None or keras_kind(layer) is None or "float" not in str(output.dtype):
        return size_bytes(output)
    return min(size_bytes(output), computes * int(math.prod(output.shape)))


def is_graph(layer: Any) -> bool:
    """Whether all that a layer does is to call others, and Keras' own operations."""
    return keras_kind(layer) in GRAPHS


def keras_kind(layer: Any) -> str | None:
    """The name of Keras' class that says what the layer computes; None for a person's own."""
    for kind in type(layer).__mro__:
        if is_of_keras(kind):
            return kind.__name__
        if "call" in vars(kind):
            return None
    return None


def is_of_keras(made: Any) -> bool:
    """Whether a class or a function is one of Keras' own."""
    return getattr(made, "__module__", "").partition(".")[0] == "keras"


def _in_order(layer: Any, args: Any, kwargs: Any) -> Any:
    """Arguments in the order of the layer's parameters, however they were given."""
    try:
        return list(inspect.signature(layer.call).bind(*args, **kwargs).arguments.values())
    except (TypeError, ValueError):
        return args, kwargs


class _Recorder:
    def __init__(self, keras: Any, on_trained: bool) -> None:
        self._keras = keras
        self.root = Call(None, [])
        self._open = [self.root]
        self._trained: dict[int, bool] = {}
        self._makers: dict[int, Call] = {}
        self._seen_trained = on_trained
        # An identity counts only while its tensor lives.
        self._alive: list[Any] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Record what is called in the block: Keras has no hook around every layer's call."""
        kinds = (self._keras.Operation, self._keras.layers.Layer)
        usual = [kind.__call__ for kind in kinds]
        for kind, call in zip(kinds, usual, strict=True):
            kind.__call__ = self._around(call)
        try:
            yield
        finally:
            for kind, call in zip(kinds, usual, strict=True):
                kind.__call__ = call

    def _around(self, call: Any) -> Any:
        def recorded(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if self._open[-1].layer is layer:
                # A layer's own call ends in that of an operation.
                return call(layer, *args, **kwargs)
            tensors = self._tensors(_in_order(layer, args, kwargs))
            # A tensor that Keras has converted is another one: in a graph of layers it is an input.
            around = self._open[-1]
            unknown = around.on_trained if is_graph(around.layer) else self._seen_trained
            on_trained = any(self._trained.get(id(one), unknown) for one in tensors)
            trained = on_trained or bool(getattr(layer, "trainable_variables", ()))
            made = Call(layer, [tuple(one.shape) for one in tensors], on_trained=on_trained)
            made.types = [self._keras.backend.standardize_dtype(one.dtype) for one in tensors]
            made.is_needed, made.takes = trained, [id(one) for one in tensors]
            masks = [kwargs.get("mask"), *(getattr(one, "_keras_mask", None) for one in tensors)]
            made.is_masked = any(one is not None for one in masks)
            for one in tensors:
                if trained and id(one) in self._makers:
                    self._makers[id(one)].is_needed = True
            self._open[-1].calls.append(made)
            self._open.append(made)
            try:
                answer = call(layer, *args, **kwargs)
            finally:
                self._open.pop()
            outputs = self._tensors(answer)
            self._seen_trained = self._seen_trained or trained
            for one in outputs:
                self._trained[id(one)] = trained
                # A layer around it hands the same tensor on, a view what it views.
                viewed = self._makers.get(id(tensors[0]), made) if tensors else made
                maker = viewed if type(layer).__name__ in VIEWS else made
                self._makers.setdefault(id(one), maker)
            self._alive += [*tensors, *outputs]
            made.outputs = [tuple(one.shape) for one in outputs]
            made.makes = [id(one) for one in outputs]
            made.output_bytes = sum(_output_bytes(layer, one) for one in outputs)
            return answer

        return recorded

    def _tensors(self, structure: Any) -> list[Any]:
        flat = self._keras.tree.flatten(structure)
        return [one for one in flat if hasattr(one, "shape") and hasattr(one, "dtype")]
