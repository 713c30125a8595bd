"""Residual networks of Dense layers: `residual:64x8` adds each of 8 layers to what it takes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnbench.workload.families.family import IMAGES, SEQUENCES, TABLE, TOKENS, Family, Knob, Value

if TYPE_CHECKING:
    import keras


def _hidden(
    inputs: "keras.KerasTensor",
    widths: tuple[int, ...],
    activation: str,
    knobs: Mapping[str, Value],
) -> "keras.KerasTensor":
    from keras import layers

    made = layers.Flatten()(inputs) if len(inputs.shape) > 2 else inputs
    for width in widths:
        if made.shape[-1] != width:
            made = layers.Dense(width)(made)
        taken = layers.LayerNormalization()(made) if knobs["norm"] else made
        made = layers.Add()([made, layers.Dense(width, activation=activation)(taken)])
    return made


RESIDUAL = Family(
    name="residual",
    takes=(TABLE, IMAGES, SEQUENCES, TOKENS),
    unit="units",
    hidden=_hidden,
    knobs={"norm": Knob(False, "on or off: layer normalisation before each layer")},
)
