"""A person's own Keras model: what their function returns, or what a file holds.

Keras must have been started by `devices.start`.
"""

import functools
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnbench.errors import UserError, first_line
from nnbench.workload import handed, user_code, user_model
from nnbench.workload.case import Training

if TYPE_CHECKING:
    import keras

OPTIONS = {"optimizer": "optimizer", "loss": "loss", "activation": "activation"}
"""Fields of a training by the options that set them."""

MADE_ALREADY = ("activation",)
"""What cannot be set once a model is made."""

SHORT_NAMES = ("mse", "mae", "mape", "msle", "kld", "bce")
"""Of losses and metrics."""

_NOT_KERAS = re.compile(r"(?:Could not locate (?:class|function)|Unknown \w+:) '(\w+)'")

_understood = functools.cache(user_model.parse)


def make(text: str, policy: str | None = None) -> "keras.Model":
    """The model that `text` names, as it is made, or under a dtype policy.

    Raises UserError where there is none, or where it does not go by the policy.
    """
    own = _understood(text)
    if policy is None:
        return _read(own.reference) if own.is_saved else _called(own)
    if own.is_saved:
        raise UserError(f"{text} keeps the precision that it was saved with: leave --dtype out")
    model = _called(own, policy)
    if policy not in policies(model):
        raise UserError(f"{text} sets its precision by itself: leave --dtype out")
    return model


def policies(model: "keras.Model") -> list[str]:
    """The dtype policies of its layers, in order, but of models within it and of inputs."""
    import keras

    layers = model._flatten_layers(include_self=False)
    plain = (keras.Model, keras.layers.InputLayer)
    return [layer.dtype_policy.name for layer in layers if not isinstance(layer, plain)]


def set_options(text: str, model: "keras.Model", training: Training) -> None:
    """Set what a compiled model can be told of later. Raises UserError for what it refuses."""
    if training.jit != "auto":
        wanted = training.jit == "on"
        if wanted and model.run_eagerly:
            raise UserError(f"{text} is compiled with run_eagerly: --jit on cannot change that")
        model.jit_compile = wanted
        if bool(model.jit_compile) != wanted:
            raise UserError(f"{text} has a layer that does not support --jit on: leave it out")
    if training.steps_per_execution is not None:
        model.steps_per_execution = training.steps_per_execution


def check_options(text: str, training: Training, *, compiled: bool) -> None:
    """Raise UserError for the first option, other than by default, that a model goes against."""
    usual = Training(task=training.task)
    for name, option in OPTIONS.items():
        given = getattr(training, name)
        if given == getattr(usual, name) or not (compiled or name in MADE_ALREADY):
            continue
        why = "is compiled as it is" if name not in MADE_ALREADY else "is made as it is"
        raise UserError(f"{text} {why}: --{option} {given} cannot change that, leave it out")


@dataclass(frozen=True)
class _Function:
    """A person's function, and Keras' settings as its file leaves them."""

    function: Callable[..., Any]
    settings: tuple[Any, str, str]


def _called(own: user_model.UserModel, policy: str | None = None) -> "keras.Model":
    import keras

    known = _loaded(own.reference, handed.digest(own.reference))
    # What one function sets for all of Keras must not befall the next.
    _set(known.settings)
    if policy is not None:
        keras.config.set_dtype_policy(policy)
    try:
        model = known.function(**dict(own.arguments))
    except (Exception, SystemExit) as failure:
        raise UserError(f"{own} failed: {user_code.reason(failure)}") from failure
    if not isinstance(model, keras.Model):
        kind = type(model).__name__
        told = "nothing" if model is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
        raise UserError(f"{own} returned {told}, not a Keras model: end it with return model")
    return model


@functools.cache
def _loaded(reference: str, _: str | None) -> _Function:
    _set(_usual())
    return _Function(user_code.load(reference), _settings())


def _settings() -> tuple[Any, str, str]:
    from keras import config

    return config.dtype_policy(), config.floatx(), config.image_data_format()


@functools.cache
def _usual() -> tuple[Any, str, str]:
    return _settings()


def _set(settings: tuple[Any, str, str]) -> None:
    from keras import config

    policy, floatx, image_format = settings
    config.set_floatx(floatx)
    config.set_image_data_format(image_format)
    config.set_dtype_policy(policy)


def _read(file: str) -> "keras.Model":
    """A model that Keras saved; it may hold no code."""
    import keras

    _set(_usual())
    # Of an .h5 Keras does not know these again, which it wrote itself.
    short = {name: keras.losses.get(name) for name in SHORT_NAMES} if file.endswith(".h5") else None
    try:
        model = keras.saving.load_model(file, custom_objects=short, safe_mode=True)
    except Exception as failure:
        raise UserError(f"{file} {_unreadable(failure)}") from failure
    if not isinstance(model, keras.Model):
        raise UserError(f"{file} holds a {type(model).__name__}, not a Keras model")
    return model


def _unreadable(failure: Exception) -> str:
    """Why a saved model cannot be had, and what to do."""
    said = str(failure)
    instead = f"name the function that makes it, as in {user_model.EXAMPLE}"
    if own := _NOT_KERAS.search(said):
        return f"uses '{own[1]}', which is not of Keras and not in the file: {instead}"
    if "Lambda" in said:
        return f"holds code of its own in a Lambda layer, which is not run: {instead}"
    if isinstance(failure, (OSError, zipfile.BadZipFile)) or "File not found" in said:
        return "is no model that Keras saved, or it is damaged"
    told = f"{type(failure).__name__}: {first_line(said)[: user_code.REASON_LENGTH]}"
    return f"cannot be loaded ({told}): {instead}"
