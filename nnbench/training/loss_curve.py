"""What a loss curve says: converged, still falling, rising or diverged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TAIL = 0.1
"""The last tenth of the epochs is compared with the tenth before it."""

FLAT = 0.005
"""A smaller part of the loss from tenth to tenth is flat: as many epochs again change under 5 %."""

NOISE = 3.0
"""So does one of less than three standard errors of what the jitter of mini-batches makes."""


@dataclass(frozen=True)
class Verdict:
    """`kind` is `converged`, `still falling`, `rising` or `diverged`; `text` gives the figures."""

    kind: str
    text: str


def judge(losses: Sequence[float]) -> Verdict:
    """Compare the last two tenths by medians, which ignore jitter; ValueError for no losses."""
    if not losses:
        raise ValueError("a verdict needs at least one epoch")
    curve = np.asarray(losses, dtype=np.float64)
    for epoch, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            return Verdict("diverged", f"diverged: the loss became {loss} in epoch {epoch}")
    window = max(1, round(TAIL * len(curve)))
    last = float(np.median(curve[-window:]))
    before = float(np.median(curve[-2 * window : -window])) if len(curve) > window else curve[0]
    start = float(curve[0])
    if last > start:
        text = f"diverged: the loss ended at {last:.4g}, above the {start:.4g} it began at"
        return Verdict("diverged", text)
    fall = before - last
    figures = f"{before:.4g} to {last:.4g} over the last {window} of {len(curve)} epochs"
    if abs(fall) < max(FLAT * abs(before), NOISE * _jitter(curve[-2 * window :], window)):
        return Verdict("converged", f"converged: the loss hardly changes any more ({figures})")
    if fall < 0:
        return Verdict("rising", f"rising: the loss grows again ({figures})")
    text = f"still falling: by {fall / before:.1%}, from {figures}; more epochs would lower it more"
    return Verdict("still falling", text)


def _jitter(tail: NDArray[np.float64], window: int) -> float:
    """Standard error of the difference of two windows' medians, 1.25 times that of means.

    Second differences leave out a smooth fall, which changes little from one epoch to the next.
    """
    if len(tail) < 3:
        return 0.0
    spread = float(np.std(np.diff(tail, n=2))) / np.sqrt(6)
    return float(1.2533 * spread * np.sqrt(2 / window))
