"""The Keras models that stand for pieces of a step, see `pieces`."""

import contextlib
import functools
from typing import Any

import keras
from keras import ops

from nnbench.workload.counts.sequence import Called


class Piece(keras.Model):  # type: ignore[misc]
    """A step without layers, of one weight, which all pieces have besides those of their layers."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__()
        self.product_flops = 0.0
        self.layers_held = list(dict.fromkeys(layers))
        self.shift = self.add_weight(shape=(), initializer="zeros", name="shift", dtype="float32")
        self.built = True
        with self._open_name_scope():
            # Its first call would name it: a change in Python, after which Torch records no step.
            pass

    def call(self, inputs: Any) -> Any:
        """Nothing is computed."""
        return keras.tree.flatten(inputs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any
    ) -> Any:
        """Of what was made each gives itself for its gradient."""
        outputs = [one for one in keras.tree.flatten(y_pred) if "float" in str(one.dtype)]
        return sum(map(_itself_for_gradient, outputs), ops.cast(self.shift, "float32"))


def _itself_for_gradient(output: Any) -> Any:
    itself = ops.stop_gradient(output)

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def nothing(output: Any) -> Any:
        return ops.zeros((), "float32"), lambda *_, upstream=None: itself

    return nothing(output)


class Done(BaseException):
    """The last layer of a cut has been called; `outputs` are those that no layer has taken.

    Not an Exception: these Keras catches to tell more of them.
    """

    def __init__(self, outputs: list[Any]) -> None:
        super().__init__()
        self.outputs = outputs


class Cut(Piece):
    """A network up to the last one of `called`."""

    def __init__(self, run: Any, called: list[Called], *, forward_only: bool) -> None:
        """`run` is the network; or a function of so many layers, where it is a chain of them."""
        super().__init__([one.layer for one in called if isinstance(one.layer, keras.Layer)])
        self.forward_only = forward_only
        watch = _Watch(called) if called and not isinstance(run, functools.partial) else None
        # Within a function Keras does not find the layers that are not part of this one.
        self.run = lambda x: run(len(called), x) if watch is None else watch.outputs(run, x)
        self.is_empty = not called

    def call(self, inputs: Any) -> Any:
        """What no layer has taken of what was made."""
        if self.forward_only:
            # A compiler would compute what does not change from step to step only once.
            shift = ops.stop_gradient(self.shift)
            inputs = keras.tree.map_structure(lambda x: x + ops.cast(shift, x.dtype), inputs)
        if self.is_empty:
            return super().call(inputs)
        return self.run(inputs)  # type: ignore[no-untyped-call]

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any
    ) -> Any:
        """Of a forward pass alone the sum of what was made, without gradients."""
        if not self.forward_only:
            return super().compute_loss(x, y, y_pred)
        made = map(ops.stop_gradient, keras.tree.flatten(y_pred))
        sums = (ops.sum(ops.cast(one, "float32")) for one in made)
        return sum(sums, ops.cast(self.shift, "float32"))

    @property
    def trainable_variables(self) -> list[Any]:
        """All of the layers', or the one that any piece has."""
        return [self.shift] if self.forward_only else super().trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The others."""
        trained = {id(one) for one in self.trainable_variables}
        return [one for one in self.variables if id(one) not in trained]

    @property
    def trainable_weights(self) -> list[Any]:
        """See `trainable_variables`."""
        return [self.shift] if self.forward_only else super().trainable_weights

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The others."""
        trained = {id(one) for one in self.trainable_weights}
        return [one for one in self.weights if id(one) not in trained]


