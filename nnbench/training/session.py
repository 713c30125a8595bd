"""One training to look at: train, keep what happened, save it and read it back.

Saved as files that are read without running anything: `training.json` (what was trained, and
the loss of every epoch), `initial_weights.npz` and `final_weights.npz` (plain arrays), and
`model.keras`, Keras' own format, from which training goes on.
"""

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.machine import devices, keras_import, whole_file
from nnbench.training.compiled.fast_fit import fast_fit
from nnbench.training.fit import fit
from nnbench.workload import architecture as arch
from nnbench.workload import keras_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Training
from nnbench.workload.datasets import Dataset

if TYPE_CHECKING:
    import keras

Weights = list[NDArray[np.float32]]

USUAL_NETWORKS = {"classification": "6,6", "regression": "6"}
DESCRIPTION = "training.json"
INITIAL, FINAL, MODEL = "initial_weights.npz", "final_weights.npz", "model.keras"


@dataclass(frozen=True)
class Session:
    """A finished training: weights as Keras lists them (kernel, bias of each layer in turn)."""

    architecture: Architecture
    training: Training
    data: str
    seed: int | None
    losses: list[float]
    initial_weights: Weights
    final_weights: Weights


def chosen(
    text: str | None, training: Training, saved_in: Path | None
) -> tuple[Architecture, Training]:
    """What is trained: the network named or else usual; those of a session that is gone on with."""
    network = arch.parse(text or USUAL_NETWORKS[training.task])
    if saved_in is None:
        return network, training
    saved = read(saved_in)
    if text and saved.architecture != network:
        raise UserError(
            f"{saved_in} holds a {saved.architecture}, not a {network}: name that or none"
        )
    return saved.architecture, saved.training


def train(
    architecture: Architecture,
    training: Training,
    data: Dataset,
    *,
    epochs: int,
    path: str = "fit",
    seed: int | None = None,
    go_on_from: Path | None = None,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> tuple[Session, "keras.Model"]:
    """Train a network; `devices.start` has been called; `seed` sets all of Keras' randomness.

    `go_on_from` is the folder of a session of the same `architecture`; UserError if it is not.
    `on_epoch` is told finished epochs, from 1, and their loss: every one with `fit`, about a
    hundred of them on the compiled path.
    """
    import keras

    if seed is not None:
        keras_import.set_random_seed(seed)
    if go_on_from is None:
        model, earlier = keras_model.build(architecture, training, data.width), []
        initial = model.get_weights()
    else:
        saved = read(go_on_from)
        model, earlier, initial = _load_model(go_on_from), saved.losses, saved.initial_weights

    teller = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, float(logs.get("loss", np.nan)))
    )
    rows, shuffle = training.batch_size or data.rows, training.shuffle
    options: dict[str, Any] = {"batch_size": rows, "shuffle": shuffle, "callbacks": [teller]}
    if path == "fit":
        losses = fit(model, data.features, data.labels, epochs=epochs, **options)
    else:
        options |= {"epochs": epochs, "verbose": 0, "callback_every": max(1, epochs // 100)}
        history = fast_fit(model, data.features, data.labels, **options).history
        losses = [float(loss) for loss in history["loss"]]
    final, all_losses = model.get_weights(), earlier + losses
    session = Session(architecture, training, data.name, seed, all_losses, initial, final)
    return session, model


def save(session: Session, model: "keras.Model", folder: Path) -> None:
    """Write a session into `folder`. Raises UserError if that cannot be written."""
    description = {
        "schema": 1,
        "architecture": session.architecture.label,
        "training": asdict(session.training),
        "data": session.data,
        "seed": session.seed,
        "losses": session.losses,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / INITIAL, *session.initial_weights)
        np.savez(folder / FINAL, *session.final_weights)
        with keras_import.without_tensorflow():
            model.save(folder / MODEL)
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure
    whole_file.write(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")


def read(folder: Path) -> Session:
    """Read a session back without Keras. Raises UserError if it is missing or damaged."""
    try:
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
        return Session(
            architecture=arch.parse(description["architecture"]),
            training=Training(**description["training"]),
            data=description["data"],
            seed=description["seed"],
            losses=description["losses"],
            initial_weights=_read_weights(folder / INITIAL),
            final_weights=_read_weights(folder / FINAL),
        )
    except FileNotFoundError as failure:
        missing = Path(failure.filename).name
        raise UserError(f"{folder} holds no saved training: {missing} is missing") from failure
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as failure:
        damage = f"the training saved in {folder} is damaged ({devices.first_line(failure)})"
        raise UserError(f"{damage}: train and save it again") from failure


def _read_weights(path: Path) -> Weights:
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[f"arr_{position}"] for position in range(len(arrays.files))]


def _load_model(folder: Path) -> "keras.Model":
    import keras

    try:
        with keras_import.without_tensorflow():
            return keras.saving.load_model(folder / MODEL)
    except (OSError, ValueError) as failure:
        reason = devices.first_line(failure)
        raise UserError(f"{folder / MODEL} cannot be read ({reason}): train it again") from failure
