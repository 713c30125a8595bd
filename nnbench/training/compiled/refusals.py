"""What the compiled path does not train, each in one sentence that says what to do instead."""

import traceback
from collections.abc import Sequence
from typing import Any

from nnbench.errors import UserError

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
VALIDATION_HOOKS = ("on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end")
INSTEAD = "train it with model.fit"


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


def check_callbacks(callbacks: Sequence[Any], *, validates: bool) -> None:
    """Raise UserError if a callback wants Python within an epoch; it is named."""
    from keras.callbacks import BackupAndRestore, Callback, ModelCheckpoint

    hooks = BATCH_HOOKS + (VALIDATION_HOOKS if validates else ())
    plain = {hook: getattr(Callback, hook) for hook in hooks}
    for callback in callbacks:
        # These two look at every batch only to find that it is not yet time to save.
        saves = isinstance(callback, ModelCheckpoint | BackupAndRestore)
        if saves and callback.save_freq == "epoch":
            continue
        kind, own = type(callback), vars(callback)
        wanted = [hook for hook in hooks if hook in own or getattr(kind, hook) is not plain[hook]]
        if wanted:
            raise UserError(
                f"callback {kind.__name__} wants Python within an epoch ({', '.join(wanted)}), "
                f"which the compiled path does not stop for: leave it out, or {INSTEAD}"
            )


def untraceable(model: Any, failure: Exception) -> UserError:
    """Why a training step could not be traced, naming the layer in which it stopped."""
    for cause in _causes(failure):
        layer = _layer_in_traceback(model, cause)
        if layer is not None:
            break
    where = f"layer '{layer.name}' ({type(layer).__name__})" if layer else "its training step"
    lines = [line for line in str(cause).strip().splitlines() if line.strip()]
    reason = lines[0][:200].rstrip(".: ") if lines else "without a message"
    return UserError(
        f"the model cannot be compiled as a whole: {where} stopped with "
        f"{type(cause).__name__} ({reason}): {INSTEAD}"
    )


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
