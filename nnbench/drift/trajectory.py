"""What one training leaves behind, as arrays, and its file, an `.npz` that is data alone."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnbench.drift import metrics
from nnbench.drift.metrics import Drift
from nnbench.errors import UserError
from nnbench.machine import whole_file

Array = NDArray[np.generic]

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
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = Trajectory(
            names=tuple(map(str, arrays["names"])),
            epochs=tuple(map(int, arrays["epochs"])),
            weights=_group(arrays, "weights"),
            losses=tuple(map(float, arrays["losses"])),
            predictions=arrays["predictions"],
            layers=tuple(map(str, arrays["layers"])),
            outputs=_group(arrays, "outputs"),
            draws=_group(arrays, "draws"),
            order=str(arrays["order"]),
            classes=bool(arrays["classes"]),
        )
        if not found.epochs or len(found.weights) != len(found.names):
            raise ValueError("it has no weights")
        if any(len(array) != len(found.epochs) for array in found.weights):
            raise ValueError("weights and epochs do not match")
    except FileNotFoundError as failure:
        raise UserError(f"{path} is missing") from failure
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as failure:
        reason = (str(failure).strip() or repr(failure)).splitlines()[0]
        raise UserError(f"{path} is damaged ({reason}): restore it or record it again") from failure
    return found


def _group(arrays: dict[str, Array], group: str) -> tuple[Array, ...]:
    count = sum(name.startswith(f"{group}_") for name in arrays)
    return tuple(arrays[f"{group}_{number}"] for number in range(count))


def drift(first: Trajectory, second: Trajectory) -> Drift:
    """How far `second` is from `first`."""
    losses = metrics.loss_difference(first.losses, second.losses)
    shapes = [[(w.shape[1:], w.dtype.str) for w in one.weights] for one in (first, second)]
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
