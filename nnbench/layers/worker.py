"""What answers in the worker that lists a network's layers (see `measure.serve`).

It trains nothing before: Keras numbers layers by process, and here they have the numbers that they
have where a person makes the network alone.
"""

from typing import Any

from nnbench.errors import UserError
from nnbench.layers.listed import UPDATED, Listed
from nnbench.measure import first_look, serve, trial
from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.counts import built, calls, sequence
from nnbench.workload.counts.sequence import Called
from nnbench.workload.datasets.nest import TrainingData


def open_room(started: serve.Started) -> serve.Room:
    """List the layers of each case that is asked for."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        return serve.found_or_told(case, lambda: look(case, started.data_of(case)), "trained")

    return {}, answer


def look(case: Case, data: TrainingData) -> dict[str, Any]:
    """The `layers` in the order of their calls, what a step takes about, and what compiles it.

    `xla` tells whether XLA compiles the whole on TensorFlow's compiled path; else it is None.
    """
    network = keras_model.for_case(case)
    own = type(network).train_step
    if not own.__module__.startswith("keras."):
        raise UserError(
            f"{case.label} takes a training step of its own ({own.__qualname__}), which no layer "
            "of it tells: layers cuts the step of Keras' Model.fit"
        )
    x = trial.inputs_of(trial.batch_of(case, data))
    keras_model.make_weights(network, x)
    layers = _listed(sequence.of_model(network, x), built.count(network, x).update_flops)
    xla = None
    if case.backend == "tensorflow" and case.path == "compiled" and case.model is None:
        prepared = trial.prepared_for(case, keras_model.for_case(case), data)
        prepared.compile()
        xla = "XLA program" in prepared.program.form
    taken = first_look.measure(case, data)
    times = {name: float(f"{taken[name]:.3g}") for name in ("once_s", "step_s")}
    return {"layers": [vars(one) for one in layers], "xla": xla, **times}


def _listed(called: list[Called], update_flops: int | None) -> list[Listed]:
    seen: set[int] = set()
    lines = [built.of_call(one.call, seen) for one in called]
    trainable = sum(line.trainable for each in lines for line in each)
    a_weight = (update_flops or 0) / max(1, trainable)
    found: list[Listed] = []
    updates: dict[Any, int] = {}
    alike: dict[Any, int] = {}
    for number, (one, each) in enumerate(zip(called, lines, strict=True), start=1):
        mine = sum(line.trainable for line in each)
        # The update of weights of equal shapes is the same program.
        weights = tuple((*v.shape, str(v.dtype)) for v in _trainable(one)) if not one.nth else ()
        found.append(
            Listed(
                name=one.name + (f" (call {one.nth + 1})" if one.nth else ""),
                kind=type(one.layer).__name__,
                output="x".join(map(str, one.call.outputs[0][1:])) if one.call.outputs else "",
                is_view=one.is_view,
                parameters=sum(line.parameters for line in each),
                forward_flops=sum(line.forward_flops for line in each),
                backward_flops=sum(line.backward_flops for line in each),
                update_flops=round(a_weight * mine),
                held_bytes=sum(line.weight_bytes + line.activation_bytes for line in each),
                missing=", ".join(dict.fromkeys(line.missing for line in each if line.missing)),
                updated=updates.setdefault(weights, number) if weights else UPDATED,
                alone=0 if one.is_view else alike.setdefault(_sameness(one, number), number),
            )
        )
    return found


def _sameness(one: Called, number: int) -> Any:
    """What calls have in common that take as long; a person's own layers need not tell it."""
    import keras

    if calls.keras_kind(one.layer) is None or not isinstance(one.layer, keras.Layer):
        return number
    config = {name: each for name, each in one.layer.get_config().items() if name != "name"}
    call = one.call
    return repr((type(one.layer), config, call.inputs, call.types, call.on_trained))


def _trainable(one: Called) -> list[Any]:
    return list(getattr(one.layer, "trainable_variables", ()))
