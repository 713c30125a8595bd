"""Recurrent networks: `lstm:64x2` and `gru:64x2` read a sequence step by step, in 2 layers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnbench.workload.families.family import IMAGES, SEQUENCES, TOKENS, Family, Hidden, Knob, Value

if TYPE_CHECKING:
    import keras


def _stack(layer: str) -> Hidden:
    def hidden(
        inputs: "keras.KerasTensor",
        widths: tuple[int, ...],
        activation: str,
        knobs: Mapping[str, Value],
    ) -> "keras.KerasTensor":
        from keras import layers

        made, last = inputs, len(widths) - 1
        for position, units in enumerate(widths):
            one = getattr(layers, layer)(units, return_sequences=position < last)
            made = (layers.Bidirectional(one) if knobs["bidirectional"] else one)(made)
        return made

    return hidden


_KNOBS = {"bidirectional": Knob(False, "on or off: read from both ends")}
_TAKES = (SEQUENCES, TOKENS, IMAGES)

LSTM = Family("lstm", _TAKES, "units", _stack("LSTM"), _KNOBS)
GRU = Family("gru", _TAKES, "units", _stack("GRU"), _KNOBS)
