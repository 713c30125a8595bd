"""The table of a network's layers: shapes, parameters, FLOPs and bytes of one training step."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nnbench.workload.counts import calls
from nnbench.workload.counts.calls import Call, size_bytes
from nnbench.workload.counts.records import LayerCount, NetworkCount
from nnbench.workload.counts.rules import RULES, VIEWS, Work

if TYPE_CHECKING:
    import keras

# Additions, multiplications, divisions and roots of a weight's update, by Keras' formulas.
UPDATE_FLOPS = {
    "SGD": 2, "RMSprop": 9, "Adam": 12, "AdamW": 14, "Adagrad": 6, "Adadelta": 12, "Adamax": 9,
    "Nadam": 19, "Lion": 8, "Ftrl": 16, "Lamb": 20,
}  # fmt: skip


def count(model: "keras.Model", batch: Any) -> NetworkCount:
    """Count a built and compiled `model` on `batch`, arrays or specifications with all rows."""
    import keras

    inputs = keras.tree.flatten(batch)
    seen: set[int] = set()
    layers = [line for call in calls.of_model(model, batch) for line in _lines(call, seen, "")]
    layers += _own_weights(model, seen, "")
    trainable = sum(math.prod(one.shape) for one in model.trainable_variables)
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    each = UPDATE_FLOPS.get(type(optimizer).__name__)
    if each and getattr(optimizer, "momentum", 0) and type(optimizer).__name__ == "SGD":
        each += 2
    return NetworkCount(
        rows=inputs[0].shape[0],
        layers=tuple(layers),
        batch_bytes=sum(size_bytes(one) for one in inputs),
        optimizer=type(optimizer).__name__,
        update_flops=None if each is None else each * trainable,
        optimizer_bytes=sum(size_bytes(one) for one in optimizer.variables if len(one.shape)),
    )


def _lines(call: Call, seen: set[int], path: str) -> Iterator[LayerCount]:
    layer = call.layer
    name = f"{path}/{layer.name}" if path else layer.name
    rule = _rule_of(layer)
    work = rule(call) if rule else None
    if work is None and _is_time_distributed(layer):
        work = _each_step(call)
    if work is not None or not call.calls:
        yield _line(call, name, work, seen)
        return
    for made in call.calls:
        yield from _lines(made, seen, name)
    if calls.is_graph(layer):
        yield from _own_weights(layer, seen, name)
    else:
        # What it does besides calling other layers is nobody's to count.
        own = _line(replace(call, calls=[]), name, None, seen)
        yield replace(own, activation_bytes=0)


def _rule_of(layer: Any) -> Any:
    return RULES.get(calls.keras_kind(layer) or "")


def _is_time_distributed(layer: Any) -> bool:
    import keras

    return type(layer) is keras.layers.TimeDistributed


def _each_step(call: Call) -> Work | None:
    """The work of the layer inside, which is called for every step without being asked by name."""
    inside, steps = call.layer.layer, call.inputs[0][1]
    rule = _rule_of(inside)
    once = [(one[0], *one[2:]) for one in (call.inputs[0], call.outputs[0])]
    work = rule(Call(inside, [once[0]], [once[1]])) if rule else None
    if work is None:
        return None
    return Work(*(steps * value for value in vars(work).values()))


def _line(call: Call, name: str, work: Work | None, seen: set[int]) -> LayerCount:
    layer = call.layer
    own = _new_weights(layer, seen)
    trainable = [weight for weight in own if weight.trainable]
    trained = bool(getattr(layer, "trainable_variables", ()))
    done = work or Work()
    reached = trained or call.on_trained
    value_bytes = call.output_bytes // max(1, math.prod(call.outputs[0]) if call.outputs else 1)
    held = 0 if type(layer).__name__ in VIEWS else call.output_bytes
    return LayerCount(
        name=name,
        kind=type(layer).__name__,
        output=call.outputs[0] if call.outputs else (),
        parameters=sum(math.prod(one.shape) for one in own),
        trainable=sum(math.prod(one.shape) for one in trainable),
        weight_bytes=sum(size_bytes(one) for one in own),
        activation=getattr(getattr(layer, "activation", None), "__name__", ""),
        forward_products=done.product + done.inner,
        forward_elementwise=done.forward,
        backward_products=done.product * (trained + call.on_trained) + 2 * reached * done.inner,
        backward_elementwise=reached * done.backward,
        activation_bytes=held + value_bytes * done.held,
        counted=work is not None,
    )


def _new_weights(layer: Any, seen: set[int]) -> list[Any]:
    """The weights of a layer that no line has yet."""
    found = [one for one in getattr(layer, "weights", ()) if id(one) not in seen]
    seen.update(map(id, found))
    return found


def _own_weights(layer: Any, seen: set[int], path: str) -> Iterator[LayerCount]:
    """A line for weights that belong to none of the layers that were called."""
    own = _new_weights(layer, seen)
    if not own:
        return
    yield LayerCount(
        name=path or layer.name,
        kind=type(layer).__name__,
        output=(),
        parameters=sum(math.prod(one.shape) for one in own),
        trainable=sum(math.prod(one.shape) for one in own if one.trainable),
        weight_bytes=sum(size_bytes(one) for one in own),
    )
