"""Transformer encoders, `transformer:64x4(heads=4)`: 4 blocks of width 64 over vectors or tokens.

Each block normalises before attention and before its two Dense layers (Xiong and others, "On
Layer Normalization in the Transformer Architecture", ICML 2020); places are told by sines (Vaswani
and others, "Attention Is All You Need", NeurIPS 2017).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnbench.workload.families.family import IMAGES, SEQUENCES, TOKENS, Family, Knob, Value

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray


def _hidden(
    inputs: "keras.KerasTensor",
    widths: tuple[int, ...],
    activation: str,
    knobs: Mapping[str, Value],
) -> "keras.KerasTensor":
    from keras import layers

    heads, wider = int(knobs["heads"]), int(knobs["wider"])
    made = layers.Dense(widths[0])(inputs)
    made = made + _sines(made.shape[1], widths[0])
    for width in widths:
        if made.shape[-1] != width:
            made = layers.Dense(width)(made)
        seen = layers.LayerNormalization()(made)
        made = made + layers.MultiHeadAttention(heads, width // heads)(seen, seen)
        seen = layers.LayerNormalization()(made)
        made = made + layers.Dense(width)(layers.Dense(wider * width, activation)(seen))
    return layers.GlobalAveragePooling1D()(layers.LayerNormalization()(made))


def _sines(steps: int, width: int) -> "NDArray[np.float32]":
    import numpy as np

    places = np.arange(steps)[:, None] / 10_000 ** (np.arange(width) // 2 * 2 / width)
    return np.where(np.arange(width) % 2, np.cos(places), np.sin(places)).astype(np.float32)


def _check(widths: tuple[int, ...], knobs: Mapping[str, Value]) -> str | None:
    odd = [width for width in widths if width % int(knobs["heads"])]
    return f"width {odd[0]} does not divide into {knobs['heads']} heads" if odd else None


TRANSFORMER = Family(
    name="transformer",
    takes=(SEQUENCES, TOKENS, IMAGES),
    unit="units",
    hidden=_hidden,
    knobs={
        "heads": Knob(4, "attention heads, which the width divides into", least=1),
        "wider": Knob(4, "width of a block's inner Dense layer, in widths", least=1),
    },
    check=_check,
    layer="block",
)
