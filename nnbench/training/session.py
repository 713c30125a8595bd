"""One training to look at: train, keep what happened, save it and read it back.

Saved as files that are read without running anything: `training.json` (what was trained, and
the loss of every epoch), `initial_weights.npz` and `final_weights.npz` (plain arrays), and
`model.keras`, Keras' own format, of whose weights and optimizer's state training goes on.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError, first_line
from nnbench.machine import fields, keras_import, npz, whole_file
from nnbench.training.compiled import program_cache
from nnbench.training.compiled.fast_fit import LISTENS, fast_fit
from nnbench.training.fit import fit
from nnbench.workload import initial_values, keras_model, networks, tasks, user_code
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training
from nnbench.workload.datasets import Dataset
from nnbench.workload.datasets.arrays import make_stream
from nnbench.workload.networks import Network
from nnbench.workload.user_model import UserModel

if TYPE_CHECKING:
    import keras

Weights = list[NDArray[np.float32]]

DESCRIPTION = "training.json"
INITIAL, FINAL, MODEL = "initial_weights.npz", "final_weights.npz", "model.keras"
PICTURE = "training.png"
STATE = "model.weights.h5"
"""In place of the model, where a person's class does not say how it is made again."""


@dataclass(frozen=True)
class Session:
    """A finished training: weights as Keras lists them (kernel, bias of each layer in turn)."""

    architecture: Network
    training: Training
    data: str
    seed: int | None
    losses: list[float]
    initial_weights: Weights
    final_weights: Weights

    @property
    def loss_name(self) -> str:
        """The loss with its kind; a person's own model knows its kind by itself."""
        own = isinstance(self.architecture, UserModel)
        return "loss" if own else f"loss ({self.training.loss})"


def chosen(text: str | None, training: Training, saved_in: Path | None) -> tuple[Network, Training]:
    """What is trained: the network named or else usual; those of a session that is gone on with."""
    usual = "6" if tasks.kind(training.task) == tasks.REGRESSION else "6,6"
    network = networks.parse_one(text or usual)
    if saved_in is None:
        return network, training
    saved = read(saved_in)
    if not text and isinstance(saved.architecture, UserModel):
        raise UserError(
            f"{saved_in} holds a training of {saved.architecture}: name that, if it is yours to run"
        )
    if text and saved.architecture != network:
        raise UserError(
            f"{saved_in} holds a {saved.architecture}, not a {network}: name that or none"
        )
    if saved.training.task != training.task:
        raise UserError(
            f"{saved_in} was trained for {saved.training.task}, and this data is for "
            f"{training.task}: name the data of then"
        )
    return saved.architecture, saved.training


@contextlib.contextmanager
def own_failures_told(network: Network) -> Iterator[None]:
    """Whatever a person's own model raises within is a UserError, with the places in their code."""
    try:
        yield
    except UserError:
        raise
    except Exception as failure:
        if isinstance(network, Architecture):
            raise
        reason = user_code.reason(failure)
        raise UserError(f"{network} cannot be trained: {reason}") from failure


