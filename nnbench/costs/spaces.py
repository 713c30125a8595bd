"""The networks that a calibration draws from, family by family, and a guess at what each takes."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nnbench.workload.architecture import Architecture
from nnbench.workload.datasets.shaped import ShapedRecipe
from nnbench.workload.families import IMAGES, SEQUENCES, TABLE, TOKENS, Value

Ends = tuple[int, int]

GUESSED_STEP_S = {"fit": 1e-3, "compiled": 1e-4}
FLOPS_PER_S = 8e10
POOLED = 2
"""Convolutions after which the places are halved."""


@dataclass(frozen=True)
class Space:
    """What of a family is timed, each range evenly over its logarithm.

    `takes` are the kinds of data,
    `sizes` are places along an axis of an image, or steps of a sequence, and `channels` what each
    holds; a table has neither. `full` is the share of full batches, `settings` are those of the
    family that are tried by turns, `each` is what widths are multiples of. `row_flops` guesses at
    the forward pass of a row, of (widths, size, channels), at `rate` in FLOP/s, and `turn_s` at
    what each time step costs by itself.
    """

    depths: Ends
    widths: Ends
    rows: Ends
    batches: Ends
    full: float
    row_flops: Callable[[Sequence[int], int, int], float]
    takes: tuple[str, ...] = (TABLE,)
    sizes: Ends = (1, 1)
    channels: Ends = (4, 4)
    settings: tuple[tuple[tuple[str, Value], ...], ...] = ((),)
    each: int = 1
    rate: float = FLOPS_PER_S
    turn_s: float = 0.0

    def recipe(self, kind: str, rows: int, size: int, channels: int) -> ShapedRecipe | None:
        """The data of such rows; None for a table."""
        shapes = {IMAGES: (size, size, channels), SEQUENCES: (size, channels), TOKENS: (size,)}
        return ShapedRecipe(kind, shapes[kind], rows) if kind in shapes else None


def _dense(widths: Sequence[int], size: int, channels: int) -> float:
    shapes = itertools.pairwise((size * channels, *widths, 1))
    return 2.0 * sum(inputs * units for inputs, units in shapes)


def _conv(widths: Sequence[int], size: int, channels: int) -> float:
    total, taken = 0.0, channels
    for position, filters in enumerate(widths, start=1):
        total += 2.0 * size * size * 9 * taken * filters
        taken = filters
        size = -(-size // 2) if position % POOLED == 0 else size
    return total


def _separable(widths: Sequence[int], size: int, channels: int) -> float:
    return _conv(widths, size, channels) / 9 + 200.0 * size * size * sum(widths)


def _conv1d(widths: Sequence[int], size: int, channels: int) -> float:
    return 6.0 * size * sum(a * b for a, b in itertools.pairwise((channels, *widths)))


def _recurrent(widths: Sequence[int], size: int, channels: int) -> float:
    cells = itertools.pairwise((channels, *widths))
    return sum(8.0 * size * (inputs + units) * units for inputs, units in cells)


def _transformer(widths: Sequence[int], size: int, channels: int) -> float:
    return sum(size * (24.0 * width + 8 * size) * width for width in widths)


_TABLE = {"rows": (500, 20_000), "batches": (32, 512), "full": 0.4}
_SMALL = {"rows": (64, 2_000), "batches": (16, 256), "full": 0.25}
_NORM = ((), (("norm", True),))
_BOTH_ENDS = ((), (), (("bidirectional", True),))
_IMAGES = {
    "depths": (1, 8),
    "widths": (4, 64),
    "takes": (IMAGES,),
    "sizes": (8, 32),
    "channels": (1, 4),
    "settings": _NORM,
    "rate": 1e10,
    **_SMALL,
}
_STEPS = {
    "takes": (SEQUENCES, TOKENS),
    "sizes": (8, 64),
    "channels": (2, 32),
    "rate": 2e10,
    **_SMALL,
}

_RECURRENT = Space(
    depths=(1, 3),
    widths=(8, 128),
    row_flops=_recurrent,
    settings=_BOTH_ENDS,
    turn_s=6e-5,
    **_STEPS,  # type: ignore[arg-type]
)
SPACES = {
    "dense": Space((1, 24), (2, 1024), row_flops=_dense, **_TABLE),  # type: ignore[arg-type]
    "residual": Space(
        (1, 16),
        (4, 512),
        row_flops=_dense,
        settings=_NORM,
        **_TABLE,  # type: ignore[arg-type]
    ),
    "conv": Space(row_flops=_conv, **_IMAGES),  # type: ignore[arg-type]
    "conv1d": Space((1, 8), (8, 128), row_flops=_conv1d, settings=_NORM, **_STEPS),  # type: ignore[arg-type]
    "separable": Space(row_flops=_separable, **_IMAGES),  # type: ignore[arg-type]
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "transformer": Space(
        (1, 4),
        (16, 128),
        row_flops=_transformer,
        each=4,
        **_STEPS,  # type: ignore[arg-type]
    ),
}


def between(ends: Ends, share: float, each: int = 1) -> int:
    """So far from the first to the second, by their logarithms: a multiple of `each`."""
    return each * max(1, int(0.5 + ends[0] * (ends[1] / ends[0]) ** share / each))


def guessed_step_s(
    space: Space, one: Architecture, path: str, batch_rows: int, size: int, channels: int
) -> float:
    """What a step may take, before anything is known of this machine."""
    forward = space.row_flops(one.widths, size, channels)
    turns = space.turn_s * size * one.depth * (1 + math.log10(max(one.widths) / 8))
    return GUESSED_STEP_S[path] + 3 * batch_rows * forward / space.rate + 3 * turns
