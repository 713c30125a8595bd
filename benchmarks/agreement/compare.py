"""How far two trainings are apart: the losses of every epoch, and the weights at the end."""

from collections.abc import Mapping
from typing import Any

import numpy as np

CLOSE = 1e-5
"""How closely the compiled path follows `fit`: of the loss of every epoch, and of the weights."""

AT_ZERO = 1e-3
"""Weights below this are compared with it: a bias that has not left zero is all rounding."""

Arrays = Mapping[str, Any]


def of(arrays: Arrays, way: str, part: str) -> dict[str, Any]:
    """The `history` or the `weights` of one way of training."""
    begin = f"{way}/{part}/"
    return {name.removeprefix(begin): arrays[name] for name in arrays if name.startswith(begin)}


def losses_apart(one: Arrays, other: Arrays) -> float:
    """The largest relative difference of an entry of the histories, metrics included."""
    if one.keys() != other.keys():
        return np.inf
    # Of a count of right answers, one row more or less is a step: what is learned is the losses.
    named = [name for name in one if "loss" in name]
    return max(float(np.max(_relative(one[name], other[name]))) for name in named)


def weights_apart(one: Arrays, other: Arrays) -> tuple[float, str]:
    """The largest difference of a weight, relative to the largest of its variable; which it is."""
    worst = 0.0, ""
    for (name, mine), theirs in zip(one.items(), other.values(), strict=True):
        if mine.dtype.kind == "f" and mine.size:
            scale = max(float(np.max(np.abs(theirs))), AT_ZERO)
            apart = float(np.max(np.abs(mine.astype(float) - theirs))) / scale
        else:
            # Seeds and counts.
            apart = 0.0 if np.array_equal(mine, theirs) else np.inf
        worst = max(worst, (apart, name.split(" ", 1)[-1]))
    return worst


def _relative(one: Any, other: Any) -> Any:
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.shape != other.shape:
        return np.array(np.inf)
    both_void = np.isnan(one) & np.isnan(other)
    apart = np.abs(one - other) / np.maximum(np.abs(other), np.finfo(np.float32).tiny)
    return np.where(both_void, 0.0, np.where(one == other, 0.0, apart))
