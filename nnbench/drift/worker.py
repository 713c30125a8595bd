"""What answers in a worker process of drift (see `measure.serve`): a training on each request.

Every request has its `kind`, the policy's `code` and the `seed`. A `train` leaves its trajectory
in the `folder` that is named, and answers the name of its file. `given` is the file there whose
start it takes, if any; `observe_order` asks for the order of rows. A `time` answers how long `fit`
takes. Unless `fresh` is false, the generators are first put back to those of a new process. What
cannot be trained is answered by an `error`.

Nothing touches a random generator between the policy's lines and the end of the training: what is
looked at besides (the order of rows, the layers' outputs) is looked at afterwards.
"""

import itertools
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.drift import metrics, policies, trajectory
from nnbench.drift.trajectory import AS_GIVEN, Array, Trajectory
from nnbench.errors import UserError
from nnbench.measure import serve
from nnbench.training import compiled
from nnbench.training.fit import fit
from nnbench.workload import keras_model, user_code
from nnbench.workload.case import Case
from nnbench.workload.datasets import nest
from nnbench.workload.datasets.nest import TrainingData

MOST_ROWS, OUTPUT_ROWS = 4096, 256
"""Rows that layers are given at most, and of which their outputs are kept."""

REFUSALS = (ArithmeticError, ImportError, LookupError, RuntimeError, TypeError, ValueError)
"""What Keras and its backends raise for a training that cannot be; one's own code may anything."""

Weights = list[list[Array]]
"""The weights of a network after each epoch that is kept."""


def open_room(started: serve.Started) -> serve.Room:
    """Train, or time a training, for each request."""
    restore = policies.remember_generators()
    answers = {"train": _train, "time": _time}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        try:
            if request.get("fresh", True):
                restore()
            return answers[request["kind"]](request, case, started.data_of(case))
        except UserError as mistake:
            return {"error": "\n".join(user_code.told(mistake))}
        except Exception as failure:
            if case.model is None and not isinstance(failure, REFUSALS):
                raise
            reason, *details = user_code.told(failure)
            what = f"{case.label} cannot be trained so on {case.backend}: {reason}"
            return {"error": "\n".join([what, *details])}

    return {}, answer


def _train(request: dict[str, Any], case: Case, data: TrainingData) -> dict[str, Any]:
    folder, given = Path(request["folder"]), request.get("given")
    began_s = time.perf_counter()
    found = train(
        case,
        data,
        code=request["code"],
        seed=request["seed"],
        given=trajectory.read(folder / given) if given else None,
        observe_order=request.get("observe_order", False),
    )
    return {
        "outcome": "ok",
        "file": trajectory.keep(found, folder),
        "initial_digest": metrics.digest(found.at(0)),
        "final_digest": metrics.digest(found.at(-1)),
        "order": found.order,
        "loss": next((one for one in found.losses[-1:] if math.isfinite(one)), None),
        "wall_s": time.perf_counter() - began_s,
    }


def _time(request: dict[str, Any], case: Case, data: TrainingData) -> dict[str, Any]:
    policies.apply(request["code"], request["seed"])
    model = keras_model.for_case(case)
    size, shuffle = case.training.batch_size, case.training.shuffle
    given = {"sample_weight": data.sample_weight, "batch_size": size, "shuffle": shuffle}
    given["source"] = case.training.source
    run = partial(fit, model, data.x, data.y, **given)
    run(epochs=2)
    began_s = time.perf_counter()
    run(epochs=case.cold_epochs)
    # The last epoch's loss was read as a number: the device has finished.
    return {"outcome": "ok", "duration_s": time.perf_counter() - began_s}


def train(
    case: Case,
    data: TrainingData,
    *,
    code: str,
    seed: int,
    given: Trajectory | None = None,
    observe_order: bool = False,
) -> Trajectory:
    """Run a policy's lines, build the network of `case`, train it and look at what came of it.

    The weights and random states that `given` started from replace those drawn. Raises
    UserError for a model that cannot be built.
    """
    if data.is_stream:
        raise anew(case)
    policies.apply(code, seed)
    model = keras_model.for_case(case)
    keras_model.make_weights(model, data.first(case.batch_rows).x)
    # The states of seed generators that belong to the network's layers are no weights.
    known = {id(variable) for variable in model.weights}
    draws = [one for one in model.non_trainable_variables if id(one) not in known]
    if given is not None:
        _assign([*model.weights, *draws], [*given.at(0), *given.draws])
    weights, drawn = [_arrays(model.weights)], _arrays(draws)
    kept = _recorded_epochs(case.cold_epochs)
    run = _by_fit if case.path == "fit" else _compiled
    losses = run(model, case, data, kept, weights)
    # Layer by layer: `predict` would compile the network once more.
    begins = range(0, data.rows, case.batch_rows)
    batches = (nest.rows_of(data.x, at, at + case.batch_rows) for at in begins)
    predictions = [_joined(model(batch, training=False)) for batch in batches]
    _assign([*model.weights, *draws], [*weights[0], *drawn])
    layers, outputs = _layer_outputs(model, data.first(MOST_ROWS).x)
    order = AS_GIVEN
    if observe_order and case.training.shuffle:
        order = _observed_order(case, code, seed, data)
    return Trajectory(
        names=_weight_names(model),
        epochs=tuple(kept),
        weights=tuple(np.stack(arrays) for arrays in zip(*weights, strict=True)),
        losses=tuple(losses),
        predictions=np.concatenate(predictions),
        layers=tuple(layers),
        outputs=tuple(outputs),
        draws=tuple(drawn),
        order=order,
        classes=nest.is_plain(data.y) and _are_classes(data.y),
    )


