"""Which layers a network calls and on which shapes: one forward pass without values."""

import contextlib
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


@dataclass
class Call:
    """One call of a layer, or of one of Keras' operations.

    `inputs` and `outputs` are the shapes of its tensors, rows first; `output_bytes` is what the
    outputs take. `on_trained` tells whether any input depends on trainable weights, so that the
    backward pass needs its gradient. `calls` are those made meanwhile.
    """

    layer: Any
    inputs: list[Shape]
    outputs: list[Shape] = field(default_factory=list)
    output_bytes: int = 0
    on_trained: bool = False
    calls: list["Call"] = field(default_factory=list)


def of_model(model: "keras.Model", batch: Any) -> list[Call]:
    """The calls that a built `model` makes on `batch`, arrays or specifications with all rows.

    `batch` has the structure that the model takes: one array, a list or a dict of them. Nothing
    is computed: the backend works out shapes, as Keras does when it builds a model.
    """
    import keras

    class Pass(keras.Operation):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return model(inputs, training=True)

    given = keras.tree.map_structure(
        lambda one: keras.KerasTensor(one.shape, keras.backend.standardize_dtype(one.dtype)), batch
    )
    recorder = _Recorder(keras)
    with recorder.listening():
        Pass().compute_output_spec(given)
    (whole,) = (one for one in recorder.root.calls if one.layer is model)
    return whole.calls


def size_bytes(array: Any) -> int:
    """What an array, tensor or variable takes."""
    import keras

    kind: str = keras.backend.standardize_dtype(array.dtype)
    return VALUE_BYTES[kind] * int(math.prod(array.shape))


def is_graph(layer: Any) -> bool:
    """Whether all that a layer does is to call others, and Keras' own operations."""
    return keras_kind(layer) in {"Functional", "Sequential", "Bidirectional"}


def keras_kind(layer: Any) -> str | None:
    """The name of Keras' class that says what the layer computes; None for a person's own."""
    for kind in type(layer).__mro__:
        if kind.__module__.partition(".")[0] == "keras":
            return kind.__name__
        if "call" in vars(kind):
            return None
    return None


class _Recorder:
    def __init__(self, keras: Any) -> None:
        self._keras = keras
        self.root = Call(None, [])
        self._open = [self.root]
        self._trained: dict[int, bool] = {}
        self._seen_trained = False
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
            tensors = self._tensors((args, kwargs))
            # A tensor that Keras has converted is another one: in a graph of layers it is an input.
            around = self._open[-1]
            unknown = around.on_trained if is_graph(around.layer) else self._seen_trained
            depends = [self._trained.get(id(one), unknown) for one in tensors]
            made = Call(layer, [tuple(one.shape) for one in tensors], on_trained=any(depends))
            self._open[-1].calls.append(made)
            self._open.append(made)
            try:
                answer = call(layer, *args, **kwargs)
            finally:
                self._open.pop()
            outputs = self._tensors(answer)
            trained = made.on_trained or bool(getattr(layer, "trainable_variables", ()))
            self._seen_trained = self._seen_trained or trained
            self._trained.update((id(one), trained) for one in outputs)
            self._alive += [*tensors, *outputs]
            made.outputs = [tuple(one.shape) for one in outputs]
            made.output_bytes = sum(map(size_bytes, outputs))
            return answer

        return recorded

    def _tensors(self, structure: Any) -> list[Any]:
        flat = self._keras.tree.flatten(structure)
        return [one for one in flat if hasattr(one, "shape") and hasattr(one, "dtype")]
