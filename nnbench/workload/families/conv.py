"""Convolutions: `conv:32x4` over images, `conv1d:32x4` over sequences; 4 layers of 32 filters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnbench.workload.families.family import IMAGES, SEQUENCES, TOKENS, Family, Hidden, Knob, Value

if TYPE_CHECKING:
    import keras


def stack(layer: str, dimensions: int) -> Hidden:
    """Layers of Keras' class `layer` over so many dimensions, pooled over all places at the end."""

    def hidden(
        inputs: "keras.KerasTensor",
        widths: tuple[int, ...],
        activation: str,
        knobs: Mapping[str, Value],
    ) -> "keras.KerasTensor":
        from keras import layers

        kind = getattr(layers, f"{layer}{dimensions}D")
        pooling = getattr(layers, f"MaxPooling{dimensions}D")
        made, norm = inputs, bool(knobs["norm"])
        for position, filters in enumerate(widths, start=1):
            after = None if norm else activation
            made = kind(
                filters, knobs["kernel"], padding="same", activation=after, use_bias=not norm
            )(made)
            if norm:
                made = layers.Activation(activation)(layers.BatchNormalization()(made))
            if knobs["pool"] and position % int(knobs["pool"]) == 0 and min(made.shape[1:-1]) > 1:
                made = pooling(2)(made)
        return getattr(layers, f"GlobalAveragePooling{dimensions}D")()(made)

    return hidden


KNOBS = {
    "kernel": Knob(3, "width of a filter, in places", least=1),
    "norm": Knob(False, "on or off: batch normalisation after each layer"),
    "pool": Knob(2, "layers after which the places are halved; 0 for never"),
}

CONV = Family("conv", (IMAGES,), "filters", stack("Conv", 2), KNOBS)
CONV1D = Family("conv1d", (SEQUENCES, TOKENS, IMAGES), "filters", stack("Conv", 1), KNOBS)
