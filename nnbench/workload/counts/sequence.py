"""The layers of a network in the order in which it calls them: where its step can be cut.

What a network is made of is called layer by layer: those of Keras and its operations, and a
person's own. Models within models, and a person's own layers whose weights are all those of layers
that they call, are followed to these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnbench.workload.counts import calls
from nnbench.workload.counts.calls import Call

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Called:
    """A layer's call: `name` is its path in the network, `nth` counts earlier calls of it.

    `untaken` are positions in the sequence, up to its own, of those whose outputs no layer has
    taken until then: all that was computed leads to them.
    """

    name: str
    call: Call
    nth: int
    untaken: tuple[int, ...]

    @property
    def layer(self) -> Any:
        """The layer, or the operation."""
        return self.call.layer

    @property
    def is_view(self) -> bool:
        """Whether its output is its input, seen otherwise."""
        return type(self.layer).__name__ in calls.VIEWS


def of_model(model: "keras.Model", batch: Any) -> list[Called]:
    """The calls of a built `model` on `batch`, in order; `batch` as `calls.of_model` takes it."""
    return _Follower(calls.of_model(model, batch)).found


class _Follower:
    def __init__(self, whole: Call) -> None:
        self.found: list[Called] = []
        self._untaken: list[int] = []
        self._makers: dict[int, int] = {}
        for call in whole.calls:
            self._follow(call, [whole], "")

    def _follow(self, call: Call, around: list[Call], path: str) -> None:
        if not _is_lasting(call, around[-1]):
            return
        self._take(call, around)
        name = f"{path}/{call.layer.name}" if path else call.layer.name
        if _is_followed(call):
            for one in call.calls:
                self._follow(one, [*around, call], name)
        else:
            position = len(self.found)
            self._untaken.append(position)
            nth = sum(one.layer is call.layer for one in self.found)
            self.found.append(Called(name, call, nth, tuple(self._untaken)))
        # What a model hands on is what the last layer within it made.
        for tensor in call.makes:
            self._makers.setdefault(tensor, len(self.found) - 1)

    def _take(self, call: Call, around: list[Call]) -> None:
        """Strike out whose outputs are taken; of a tensor of unknown origin, the latest."""
        given = {shape for one in around for shape in one.inputs}
        for tensor, shape in zip(call.takes, call.inputs, strict=True):
            maker = self._makers.get(tensor)
            if maker is None and (calls.is_graph(around[-1].layer) or shape in given):
                # An input of the model around it, as that one has converted it.
                continue
            if maker is None and self._untaken:
                # A person's own code has made it of what layers made before.
                maker = self._untaken[-1]
            if maker in self._untaken:
                self._untaken.remove(maker)


def _is_lasting(call: Call, around: Call) -> bool:
    """Whether each pass calls the same object: layers, and the operations of a graph."""
    import keras

    if isinstance(call.layer, keras.layers.Layer):
        return True
    return any(one is call.layer for one in getattr(around.layer, "operations", ()))


def _is_followed(call: Call) -> bool:
    """Whether what a layer calls says all of it."""
    import keras

    layer = call.layer
    if not call.calls or not isinstance(layer, keras.layers.Layer):
        return False
    if isinstance(layer, keras.Model):
        return True
    if calls.keras_kind(layer) is not None:
        return False
    within = {id(one) for called in call.calls for one in _weights(called)}
    return all(id(one) in within for one in layer.weights)


def _weights(call: Call) -> Iterator[Any]:
    yield from getattr(call.layer, "weights", ())
