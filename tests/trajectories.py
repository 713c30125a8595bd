"""Trajectories made by hand, for tests of what is read off them."""

import numpy as np

from nnbench.drift.trajectory import AS_GIVEN, Trajectory


def made(
    *weights,
    names=None,
    outputs=(),
    losses=None,
    predictions=None,
    order=AS_GIVEN,
    draws=(),
    classes=True,
):
    """A trajectory whose weights, arrays of (epochs, ...), are given; all else has a default."""
    epochs = len(weights[0])
    return Trajectory(
        names=tuple(names or (f"{n} Dense kernel" for n in range(1, len(weights) + 1))),
        epochs=tuple(range(epochs)),
        weights=tuple(np.asarray(array) for array in weights),
        losses=tuple(losses or (0.5,) * (epochs - 1)),
        predictions=np.zeros((4, 1), np.float32) if predictions is None else predictions,
        layers=tuple(f"{position} Dense" for position in range(1, len(outputs) + 1)),
        outputs=tuple(outputs),
        draws=tuple(draws),
        order=order,
        classes=classes,
    )
