"""What one training leaves behind, as arrays, and its file, an `.npz` that is data alone."""

import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.drift import metrics
from nnbench.drift.metrics import Drift
from nnbench.errors import UserError
from nnbench.machine import npz, whole_file

Array = NDArray[np.generic]

MEND = "restore it or record it again"
AS_GIVEN = "as given"
"""The order of rows where it was not shuffled, or not looked at."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One training of a network with k weight arrays, r rows and l layers.

    `weights` (k), with `names` such as `1 Dense kernel`, hold each array at every one of `epochs`
    (first axis; epoch 0 is before training); `losses` has one value an epoch; `predictions`
    (r, ...) are those of the end. `layers` and `outputs` (l) are what each layer puts out at the
    initial weights, in order of the forward pass, empty where layers form no graph. `draws` is the
    state of random layers (such as dropout) at the start. `order` is a digest of the order of
    rows, or `as given`. `classes` tells that predictions are of classes.
    """

    names: tuple[str, ...]
    epochs: tuple[int, ...]
    weights: tuple[Array, ...]
    losses: tuple[float, ...]
    predictions: Array
    layers: tuple[str, ...]
    outputs: tuple[Array, ...]
    draws: tuple[Array, ...]
    order: str
    classes: bool

    def at(self, position: int) -> list[Array]:
        """The weights at the recorded epoch number `position`; -1 is the end."""
        return [array[position] for array in self.weights]

    def after(self, epoch: int) -> list[Array]:
        """The weights after an epoch that was recorded; 0 is before training."""
        return self.at(self.epochs.index(epoch))

    @property
    def digest(self) -> str:
        """Digest of everything in it."""
        described = json.dumps([self.names, self.epochs, self.layers, self.order, self.classes])
        losses = np.asarray(self.losses, np.float64)
        arrays = [*self.weights, *self.outputs, *self.draws, self.predictions, losses]
        return metrics.digest([*arrays, np.frombuffer(described.encode(), np.uint8)])


def write(trajectory: Trajectory, path: Path) -> None:
    """Write it. Raises UserError if that fails."""
    arrays: dict[str, Array] = {}
    for name, value in vars(trajectory).items():
        if name in ("weights", "outputs", "draws"):
            arrays |= {f"{name}_{number}": array for number, array in enumerate(value)}
        else:
            arrays[name] = np.asarray(value)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    whole_file.write(path, buffer.getvalue())


def keep(trajectory: Trajectory, folder: Path) -> str:
    """Write it under the name of its digest, once for all trainings that are bitwise equal."""
    name = f"{trajectory.digest[:20]}.npz"
    if not (folder / name).exists():
        write(trajectory, folder / name)
    return name


def read(path: Path) -> Trajectory:
    """Read one back. Raises UserError if it is missing or damaged."""
    if not path.exists():
        raise UserError(f"{path} is missing")
    arrays = npz.read(path, mend=MEND)
    try:
        found = Trajectory(
            names=tuple(map(str, _row(arrays, "names"))),
            epochs=tuple(map(int, _row(arrays, "epochs"))),
            weights=_group(arrays, "weights"),
            losses=tuple(map(float, _row(arrays, "losses"))),
            predictions=_numbers(arrays, "predictions"),
            layers=tuple(map(str, _row(arrays, "layers"))),
            outputs=_group(arrays, "outputs"),
            draws=_group(arrays, "draws"),
            order=str(arrays["order"]),
            classes=bool(arrays["classes"].all()),
        )
        if found.epochs[:1] != (0,) or any(a >= b for a, b in itertools.pairwise(found.epochs)):
            raise ValueError("its epochs do not grow from 0")
        if not found.weights or len(found.weights) != len(found.names):
            raise ValueError("it has not one name for each of its weights")
        if any(array.shape[:1] != (len(found.epochs),) for array in found.weights):
            raise ValueError("weights and epochs do not match")
        if len(found.outputs) != len(found.layers):
            raise ValueError("outputs and layers do not match")
        if found.predictions.ndim == 0:
            raise ValueError("predictions have no rows")
    except KeyError as failure:
        raise UserError(f"{path} is damaged ({failure} is not in it): {MEND}") from failure
    except ValueError as failure:
        raise UserError(f"{path} is damaged ({failure}): {MEND}") from failure
    return found


def _row(arrays: dict[str, Array], name: str) -> list[Any]:
    if arrays[name].ndim != 1:
        raise ValueError(f"{name} is no row of values")
    found: list[Any] = arrays[name].tolist()
    return found


def _numbers(arrays: dict[str, Array], name: str) -> Array:
    if arrays[name].dtype.kind not in "fiub" or arrays[name].dtype.itemsize > 8:
        raise ValueError(f"{name} holds no numbers")
    return arrays[name]


def _group(arrays: dict[str, Array], group: str) -> tuple[Array, ...]:
    count = sum(name.startswith(f"{group}_") for name in arrays)
    return tuple(_numbers(arrays, f"{group}_{number}") for number in range(count))


def drift(first: Trajectory, second: Trajectory) -> Drift:
    """How far `second` is from `first`."""
    losses = metrics.loss_difference(first.losses, second.losses)
    shapes = [
        [one.predictions.shape, *((w.shape[1:], w.dtype.str) for w in one.weights)]
        for one in (first, second)
    ]
    if shapes[0] != shapes[1]:
        return Drift(comparable=False, loss_difference=losses)
    shared = [epoch for epoch in first.epochs if epoch in second.epochs]
    pairs = [(first.after(epoch), second.after(epoch)) for epoch in shared]
    equal = [all(map(metrics.bitwise_equal, a, b)) for a, b in pairs]
    begins = next((e for e, same in zip(shared, equal, strict=True) if not same), None)
    ulps = tuple(
        0.0 if same else float(metrics.flat_ulps(a, b).max(initial=0.0))
        for (a, b), same in zip(pairs, equal, strict=True)
    )
    distances = tuple(metrics.relative_l2(a, b) for a, b in pairs)
    final = metrics.flat_ulps(*pairs[-1])
    predictions = first.predictions, second.predictions
    return Drift(
        comparable=True,
        bitwise=begins is None and first.losses == second.losses,
        initial_equal=equal[0],
        max_ulp=ulps[-1],
        median_ulp=float(np.median(final)) if final.size else 0.0,
        relative_l2=distances[-1],
        loss_difference=losses,
        first_epoch=begins,
        before_epoch=shared[shared.index(begins) - 1] if begins else None,
        doubling_epochs=metrics.doubling_epochs(shared, distances),
        disagreement=metrics.disagreement(*predictions, classes=first.classes),
        epochs=tuple(shared),
        distances=distances,
        ulps=ulps,
    )
