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
from nnbench.workload import user_code, user_model
from nnbench.workload.case import Training

if TYPE_CHECKING:
    import keras

OPTIONS = {"optimizer": "optimizer", "loss": "loss", "activation": "activation"}
OPTIONS |= {"precision": "dtype", "jit": "jit"}
"""Fields of a training by the options that set them."""

MADE_ALREADY = ("activation", "precision")
"""What cannot be set once a model is made."""

SHORT_NAMES = ("mse", "mae", "mape", "msle", "kld", "bce")
"""Of losses and metrics."""

_NOT_KERAS = re.compile(r"(?:Could not locate (?:class|function)|Unknown \w+:) '(\w+)'")

_understood = functools.cache(user_model.parse)


def make(text: str) -> "keras.Model":
    """The model that `text` names, as it is made. Raises UserError where there is none."""
    own = _understood(text)
    return _read(own.reference) if own.is_saved else _called(own)


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


def _called(own: user_model.UserModel) -> "keras.Model":
    import keras

    known = _loaded(own.reference)
    # What one function sets for all of Keras must not befall the next.
    _set(known.settings)
    try:
        model = known.function(**dict(own.arguments))
    except (Exception, SystemExit) as failure:
        raise UserError(f"{own} failed: {user_code.reason(failure)}") from failure
    if not isinstance(model, keras.Model):
        raise UserError(f"{own} returned a {type(model).__name__}, not a Keras model")
    return model


@functools.cache
def _loaded(reference: str) -> _Function:
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