def anew(case: Case) -> UserError:
    """Why nothing is compared on a stream."""
    return UserError(f"{case.data} makes its batches anew: drift compares trainings on arrays")


def _by_fit(
    model: Any, case: Case, data: TrainingData, kept: list[int], weights: Weights
) -> list[float]:
    import keras

    class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch + 1 in kept:
                weights.append(_arrays(model.weights))

    size, shuffle = case.training.batch_size, case.training.shuffle
    given = {"sample_weight": data.sample_weight, "batch_size": size, "shuffle": shuffle}
    given["source"] = case.training.source
    run = partial(fit, model, data.x, data.y, **given)
    return run(epochs=kept[-1], callbacks=[Keeper()])


def _compiled(
    model: Any, case: Case, data: TrainingData, kept: list[int], weights: Weights
) -> list[float]:
    jit = keras_model.jit_compile(case)
    if jit == "auto" and case.backend == "tensorflow":
        # Chosen by time it may be another program in another process, which rounds otherwise.
        jit = True
    prepared = compiled.prepare(
        model,
        data.x,
        data.y,
        sample_weight=data.sample_weight,
        batch_size=case.batch_rows,
        shuffle=case.training.shuffle,
        jit_compile=jit,
    )
    losses: list[float] = []
    for before, epoch in itertools.pairwise(kept):
        losses += [float(loss) for loss in prepared.run(epoch - before).get("loss", ())]
        prepared.sync()
        weights.append(_arrays(model.weights))
    return losses


def _joined(outputs: Any) -> Array:
    """The outputs of some rows; of several, all numbers of a row side by side."""
    import keras

    found = [_array(one) for one in keras.tree.flatten(outputs)]
    if len(found) == 1:
        return found[0]
    return np.concatenate([one.reshape(len(one), -1).astype(np.float32) for one in found], axis=1)


def _are_classes(labels: nest.Array) -> bool:
    few = np.unique(labels).size <= max(2, len(labels) // 10)
    return bool(few and (labels == np.round(labels)).all())


def _assign(variables: list[Any], values: list[Array]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
        if np.isinf(_array(variable.value)).sum() > np.isinf(value).sum():
            raise UserError(f"numbers to start from are beyond those of {variable.dtype}")


def _recorded_epochs(epochs: int) -> list[int]:
    if epochs <= 64:
        return list(range(epochs + 1))
    spaced = np.unique(np.geomspace(1, epochs, 48).round().astype(int))
    return [0, *map(int, spaced)]


def _arrays(variables: list[Any]) -> list[Array]:
    return [_array(one.value) for one in variables]


def _array(tensor: Any) -> Array:
    """A copy of a type that an `.npz` can hold: bfloat16, which NumPy has not, becomes float32."""
    import keras

    array = np.array(keras.ops.convert_to_numpy(tensor))
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)


def _weight_names(model: Any) -> tuple[str, ...]:
    """A name for each weight that is the same however many networks a process has built."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.weights]
    # Later layers lie within earlier ones: the innermost owner gives the name.
    owners = {
        id(variable): f"{position} {type(layer).__name__}"
        for position, layer in enumerate(layers, start=1)
        for variable in layer.weights
    }
    return tuple(f"{owners.get(id(one), 'model')} {one.name}" for one in model.weights)


def _layer_outputs(model: Any, features: nest.Nest) -> tuple[list[str], list[Array]]:
    import keras

    if not isinstance(model, keras.Sequential) and not hasattr(model, "_operations"):
        return [], []
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    try:
        # As the model takes them, by name or by place.
        inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        tapped = keras.Model(inputs, [layer.output for layer in layers])
    except (AttributeError, ValueError):
        return [], []
    found = tapped(features, training=False)
    numbers = itertools.count(1)
    positions = [f"{next(numbers)} " if layer.weights else "" for layer in layers]
    names = [f"{at}{type(one).__name__}" for at, one in zip(positions, layers, strict=True)]
    outputs = found if isinstance(found, list) else [found]
    return names, [_joined(output)[:OUTPUT_ROWS] for output in outputs]


def _observed_order(case: Case, code: str, seed: int, data: TrainingData) -> str:
    """A digest of the rows' order in two epochs of `fit`, drawn anew as in the training."""
    import keras

    policies.apply(code, seed)
    keras_model.make_weights(keras_model.for_case(case), data.first(case.batch_rows).x)
    seen: list[Array] = []

    class Looker(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

        def train_step(self, *arguments: Any) -> Any:
            seen.append(_array(arguments[-1][0]).ravel().astype(np.int64))
            logs = {"loss": 0.0}
            # On JAX a step is given the state and the batch, and hands the state back.
            return (logs, arguments[0]) if len(arguments) == 2 else logs

    looker = Looker()
    looker.compile(optimizer="sgd", loss="mean_squared_error", run_eagerly=True)
    numbers = np.arange(data.rows, dtype=np.float32)[:, None]
    options = {"batch_size": case.batch_rows, "epochs": 2, "verbose": 0}
    looker.fit(numbers, numbers, shuffle=True, **options)
    return metrics.digest([np.concatenate(seen)])[:20]
