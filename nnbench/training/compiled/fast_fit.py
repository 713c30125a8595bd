"""`fast_fit`: `Model.fit`, with its arguments and its return type, as a compiled training."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import garbage
from nnbench.training.compiled import Logs, Prepared, prepare, program_cache, python_state, refusals
from nnbench.training.compiled.data import state_variables
from nnbench.workload import initial_values

if TYPE_CHECKING:
    import keras

SETTING = ("on_train_begin", "on_epoch_begin")
"""Hooks of a callback that sets something for the epochs to come, or counts them."""

LISTENS = "only_listens"
"""An attribute of a callback of nnbench's own, which sets nothing: so it need not be watched."""

STRETCH_S = 0.5
"""Epochs that run without Python in between: about this long, so that Ctrl-C is heard."""


def fast_fit(
    model: "keras.Model",
    x: Any = None,
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
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | list[int] = 1,
    *,
    seed: int | None = None,
    jit_compile: bool | str | None = None,
    callback_every: int = 1,
    otherwise: str = "raise",
) -> "keras.callbacks.History":
    """Train a compiled Keras model as `model.fit` would, all epochs in one compiled program.

    Arguments mean what they mean in `Model.fit`. Four are new: `seed` decides the shuffling,
    `jit_compile` overrides what the model was compiled with ("auto" is XLA on TensorFlow, where it
    pays within these epochs: both are timed), `callback_every=k` calls callbacks for every k-th
    epoch (and the last) only, which is faster since they stop the program, and `otherwise="fit"`
    trains with `model.fit`, with a warning, where the compiled path cannot. Callbacks that hear of
    an epoch's beginning or of the training's are called for every epoch, whatever k. `verbose`
    prints how it is trained, and a line whenever Python has the word.

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
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
    }

    def fit_instead(refusal: UserError, told: str = "") -> Any:
        if otherwise == "raise":
            raise refusal
        warnings.warn(f"{refusal}; it is trained with model.fit now{told}", stacklevel=3)
        more: dict[str, Any] = {"epochs": epochs, "initial_epoch": initial_epoch, **options}
        return model.fit(x, y, verbose=verbose, callbacks=callbacks, **more)

    try:
        validates = bool(validation_split) or validation_data is not None
        refusals.check_callbacks(given, validates=validates)
        more: dict[str, Any] = {"seed": seed, "jit_compile": jit_compile}
        more["epochs"] = max(0, epochs - initial_epoch)
        # A search for garbage goes through all that the backend has imported, again and again.
        with program_cache.on_disk(), garbage.not_collected():
            with initial_values.quick():
                prepared = prepare(model, x, y, **more, **options)
            held = python_state.held(model)
            if epochs > initial_epoch:
                prepared.compile()
    except UserError as refusal:
        return fit_instead(refusal)
    prepared.epochs_done = initial_epoch
    before = _values(model) if given and callback_every > 1 else []
    try:
        epochs = min(epochs, keras.config.max_epochs() or epochs)
        return train_prepared(prepared, given, epochs, verbose, callback_every)
    except refusals.LeftOutError as refusal:
        for variable, value in zip(chain(*state_variables(model)), before, strict=True):
            variable.assign(value)
        held.put_back()
        return fit_instead(
            refusal, ", from the first epoch on: callbacks were called for some epochs already"
        )


def train_prepared(
    prepared: Prepared,
    given: Sequence[Any] = (),
    epochs: int = 1,
    verbose: str | int = 0,
    callback_every: int = 1,
) -> Any:
    """Train up to epoch number `epochs`, and call the `given` callbacks; returns the history."""
    import keras

    model = prepared.model
    steps = prepared.task.training.steps
    listeners = keras.callbacks.CallbackList(
        list(given), add_history=True, model=model, verbose=verbose, epochs=epochs, steps=steps
    )
    history = model.history
    model.stop_training = False
    if verbose and epochs > prepared.epochs_done:
        sys.stdout.write(f"Trained as {prepared.program.form}\n")
    listeners.on_train_begin()
    # BackupAndRestore says in on_train_begin where to go on.
    prepared.epochs_done = model._initial_epoch or prepared.epochs_done
    last_logs: dict[str, Any] = {}
    try:
        if len(listeners.callbacks) > 1:
            stretches = _listened(prepared, listeners, epochs, callback_every)
        else:
            stretches = _unheard(prepared, history, epochs)
        for first_epoch, records in stretches:
            last_logs = records[-1]
            if verbose:
                _print(first_epoch + len(records), epochs, last_logs)
    finally:
        prepared.sync()
        if epochs > 0:
            model.optimizer.finalize_variable_values(model.trainable_weights)
    prepared.keep()
    listeners.on_train_end(last_logs)
    return history


Stretch = tuple[int, list[dict[str, Any]]]
"""The number of the first epoch, and the logs of each epoch since."""


def _unheard(prepared: Prepared, history: Any, epochs: int) -> Iterator[Stretch]:
    count = 1
    while prepared.epochs_done < epochs:
        first = prepared.epochs_done
        begin = perf_counter()
        logs = prepared.run(min(count, epochs - first))
        if perf_counter() - begin < STRETCH_S / 4:
            count *= 4
        records = _by_epoch(prepared, first, logs)
        for epoch, record in enumerate(records, start=first):
            history.epoch.append(epoch)
            for name, value in record.items():
                history.history.setdefault(name, []).append(value)
        yield first, records


def _listened(prepared: Prepared, listeners: Any, epochs: int, every: int) -> Iterator[Stretch]:
    """Stretches of epochs without Python; the model is up to date whenever a callback runs."""
    model, begin = prepared.model, prepared.epochs_done
    always: list[Any] = []
    sometimes: list[Any] = []
    for callback in listeners.callbacks:
        counts = callback is model.history or refusals.overridden(callback, SETTING)
        (always if counts or every == 1 else sometimes).append(callback)
    own_code = [callback for callback in listeners.callbacks if refusals.runs_own_code(callback)]
    begun = False
    # The history is always among them.
    stretch = 1 if len(always) > 1 else every
    while prepared.epochs_done < epochs and not model.stop_training:
        first = prepared.epochs_done
        listeners.on_epoch_begin(first)
        if not begun and any(refusals.overridden(callback, SETTING) for callback in own_code):
            # `fit` compiles its step now.
            prepared.retrace()
        elif own_code:
            prepared.distrust()
        begun = True
        records = _by_epoch(prepared, first, prepared.run(min(stretch, epochs - first)))
        prepared.sync()
        for epoch, record in enumerate(records, start=first):
            due = epoch + 1 == epochs or (epoch + 1 - begin) % every == 0
            # As in fit, a callback may add to the logs what the history then records.
            logs = dict(record)
            for callback in always:
                callback.on_epoch_end(epoch, logs)
            for callback in sometimes if due or model.stop_training else []:
                with _unchanged(model, callback, logs, every):
                    callback.on_epoch_end(epoch, logs)
        yield first, records


@contextmanager
def _unchanged(model: Any, callback: Any, logs: dict[str, Any], every: int) -> Iterator[None]:
    """Raise LeftOutError if a callback sets what epochs that it does not hear of depend on."""
    if getattr(callback, LISTENS, False):
        yield
        return
    names, values, stopping = list(logs), _values(model), model.stop_training
    held = python_state.held(model)
    yield
    if list(logs) != names:
        raise refusals.left_out(callback, "the logs", every)
    variables = chain(*state_variables(model))
    for variable, old, new in zip(variables, values, _values(model), strict=True):
        if not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
            raise refusals.left_out(callback, variable.name, every)
    model.stop_training, stops = stopping, model.stop_training
    if held.attributes_changed():
        raise refusals.left_out(callback, "an attribute of the model", every)
    model.stop_training = stops


def _values(model: Any) -> list[Any]:
    return [np.array(variable.numpy()) for variable in chain(*state_variables(model))]


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


def _print(done: int, epochs: int, logs: dict[str, Any]) -> None:
    values = " - ".join(
        f"{name}: {value:.4g}" for name, value in logs.items() if isinstance(value, float)
    )
    sys.stdout.write(f"Epoch {done}/{epochs} - {values}\n")
