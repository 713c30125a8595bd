"""A chain of Dense layers on JAX with activations held features x rows.

Keras computes `z @ kernel + bias` with activations rows x features. For narrow layers and many
rows that product has a tiny inner and outer side, and the activations that follow it are rows of
a few cells. Held the other way round, `kernel.T @ z + bias[:, None]`, every row is as long as
the batch, which is what vector units want. It is the same arithmetic; a sum's terms may be added
in another order. Loss, metrics, gradients and optimizer stay Keras' own.
"""

from collections.abc import Sequence
from typing import Any

import jax
import keras
from jax import lax

from nnbench.training.compiled.causes import (
    FEWEST_ROWS,
    MOST_ON_ONE_CORE,
    MOST_SUMMED_APART,
    WIDEST,
)

PRODUCTS_ONLY = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
"""Products by YNNPACK, sums by XLA: YNNPACK takes a sum's logarithms one row after the other."""

ON_ONE_CORE = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
"""No elementwise work is parted over cores: one waits for the other each time, which takes longer
than so little work."""

ELEMENTWISE = {
    *("elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "relu", "relu6"),
    *("selu", "sigmoid", "silu", "softplus", "softsign", "tanh"),
}
"""Keras activations that treat every cell alike, whichever way round the cells lie."""


class DenseChain:
    """A model whose stateless training step runs features x rows; all else is the model's own."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def train_step(self, state: Any, data: Any) -> Any:
        """Keras' own, with this object for the model."""
        return type(self._model).train_step(self, state, data)

    def full_batch_step(self, state: Any, data: Any) -> Any:
        """`train_step` on data from `features_first`."""
        x, *rest = data
        return self.train_step(state, (x.T, *rest))

    def compute_loss_and_updates(self, *args: Any, **kwargs: Any) -> Any:
        """Keras' own, with this object for the model."""
        return type(self._model).compute_loss_and_updates(self, *args, **kwargs)

    def stateless_call(
        self, trainable: list[Any], non_trainable: list[Any], x: jax.Array, **_: Any
    ) -> tuple[jax.Array, list[Any], list[Any]]:
        """The forward pass: outputs rows x cells, unchanged variables, no added losses."""
        values = iter(trainable)
        *hidden, last = self._model.layers
        z, contracted = x, 1
        for layer in hidden:
            z = layer.activation(product(layer, values, z, contracted))
            contracted = 0
        return last.activation(product(last, values, z, contracted).T), non_trainable, []


def lower(model: Any, batch: Any, rows: int) -> Any:
    """The model as a `DenseChain` if it is one and that pays, else the model itself."""
    pays = rows >= FEWEST_ROWS and _is_chain(model, batch)
    if pays and max(layer.units for layer in model.layers) <= WIDEST:
        return DenseChain(model)
    return model


def compiler_options(stepping: Any, rows: int) -> dict[str, str]:
    """What the program of `lower`'s answer is best compiled with, for so many rows in a batch.

    For the numbers see docs/compiled-path.md.
    """
    if not isinstance(stepping, DenseChain) or jax.default_backend() != "cpu":
        return {}
    cells = rows * max(layer.units for layer in stepping.layers)
    return {
        **(PRODUCTS_ONLY if rows > MOST_SUMMED_APART else {}),
        **(ON_ONE_CORE if cells <= MOST_ON_ONE_CORE else {}),
    }


def features_first(data: Any) -> Any:
    """The data with `x` features x rows, laid out so once, before the loop and not within it."""
    x, *rest = data
    return lax.optimization_barrier(x.T), *rest


def prefix(layers: Sequence[Any], count: int, x: jax.Array) -> jax.Array:
    """The outputs of the first `count` layers of a chain, cells x rows."""
    z, contracted = x, 1
    for layer in layers[:count]:
        values = iter([one.value for one in layer.trainable_variables])
        z, contracted = layer.activation(product(layer, values, z, contracted)), 0
    return z


def product(layer: Any, values: Any, z: jax.Array, contracted: int) -> jax.Array:
    """Cells x rows from `z`, whose features lie along axis `contracted`."""
    found = lax.dot_general(next(values), z, (((0,), (contracted,)), ((), ())))
    return found + next(values)[:, None] if layer.use_bias else found


def _is_chain(model: Any, batch: Any) -> bool:
    x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    return (
        type(model) is keras.Sequential
        and y is not None
        and getattr(x, "ndim", 0) == 2
        and str(x.dtype) == "float32"
        and all(_is_plain(layer) for layer in model.layers)
        and all(_name(layer.activation) in ELEMENTWISE for layer in model.layers[:-1])
        and len(model.trainable_variables) == len(model.variables)
    )


def _is_plain(layer: Any) -> bool:
    return bool(
        type(layer) is keras.layers.Dense
        and layer.trainable
        and layer.dtype_policy.name == "float32"
        and not layer.lora_enabled
        and layer.kernel_regularizer is None
        and layer.bias_regularizer is None
        and layer.activity_regularizer is None
    )


def _name(activation: Any) -> str:
    name = getattr(activation, "__name__", "")
    return name if getattr(keras.activations, name, None) is activation else ""
