"""One seeded training inside a worker, and everything about it that can drift.

Nothing here touches a random generator between the policy's lines and the end of the training:
what is looked at besides (the order of rows, the layers' outputs) is looked at afterwards.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.drift import metrics, policies
from nnbench.drift.trajectory import AS_GIVEN, Array, Trajectory
from nnbench.training import compiled
from nnbench.training.fit import fit
from nnbench.workload import keras_model
from nnbench.workload.case import Case

EVERY_EPOCH = 64
"""Up to so many epochs the weights of each are kept; of longer trainings, log-spaced ones."""

LOG_SPACED = 48
ORDER_EPOCHS = 2
"""Epochs whose order of rows is observed."""

MOST_ROWS, OUTPUT_ROWS = 4096, 256
"""Rows that layers are given at most, and of which their outputs are kept."""

Data = NDArray[np.float32]


def recorded_epochs(epochs: int) -> list[int]:
    """The epochs after which weights are kept: 0 (before training) to the last."""
    if epochs <= EVERY_EPOCH:
        return list(range(epochs + 1))
    spaced = np.unique(np.geomspace(1, epochs, LOG_SPACED).round().astype(int))
    return [0, *map(int, spaced)]


def train(
    case: Case,
    features: Data,
    labels: Data,
    *,
    code: str,
    seed: int,
    epochs: int,
    given: Trajectory | None = None,
    observe_order: bool = False,
) -> Trajectory:
    """Run a policy's lines, build the network of `case`, train it and look at what came of it.

    `features` is (rows, columns), `labels` (rows, ...). What the training `given` started from,
    weights and the state of random layers, replaces what the policy's seeds drew. The order of
    rows is observed if asked for and if there is one to observe. Raises UserError for a model
    that cannot be built.
    """
    policies.apply(code, seed)
    model = keras_model.for_case(case)
    if not model.built:
        model.build((None, *features.shape[1:]))
    state = [*model.weights, *_draws(model)]
    if given is not None:
        _assign(state, [*given.at(0), *given.draws])
    began, draws = _arrays(model.weights), _arrays(_draws(model))
    kept = recorded_epochs(epochs)
    run = _by_fit if case.path == "fit" else _compiled
    losses, history = run(model, case, features, labels, kept)
    weights = [began, *history]
    predictions = _predictions(model, features, case.batch_rows)
    _assign(state, [*began, *draws])
    layers, outputs = _layer_outputs(model, features[:MOST_ROWS])
    order = AS_GIVEN
    if observe_order and case.training.shuffle:
        order = _observed_order(case, code, seed, len(features))
    return Trajectory(
        names=_weight_names(model),
        epochs=tuple(kept),
        weights=tuple(np.stack(arrays) for arrays in zip(*weights, strict=True)),
        losses=tuple(losses),
        predictions=predictions,
        layers=layers,
        outputs=outputs,
        draws=tuple(draws),
        order=order,
        classes=_are_classes(labels),
    )


def _by_fit(
    model: Any, case: Case, features: Data, labels: Data, kept: list[int]
) -> tuple[list[float], list[list[Array]]]:
    import keras

    history: list[list[Array]] = []
    wanted = frozenset(kept)

    class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch + 1 in wanted:
                history.append(_arrays(model.weights))

    losses = fit(
        model,
        features,
        labels,
        epochs=kept[-1],
        batch_size=case.training.batch_size,
        shuffle=case.training.shuffle,
        callbacks=[Keeper()],
    )
    return losses, history


def _compiled(
    model: Any, case: Case, features: Data, labels: Data, kept: list[int]
) -> tuple[list[float], list[list[Array]]]:
    shuffle = case.training.shuffle
    prepared = compiled.prepare(
        model, features, labels, batch_size=case.batch_rows, shuffle=shuffle
    )
    losses: list[float] = []
    history: list[list[Array]] = []
    for before, epoch in itertools.pairwise(kept):
        losses += [float(loss) for loss in prepared.run(epoch - before)["loss"]]
        prepared.sync()
        history.append(_arrays(model.weights))
    return losses, history


def _predictions(model: Any, features: Data, batch_rows: int) -> Array:
    """What the trained network answers, layer by layer: `predict` would compile it once more."""
    parts = [
        _array(model(features[begin : begin + batch_rows], training=False))
        for begin in range(0, len(features), batch_rows)
    ]
    return np.concatenate(parts)


def _assign(variables: list[Any], values: list[Array]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _draws(model: Any) -> list[Any]:
    """The states of seed generators that belong to the network's layers."""
    known = {id(variable) for variable in model.weights}
    return [variable for variable in model.non_trainable_variables if id(variable) not in known]


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
    owners: dict[int, str] = {}
    for position, layer in enumerate(layers, start=1):
        for variable in layer.weights:
            # Later layers lie within earlier ones: the innermost owner gives the name.
            owners[id(variable)] = f"{position} {type(layer).__name__}"
    return tuple(
        f"{owners.get(id(variable), 'model')} {variable.name}" for variable in model.weights
    )


def _layer_outputs(model: Any, features: Data) -> tuple[tuple[str, ...], tuple[Array, ...]]:
    import keras

    if not isinstance(model, keras.Sequential) and not hasattr(model, "_operations"):
        return (), ()
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    try:
        inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
        tapped = keras.Model(inputs, [layer.output for layer in layers])
    except (AttributeError, ValueError):
        return (), ()
    found = tapped(features, training=False)
    names, outputs = [], []
    number = 0
    for layer, output in zip(layers, found if isinstance(found, list) else [found], strict=True):
        number += bool(layer.weights)
        names.append(f"{number} {type(layer).__name__}" if layer.weights else type(layer).__name__)
        outputs.append(_array(output)[:OUTPUT_ROWS])
    return tuple(names), tuple(outputs)


def _observed_order(case: Case, code: str, seed: int, rows: int) -> str:
    """A digest of the order in which `fit` takes the rows, seen by a network that only looks.

    The policy's lines are run again and the network is built again, so that the generators are
    where they were; then a network without weights is given the rows' numbers in its place.
    """
    import keras

    policies.apply(code, seed)
    keras_model.for_case(case)
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
    numbers = np.arange(rows, dtype=np.float32)[:, None]
    size, epochs = case.batch_rows, ORDER_EPOCHS
    looker.fit(numbers, numbers, batch_size=size, shuffle=True, epochs=epochs, verbose=0)
    return metrics.digest([np.concatenate(seen)])[:20]


def _are_classes(labels: Data) -> bool:
    return bool(np.all(labels == np.round(labels))) and np.unique(labels).size <= max(
        2, len(labels) // 10
    )
