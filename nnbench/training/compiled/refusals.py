"""What the compiled path does not train, each in one sentence that says what to do instead."""

import inspect
import traceback
from collections.abc import Sequence
from typing import Any

from nnbench.errors import UserError
from nnbench.workload import user_code

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
VALIDATION_HOOKS = ("on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end")
INSTEAD = "train it with model.fit"
BEFORE_THE_REASON = (
    *("Exception encountered when", "Graph execution error", "Detected at node", "File ", "<stack"),
)
UNREPEATABLE = (
    "the model's training step is another one each time it is taken from equal weights with equal "
    "data, by something that it counts or draws outside of its layers: " + INSTEAD
)


def check_model(model: Any) -> None:
    """Raise UserError unless Keras' `compile()` was called in a way that can be followed."""
    import keras

    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise UserError("the model has no optimizer yet: call model.compile(...) first")
    if model.run_eagerly:
        raise UserError(
            "the model was compiled with run_eagerly=True, which asks for Python in every step: "
            "call model.compile without it, or " + INSTEAD
        )
    distributed = keras.distribution.distribution() is not None
    if distributed or getattr(model, "_distribute_strategy", None):
        raise UserError("the compiled path trains on one device: " + INSTEAD)
    if not model.trainable_weights and model.built:
        raise UserError("the model has no trainable weights")


def check_steps(asked: int | None, steps: int) -> None:
    """Raise UserError unless an epoch is one pass over the rows."""
    if asked and asked != steps:
        raise UserError(
            f"steps_per_epoch={asked} is not one pass over the rows, which is {steps} batches, and "
            f"the next epoch would begin where this one ends: leave it out, or {INSTEAD}"
        )


def check_frequency(validation_freq: Any) -> None:
    """Raise UserError unless it is one of the two kinds that `fit` takes."""
    counted = isinstance(validation_freq, int) and validation_freq >= 1
    if not counted and not isinstance(validation_freq, list):
        raise UserError(
            f"validation_freq={validation_freq!r} is neither a whole number from 1 nor a list of "
            "epochs"
        )


def check_callbacks(callbacks: Sequence[Any], *, validates: bool) -> None:
    """Raise UserError if a callback wants Python within an epoch; it is named."""
    from keras.callbacks import BackupAndRestore, Callback, ModelCheckpoint

    hooks = BATCH_HOOKS + (VALIDATION_HOOKS if validates else ())
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise UserError(f"{callback!r:.80} is no keras.callbacks.Callback: leave it out")
        # These two look at every batch only to find that it is not yet time to save.
        saves = isinstance(callback, ModelCheckpoint | BackupAndRestore)
        if saves and callback.save_freq == "epoch":
            continue
        wanted = overridden(callback, hooks)
        if wanted:
            raise UserError(
                f"callback {type(callback).__name__} wants Python within an epoch "
                f"({', '.join(wanted)}), which the compiled path does not stop for: "
                f"leave it out, or {INSTEAD}"
            )


def overridden(callback: Any, hooks: Sequence[str]) -> list[str]:
    """Those hooks that a callback has of its own."""
    from keras.callbacks import Callback

    kind, own = type(callback), vars(callback)
    return [
        hook for hook in hooks if hook in own or getattr(kind, hook) is not getattr(Callback, hook)
    ]


def runs_own_code(callback: Any) -> bool:
    """Whether it may set what Keras' own callbacks do not: anything but variables."""
    functions = [value for value in vars(callback).values() if inspect.isfunction(value)]
    modules = [type(callback).__module__, *(function.__module__ for function in functions)]
    return any(module.split(".")[0] != "keras" for module in modules)


class LeftOutError(UserError):
    """A callback was left out of epochs that depend on it."""


def left_out(callback: Any, what: str, every: int) -> LeftOutError:
    """Why a callback cannot be called for some epochs only."""
    return LeftOutError(
        f"callback {type(callback).__name__} changes {what} at the end of an epoch, and "
        f"callback_every={every} leaves epochs out: leave callback_every out, or {INSTEAD}"
    )


def untraceable(model: Any, failure: Exception) -> UserError:
    """Why a training step could not be traced, naming the layer in which it stopped."""
    return UserError(f"the model cannot be compiled as a whole: {_told(model, failure)}: {INSTEAD}")


def uncompilable(model: Any, failure: Exception) -> UserError:
    """Why a compiler did not take the program."""
    return UserError(f"the compiler does not take the model: {_told(model, failure)}: {INSTEAD}")


def stopped(model: Any, failure: Exception) -> UserError:
    """What ended a training that had begun."""
    return UserError(f"the training ended: {_told(model, failure)}")


def _told(model: Any, failure: Exception) -> str:
    for cause in _causes(failure):
        layer = _layer_in_traceback(model, cause)
        if layer is not None:
            break
    where = f"layer '{layer.name}' ({type(layer).__name__})" if layer else "its training step"
    lines = map(str.strip, user_code.lines(cause))
    told = (line for line in lines if not line.startswith(BEFORE_THE_REASON))
    reason = next(told, "without a message")[:200].rstrip(".: ")
    return f"{where} stopped with {type(cause).__name__} ({reason})"


def _causes(failure: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = failure
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _layer_in_traceback(model: Any, failure: BaseException) -> Any:
    import keras

    frames = [frame for frame, _ in traceback.walk_tb(failure.__traceback__)]
    owners = [frame.f_locals.get("self") for frame in reversed(frames)]
    layers = (owner for owner in owners if isinstance(owner, keras.layers.Layer))
    return next((layer for layer in layers if layer is not model), None)
