"""A model that a person has built and compiled, as a recipe that another process builds anew.

Keras is imported already where there is a model. Weights are not taken along: training takes as
long whatever they are.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

from nnbench.errors import UserError, first_line
from nnbench.workload.handed import INSTEAD

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Rebuilt:
    """Builds a model as `description` says, Keras' own; `custom` holds what is not Keras'."""

    description: dict[str, Any]
    custom: dict[str, Any]

    def __call__(self) -> "keras.Model":
        """The model with new weights, compiled alike."""
        import keras

        # Its Lambda layers are of the person who asks. Keras empties what it reads.
        return keras.saving.deserialize_keras_object(
            copy.deepcopy(self.description), custom_objects=self.custom, safe_mode=False
        )


def recipe(model: "keras.Model", name: str) -> Rebuilt:
    """How a model is built again. Raises UserError for a class that does not say so."""
    import keras

    try:
        described = keras.saving.serialize_keras_object(model)
        described["config"]["layers"]
    except KeyError:
        if type(model).get_config is keras.Model.get_config:
            raise UserError(
                f"{name} is a {type(model).__name__} that does not say how it is made: give the "
                "function that builds it, or write its get_config"
            ) from None
    except Exception as failure:
        raise UserError(
            f"{name} cannot be handed to worker processes ({type(failure).__name__}: "
            f"{first_line(failure)}): {INSTEAD}"
        ) from failure
    compiled = described.get("compile_config") or {}
    # Keras has put its own choice, which hangs on the backend, in the place of auto.
    if compiled.get("jit_compile") == model._resolve_auto_jit_compile():
        compiled["jit_compile"] = "auto"
    return Rebuilt(described, dict(_custom(model)))


def _custom(model: "keras.Model") -> Iterator[tuple[str, Any]]:
    """Classes and functions that are not Keras', by the names that its description has for them."""
    from keras import saving

    compiled = getattr(model, "_compile_config", None)
    made = [*model._flatten_layers(), *_values(vars(compiled) if compiled else {})]
    for one in [*made, *(value for whole in made for value in _values(_own(whole)))]:
        kind = one if isinstance(one, (type, FunctionType)) else type(one)
        described = isinstance(kind, FunctionType) or hasattr(kind, "get_config")
        module = getattr(kind, "__module__", None) or "keras"
        if described and module.partition(".")[0] not in NOT_CUSTOM:
            yield saving.get_registered_name(kind), kind
            yield kind.__name__, kind


def _own(one: Any) -> dict[str, Any]:
    """Attributes of an object that are not also its class', as methods are that Keras wraps."""
    held = getattr(one, "__dict__", {})
    return {name: value for name, value in held.items() if not hasattr(type(one), name)}


NOT_CUSTOM = {"keras", "builtins", "numpy", "tensorflow", "jax", "jaxlib", "torch", "ml_dtypes"}


def _values(held: Mapping[str, Any]) -> Iterator[Any]:
    """Values of attributes, and those in lists and dictionaries among them."""
    for value in held.values():
        if isinstance(value, Mapping):
            yield from _values(value)
        elif isinstance(value, (list, tuple, set)):
            yield from value
        else:
            yield value
