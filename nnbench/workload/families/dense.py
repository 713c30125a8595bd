"""Chains of Dense layers, `6,6` or `dense:64x4`, and the same with a sum around each layer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnbench.workload.families.family import IMAGES, SEQUENCES, TABLE, TOKENS, Family, Value

if TYPE_CHECKING:
    import keras


def _chain(
    inputs: "keras.KerasTensor",
    widths: tuple[int, ...],
    activation: str,
    knobs: Mapping[str, Value],
) -> "keras.KerasTensor":
    from keras import layers

    made = layers.Flatten()(inputs) if len(inputs.shape) > 2 else inputs
    for width in widths:
        made = layers.Dense(width, activation=activation)(made)
    return made


DENSE = Family(name="dense", takes=(TABLE, IMAGES, SEQUENCES, TOKENS), unit="units", hidden=_chain)
