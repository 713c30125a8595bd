"""`fast_fit`: `Model.fit`, with its arguments and its return type, as a compiled training."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from nnbench.errors import UserError
from nnbench.training.compiled import Logs, Prepared, prepare, refusals

if TYPE_CHECKING:
    import keras

STRETCH_S = 0.5
"""Epochs that run without Python in between: about this long, so that Ctrl-C is heard."""


def fast_fit(
    model: "keras.Model",
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Sequence[Any] | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | str = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    validation_batch_size: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    *,
    seed: int | None = None,
    callback_every: int = 1,
    otherwise: str = "raise",
) -> "keras.callbacks.History":
    """Train a compiled Keras model as `model.fit` would, all epochs in one compiled program.

    Arguments mean what they mean in `Model.fit`. Three are new: `seed` decides the shuffling,
    `callback_every=k` calls callbacks for every k-th epoch (and the last) only, which is faster
    since they stop the program, and `otherwise="fit"` trains with `model.fit`, with a warning,
    where the compiled path cannot. `verbose` prints a line whenever Python has the word.

    Afterwards the model holds weights, optimizer state, metrics and seeds as after `fit`. Returns
    the `History`. Raises UserError for a model, data or callback that the compiled path does not
    train, naming the layer or callback.
    """
    import keras

    if otherwise not in ("raise", "fit"):
        raise UserError(f"unknown value '{otherwise}' for otherwise: choose from raise, fit")
    if callback_every < 1:
        raise UserError(f"callbacks cannot be called every {callback_every} epochs: use 1 or more")
    given = list(keras.tree.flatten(callbacks)) if callbacks else []
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "validation_split": validation_split,
        "validation_data": validation_data,
        "shuffle": shuffle,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
    }
    try:
        validates = bool(validation_split) or validation_data is not None
        refusals.check_callbacks(given, validates=validates)
        prepared = prepare(model, x, y, seed=seed, **options)
        if epochs > initial_epoch:
            prepared.trace()
    except UserError as refusal:
        if otherwise == "raise":
            raise
        warnings.warn(f"{refusal}; it is trained with model.fit now", stacklevel=2)
        options |= {"epochs": epochs, "initial_epoch": initial_epoch}
        return model.fit(x, y, verbose=verbose, callbacks=callbacks, **options)
    prepared.epochs_done = initial_epoch
    return _train(prepared, given, epochs, verbose, callback_every)


def _train(
    prepared: Prepared, given: list[Any], epochs: int, verbose: str | int, callback_every: int
) -> Any:
    import keras

    model = prepared.model
    history = next(
        (callback for callback in given if isinstance(callback, keras.callbacks.History)),
        keras.callbacks.History(),
    )
    others = [callback for callback in given if callback is not history]
    steps = prepared.task.training.steps
    listeners = keras.callbacks.CallbackList(
        others, model=model, verbose=verbose, epochs=epochs, steps=steps
    )
    history.set_model(model)
    history.set_params(listeners.params)
    history.on_train_begin()
    model.history = history
    model.stop_training = False
    listeners.on_train_begin()
    # BackupAndRestore says in on_train_begin where to go on.
    prepared.epochs_done = model._initial_epoch or prepared.epochs_done
    last_logs: dict[str, Any] = {}
    try:
        if others:
            stretches = _listened(prepared, listeners, epochs, callback_every)
        else:
            stretches = _unheard(prepared, epochs)
        for first_epoch, records in stretches:
            for epoch, record in enumerate(records, start=first_epoch):
                history.epoch.append(epoch)
                for name, value in record.items():
                    history.history.setdefault(name, []).append(value)
            last_logs = records[-1]
            if verbose:
                _say(first_epoch + len(records), epochs, last_logs)
    finally:
        prepared.sync()
        if epochs > 0:
            model.optimizer.finalize_variable_values(model.trainable_weights)
    listeners.on_train_end(last_logs)
    return history


Stretch = tuple[int, list[dict[str, Any]]]
"""The number of the first epoch, and the logs of each epoch since."""


def _unheard(prepared: Prepared, epochs: int) -> Iterator[Stretch]:
    count = 1
    while prepared.epochs_done < epochs:
        first = prepared.epochs_done
        begin = perf_counter()
        logs = prepared.run(min(count, epochs - first))
        if perf_counter() - begin < STRETCH_S / 4:
            count *= 4
        yield first, _by_epoch(prepared, first, logs)


def _listened(
    prepared: Prepared, listeners: Any, epochs: int, callback_every: int
) -> Iterator[Stretch]:
    """Stretches of `callback_every` epochs; the model is up to date whenever a callback runs."""
    while prepared.epochs_done < epochs and not prepared.model.stop_training:
        first = prepared.epochs_done
        last = min(first + callback_every, epochs) - 1
        listeners.on_epoch_begin(last)
        records = _by_epoch(prepared, first, prepared.run(last + 1 - first))
        prepared.sync()
        for callback in listeners.callbacks:
            # As in fit, a callback may add to the logs what the history then records.
            callback.on_epoch_end(last, records[-1])
        yield first, records


def _by_epoch(prepared: Prepared, first: int, logs: Logs) -> list[dict[str, Any]]:
    """Logs of each epoch as `fit` gives them: floats by name, in alphabetical order."""
    names = sorted(logs)
    columns = [logs[name].tolist() if logs[name].ndim == 1 else logs[name] for name in names]
    validated = [name.startswith("val_") for name in names]
    records = []
    for epoch, values in enumerate(zip(*columns, strict=True), start=first):
        named = zip(names, values, validated, strict=True)
        with_validation = prepared.task.validates(epoch)
        records.append({name: value for name, value, val in named if with_validation or not val})
    return records


def _say(done: int, epochs: int, logs: dict[str, Any]) -> None:
    values = " - ".join(
        f"{name}: {value:.4g}" for name, value in logs.items() if isinstance(value, float)
    )
    sys.stdout.write(f"Epoch {done}/{epochs} - {values}\n")