def train(
    architecture: Network,
    training: Training,
    data: Dataset,
    *,
    epochs: int,
    path: str = "fit",
    seed: int | None = None,
    go_on_from: Path | None = None,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
    on_refusal: Callable[[str], None] = lambda reason: None,
) -> tuple[Session, "keras.Model"]:
    """Train a network; `devices.start` has been called; `seed` sets all of Keras' randomness.

    `go_on_from` is the folder of a session of the same `architecture`; UserError if it is not.
    `on_epoch` is told finished epochs, from 1, and their loss: every one with `fit`, about 25
    of them on the compiled path. `on_refusal` is told why that path does not train it:
    then `fit` does.
    """
    import keras

    if seed is not None:
        keras_import.set_random_seed(seed)
    if go_on_from is None:
        with program_cache.on_disk(), initial_values.quick():
            model = _built(architecture, training, data)
        earlier: list[float] = []
        initial = model.get_weights()
    else:
        saved = read(go_on_from)
        model = _restored(go_on_from, saved, data)
        earlier, initial = saved.losses, saved.initial_weights

    told: list[int] = []

    def ended(epoch: int, logs: dict[str, Any]) -> None:
        if "loss" not in logs:
            raise UserError(f"{architecture} logs no loss: there is no curve to watch")
        told.append(epoch)
        on_epoch(epoch + 1, float(logs["loss"]))

    teller = keras.callbacks.LambdaCallback(on_epoch_end=ended)
    setattr(teller, LISTENS, True)
    rows, shuffle = training.batch_size or data.rows, training.shuffle
    options: dict[str, Any] = {"batch_size": rows, "shuffle": shuffle, "callbacks": [teller]}
    given = data.training_data if data.stream is None else make_stream(data.name)
    arrays, options["sample_weight"] = (given.x, given.y), given.sample_weight
    losses: list[float] | None = None
    if path != "fit":
        own = isinstance(architecture, UserModel)
        jit = None if own else keras_model.JIT_COMPILE[training.jit]
        more: dict[str, Any] = {"epochs": epochs, "verbose": 0, "jit_compile": jit}
        more |= {"callback_every": max(1, epochs // 25)}
        try:
            history = fast_fit(model, *arrays, **(options | more)).history
            losses = [float(loss) for loss in history["loss"]]
        except UserError as refusal:
            if told:
                raise
            on_refusal(str(refusal))
    if losses is None:
        losses = fit(model, *arrays, epochs=epochs, source=training.source, **options)
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
            try:
                model.save(folder / MODEL)
            except Exception as failure:
                if isinstance(failure, OSError) or isinstance(session.architecture, Architecture):
                    raise
                (folder / MODEL).unlink(missing_ok=True)
                model.save_weights(folder / STATE)
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure
    whole_file.write(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")


def read(folder: Path) -> Session:
    """Read a session back without Keras. Raises UserError if it is missing or damaged."""
    for name in (DESCRIPTION, INITIAL, FINAL):
        if not (folder / name).is_file():
            raise UserError(f"{folder} holds no saved training: {name} is missing")
    try:
        plain = fields.read(folder / DESCRIPTION)
        seed, losses = plain["seed"], plain["losses"].entries()
        return Session(
            architecture=networks.parse_one(plain["architecture"].text()),
            training=plain["training"].record(Training),
            data=plain["data"].text(),
            seed=None if seed.value is None else seed.whole(),
            # That of a training that diverged is not finite.
            losses=[one.value if isinstance(one.value, float) else one.number() for one in losses],
            initial_weights=_read_weights(folder / INITIAL),
            final_weights=_read_weights(folder / FINAL),
        )
    except UserError as failure:
        raise _damaged(folder, failure.reason) from failure


def _damaged(path: Path, failure: object) -> UserError:
    mend = "train and save it again"
    return UserError(f"the training saved in {path} is damaged ({first_line(failure)}): {mend}")


def _read_weights(path: Path) -> Weights:
    arrays = npz.read(path)
    found = [arrays.get(f"arr_{position}") for position in range(len(arrays))]
    if any(array is None or array.dtype != np.float32 for array in found):
        raise UserError(f"{path.name} holds something else than weights of float32")
    return cast("Weights", found)


def _built(network: Network, training: Training, data: Dataset) -> "keras.Model":
    """The compiled network with its weights."""
    if isinstance(network, Architecture):
        return keras_model.build(network, training, data.shape, data.vocabulary)
    sizes = data.rows, max(1, data.width)
    case = Case(None, training, data.name, data.digest, *sizes, model=network.label)
    model = keras_model.for_case(case)
    keras_model.make_weights(model, data.training_data.first(case.batch_rows).x)
    return model


def _restored(folder: Path, saved: Session, data: Dataset) -> "keras.Model":
    """The network and its optimizer's state; no layer is made because the file names it."""
    model = _built(saved.architecture, saved.training, data)
    model.optimizer.build(model.trainable_variables)
    shapes = [[one.shape for one in each] for each in (model.get_weights(), saved.initial_weights)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"the training saved in {folder} is of other data than rows of shape {data.shape}: "
            "name the data that it was trained on"
        )
    try:
        with keras_import.without_tensorflow():
            model.load_weights(folder / (MODEL if (folder / MODEL).exists() else STATE))
    except (OSError, KeyError, TypeError, AttributeError, *npz.UNREADABLE) as failure:
        raise _damaged(folder / MODEL, failure) from failure
    return model