class _Watch:
    """Hears of the calls of layers whose outputs count, and ends the pass at the last."""

    def __init__(self, called: list[Called]) -> None:
        self._last = called[-1]
        untaken = [called[position] for position in self._last.untaken]
        self._wanted = {(id(one.layer), one.nth) for one in untaken}
        self._heard: dict[int, int] = {}
        self._outputs: list[Any] = []
        for layer in {id(one.layer): one.layer for one in untaken}.values():
            layer.call = self._around(layer, layer.call)

    def outputs(self, network: Any, inputs: Any) -> list[Any]:
        """What a network makes of inputs up to there."""
        self._heard, self._outputs = {}, []
        try:
            run_as_trained(network, inputs)
        except Done as done:
            return done.outputs
        finally:
            self._outputs = []
        raise RuntimeError("the network has called fewer layers than when it was looked at")

    def _around(self, layer: Any, call: Any) -> Any:
        @functools.wraps(call)
        def heard(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            nth = self._heard.get(id(layer), 0)
            self._heard[id(layer)] = nth + 1
            if (id(layer), nth) in self._wanted:
                self._outputs += keras.tree.flatten(outputs)
            if layer is self._last.layer and nth == self._last.nth:
                raise Done(self._outputs)
            return outputs

        return heard


class Alone(Piece):
    """One call of a layer: what the network hands it lies there, of the same values."""

    def __init__(self, network: Any, one: Called, inputs: Any) -> None:
        super().__init__([one.layer] if isinstance(one.layer, keras.Layer) else [])
        given = keras.tree.map_structure(self._held, list(_handed(network, one, inputs)))
        layer, is_reached = one.layer, one.call.on_trained

        def run(shift: Any) -> Any:
            # As in `Cut`; and where layers with weights come before, they take its gradient.
            shift = shift if is_reached else ops.stop_gradient(shift)
            args, kwargs = keras.tree.map_structure(lambda held: _shifted(held, shift), given)
            return layer(*args, **kwargs)

        self.run = run

    def _held(self, handed: Any) -> Any:
        if not hasattr(handed, "shape") or not hasattr(handed, "dtype"):
            return handed
        kind = keras.backend.standardize_dtype(handed.dtype)
        as_it_is = {"trainable": False, "autocast": False, "initializer": "zeros"}
        held = self.add_weight(shape=tuple(handed.shape), dtype=kind, **as_it_is)
        held.assign(handed)
        return held

    def call(self, inputs: Any) -> Any:
        """What the layer makes of what is there."""
        return keras.tree.flatten(self.run(ops.convert_to_tensor(self.shift)))


def _handed(network: Any, one: Called, inputs: Any) -> tuple[Any, Any]:
    """The arguments of a layer's call in a pass of the network, by position and by name."""
    layer, call, heard = one.layer, one.layer.call, []
    before = iter(range(one.nth))

    @functools.wraps(call)
    def hear(*args: Any, **kwargs: Any) -> Any:
        if next(before, None) is None:
            heard.append((list(args), kwargs))
            raise Done([])
        return call(*args, **kwargs)

    layer.call = hear
    try:
        with contextlib.suppress(Done):
            run_as_trained(network, inputs)
    finally:
        layer.call = call
    return heard[0]


def _shifted(held: Any, shift: Any) -> Any:
    if not isinstance(held, keras.Variable) or held.dtype == "bool":
        return held
    return held + ops.cast(shift, held.dtype)


def run_as_trained(network: Any, inputs: Any) -> Any:
    """Call a network as Keras does in a step: without, what drops out or normalises would not."""
    given = {"training": True} if "training" in network.call_signature_parameters else {}
    return network(inputs, **given)


class Update(Piece):
    """The update of the last layer's weights: their gradients are numbers that are there."""

    def __init__(self, called: list[Called]) -> None:
        layer = called[-1].layer
        super().__init__([layer])
        self.pairs = [
            (one, self.add_weight(shape=one.shape, initializer="ones", trainable=False))
            for one in layer.trainable_variables
        ]

    def compute_loss(self, *_: Any, **__: Any) -> Any:
        """The sum of all weights times their gradients."""
        products = (ops.sum(ops.cast(one, factor.dtype) * factor) for one, factor in self.pairs)
        return sum((ops.cast(one, "float32") for one in products), super().compute_loss(y_pred=[]))


class _Nothing(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A schedule, computed as it is, times zero."""

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule

    def __call__(self, step: Any) -> Any:
        return 0.0 * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """Of Keras' contract; nothing saves it."""
        return {"schedule": self.schedule}


def without_learning(whole: Any) -> Any:
    """A network's optimizer as new, with a learning rate of 0."""
    own = whole.optimizer
    optimizer = type(own).from_config(own.get_config()) if own.built else own
    inside = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(inside._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        inside._learning_rate = _Nothing(inside._learning_rate)
    else:
        inside.learning_rate = 0.0
    return optimizer
