"""The table of a network's layers: shapes, parameters, FLOPs and bytes of one training step."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nnbench.workload.counts import calls
from nnbench.workload.counts.calls import VALUE_BYTES, VIEWS, Call, size_bytes
from nnbench.workload.counts.records import LayerCount, NetworkCount
from nnbench.workload.counts.rules import RULES, why
from nnbench.workload.counts.work import Work

if TYPE_CHECKING:
    import keras

# Additions, multiplications, divisions and roots of a weight's update, by Keras' formulas.
UPDATE_FLOPS = {
    "SGD": 2, "RMSprop": 9, "Adam": 12, "AdamW": 14, "Adagrad": 6, "Adadelta": 12, "Adamax": 9,
    "Nadam": 19, "Lion": 8, "Ftrl": 16, "Lamb": 20, "none": 0,
}  # fmt: skip

AT_THRESHOLDS = (
    "AUC", "auc", "PrecisionAtRecall", "RecallAtPrecision",
    "SensitivityAtSpecificity", "SpecificityAtSensitivity",
)  # fmt: skip
"""Metrics that look at every value with some 200 thresholds."""

AS_MANY = 4
"""Plain metrics that take as long as one of those, to compile and in a step: 2 to 9."""

EACH_STEP = (
    "forward_products", "forward_elementwise", "backward_products", "backward_elementwise",
    "activation_bytes", "grouped_products", "ungrouped_products",
)  # fmt: skip


def count(model: "keras.Model", batch: Any) -> NetworkCount:
    """Count a built `model` on `batch`, arrays or specifications with all rows."""
    import keras

    inputs = keras.tree.flatten(batch)
    whole = calls.of_model(model, batch)
    seen: set[int] = set()
    layers = [line for call in whole.calls for line in _lines(call, seen, "")]
    layers += _beside(whole, model.name, seen)
    optimizer, state = _optimizer(model)
    each = UPDATE_FLOPS.get(optimizer)
    if optimizer == "SGD" and model.optimizer and getattr(model.optimizer, "momentum", 0):
        each = 4
    trainable = sum(math.prod(one.shape) for one in model.trainable_variables)
    return NetworkCount(
        rows=inputs[0].shape[0],
        layers=tuple(layers),
        batch_bytes=sum(_taken_bytes(one, model.compute_dtype) for one in inputs),
        optimizer=optimizer,
        update_flops=None if each is None else each * trainable,
        optimizer_bytes=sum(size_bytes(one) for one in state if len(one.shape)),
        precision=model.compute_dtype,
        metrics=_metrics(model),
    )


def of_call(call: Call, seen: set[int]) -> list[LayerCount]:
    """The lines of one call; `seen` are the weights that earlier lines have."""
    return list(_lines(call, seen, ""))


def _optimizer(model: "keras.Model") -> tuple[str, list[Any]]:
    """Its kind and its variables; a scaled loss' optimizer is the one inside."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return "none", []
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    inside = getattr(optimizer, "inner_optimizer", optimizer)
    return type(inside).__name__, optimizer.variables


def _metrics(model: "keras.Model") -> int:
    """Its own metrics and those that it was compiled with, and its losses where it has several.

    What has many thresholds counts as several.
    """
    import keras

    if not model.compiled:
        return 0
    # Keras makes those that it was compiled with, and a mean of each loss, in the first step.
    compiled, losses = model._compile_metrics, getattr(model._compile_loss, "metrics", [])
    asked = [compiled._user_metrics, compiled._user_weighted_metrics] if compiled else []
    theirs = {id(one) for one in (model._loss_tracker, compiled, *losses)}
    found = [one for one in keras.tree.flatten(asked) if one is not None]
    found += [one for one in model.metrics if id(one) not in theirs]
    outputs = len(keras.tree.flatten(getattr(model, "outputs", None) or []))
    names = (one if isinstance(one, str) else type(one).__name__ for one in found)
    several = (AS_MANY if name in AT_THRESHOLDS else 1 for name in names)
    return sum(several) + (outputs if outputs > 1 else 0)


def _taken_bytes(array: Any, compute_type: str) -> int:
    """What an input takes as the model takes it: numbers in the type that it computes in."""
    import keras

    kind = keras.backend.standardize_dtype(array.dtype)
    is_number = "float" in kind
    return VALUE_BYTES[compute_type if is_number else kind] * int(math.prod(array.shape))


def _lines(call: Call, seen: set[int], path: str) -> Iterator[LayerCount]:
    layer = call.layer
    name = f"{path}/{layer.name}" if path else layer.name
    rule = RULES.get(calls.keras_kind(layer) or "")
    work = rule(call) if rule else None
    if work is not None:
        yield _line(call, name, work, seen)
        return
    if (repeated := calls.one_step(call)) is not None:
        step, times = repeated
        one_by_one = times if calls.is_recurrent(call.layer) else 1
        yield from (_repeated(line, times, one_by_one) for line in _lines(step, seen, name))
        yield from _own_weights(layer, seen, name)
        return
    for made in call.calls:
        yield from _lines(made, seen, name)
    yield from _beside(call, name, seen)


def _beside(call: Call, name: str, seen: set[int]) -> Iterator[LayerCount]:
    """What a layer without a rule has and does besides calling others."""
    if calls.is_graph(call.layer):
        yield from _own_weights(call.layer, seen, name)
        return
    own = _line(call, name, None, seen)
    # Its outputs are those of a layer that it called, as far as one can tell.
    yield replace(own, activation_bytes=0) if call.calls else own


def _repeated(line: LayerCount, times: int, one_by_one: int) -> LayerCount:
    """A line of one step as one of all steps."""
    rows, *rest = line.output
    return replace(
        line,
        output=(rows, times, *rest),
        steps=one_by_one,
        **{name: times * getattr(line, name) for name in EACH_STEP},
    )


def _line(call: Call, name: str, work: Work | None, seen: set[int]) -> LayerCount:
    layer = call.layer
    own = _new_weights(layer, seen)
    trained = bool(getattr(layer, "trainable_variables", ()))
    done = work or Work()
    reached = trained or call.on_trained
    value_bytes = call.output_bytes // max(1, sum(map(math.prod, call.outputs)))
    held = 0 if type(layer).__name__ in VIEWS else call.output_bytes
    return LayerCount(
        name=name,
        kind=type(layer).__name__,
        output=call.outputs[0] if call.outputs else (),
        parameters=sum(math.prod(one.shape) for one in own),
        trainable=sum(math.prod(one.shape) for one in own if one.trainable),
        weight_bytes=sum(size_bytes(one) for one in own),
        activation=getattr(getattr(layer, "activation", None), "__name__", ""),
        forward_products=done.products,
        forward_elementwise=done.forward,
        backward_products=done.backward_products(trained=trained, on_trained=call.on_trained),
        backward_elementwise=reached * done.backward,
        activation_bytes=call.is_needed * held + reached * value_bytes * done.held,
        grouped_products=done.grouped,
        ungrouped_products=done.ungrouped,
        counted=work is not None,
        missing=why(layer) if work is None else ", ".join(dict.fromkeys(work.missing)),
        variables=sum(one.trainable for one in own),
        steps=call.inputs[0][1] if calls.is_recurrent(layer) else 1,
        is_masked=call.is_masked and calls.is_recurrent(layer),
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
        variables=sum(one.trainable for one in own),
    )
