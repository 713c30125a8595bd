"""`nnbench train`."""

import contextlib
import gc
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nnbench.cli.options import (
    AsJson,
    Data,
    Machine,
    Quiet,
    Seed,
    Training,
    options,
    tell_backend,
    tell_data,
)
from nnbench.errors import UserError
from nnbench.machine import devices, whole_file
from nnbench.machine.child import Child
from nnbench.show import units
from nnbench.show.terminal import note, print_json, say
from nnbench.workload import networks as notation
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.study import Networks, Study

if TYPE_CHECKING:
    from nnbench.training.loss_curve import Verdict
    from nnbench.training.session import Session
    from nnbench.workload.case import Case
    from nnbench.workload.datasets import Dataset
    from nnbench.workload.networks import Network


FEW_ROWS = 10_000
"""So many are predicted without a program of its own."""

DRAWING_S = 60.0
"""It takes half a second; afterwards this process draws by itself."""


@options("Data")
@dataclass(frozen=True)
class TrainData(Data):
    """Data that `--task` names too."""

    data: Annotated[str | None, Parameter(name=("--data", "--task"))] = None


@options("Training")
@dataclass(frozen=True)
class TrainTraining(Training):
    """So many epochs that a network converges."""

    epochs: int | None = None
    "Default: 2000; 8000 for instagram."


@options("Machine")
@dataclass(frozen=True)
class TrainMachine(Machine):
    """What trains it."""

    path: str = "compiled"
    "compiled (all epochs as one program; fit where that cannot be), or fit (Keras' own)."


def train(
    architecture: str | None = None,
    /,
    *,
    data: TrainData = TrainData(),
    training: TrainTraining = TrainTraining(),
    machine: TrainMachine = TrainMachine(),
    seed: Seed | None = None,
    weights: bool = False,
    save: Path | None = None,
    go_on_from: Path | None = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train one network, watch its loss, and be told whether it has converged.

    Args:
        architecture: 6,6, conv:32x4 or train.py:build(depth=4); default: 6,6; 6 for a regression.
        seed: Seed of weights and order.
        weights: Print the initial and final weights.
        save: Folder for weights, history, model and chart; default: results/train-TIME.
        go_on_from: Go on with a training that was saved.
    """
    done = trained(
        architecture,
        data,
        training,
        machine,
        seed=seed,
        save=save,
        go_on_from=go_on_from,
        quiet=quiet,
        told=not as_json,
        alone=True,
    )
    from nnbench.training import tables

    if as_json:
        print_json(tables.as_json(done.session, done.verdict, done.chart) | {"took_s": done.took_s})
        return
    if weights:
        tables.print_weights(done.session, names_of(done.model, done.case))
    tables.print_training(done.session, done.verdict, done.predictions, done.data)
    epochs = f"{len(done.session.losses):,} epochs"
    say(f"took {units.seconds(done.took_s)}: building, compiling and {epochs}")
    own = {name: values[-1] for name, values in done.history.items() if name != "loss"}
    if own:
        told = ", ".join(f"{name} {value:.4g}" for name, value in own.items())
        say(f"by the model's own metrics: {told}")
    say(f"weights, history and model: {done.folder}")
    say(str(done.chart))


@dataclass(frozen=True)
class Trained:
    """A training that was watched to its end, the model with its weights, and where it is saved."""

    session: "Session"
    verdict: "Verdict"
    model: Any
    case: "Case"
    data: "Dataset"
    predictions: Any
    chart: Path
    folder: Path
    took_s: float

    @property
    def history(self) -> dict[str, list[float]]:
        """What Keras logged after each epoch."""
        return dict(self.model.history.history)


def trained(
    architecture: str | None,
    data: TrainData,
    training: TrainTraining,
    machine: TrainMachine,
    *,
    seed: int | None,
    save: Path | None,
    go_on_from: Path | None,
    quiet: bool,
    told: bool,
    alone: bool,
) -> Trained:
    """Train a network in this process and save it; `told` prints its layers first.

    `alone` is a process that does nothing else, unlike a notebook's.
    """
    if len(machine.backends) + len(machine.devices) + len(machine.paths) > 3:
        raise UserError("one training has one backend, one device and one path")
    if architecture is not None:
        notation.parse_one(architecture)
    from nnbench.show.progress import Bar
    from nnbench.training import loss_curve, session
    from nnbench.training.compiled import program_cache

    study = Study(Networks.named([architecture] if architecture else []), data)
    loaded = study.load()
    wanted = training.training(loaded.task, loaded.kind)
    network, wanted = session.chosen(architecture, wanted, go_on_from)
    asked = replace(study, networks=Networks.named([network.name]), machine=machine)
    # Says what does not fit, and knows the batches of data that make their own.
    case = replace(asked.cases(loaded)[0], training=wanted)
    usual = 8000 if loaded.name == "instagram" else 2000
    epochs = usual if training.epochs is None else training.epochs
    folder = save or Path("results") / f"train-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    whole_file.check_folder(folder)
    tell_backend(machine, quiet=quiet)
    tell_data(loaded)
    note(f"starting {machine.backends[0]}", quiet=quiet)
    devices.mute_native_code()
    devices.start(machine.backends[0], machine.devices[0], machine.threads)
    if alone:
        # What was imported stays: no search for garbage goes through it again, which takes 0.4 s
        # with TensorFlow.
        gc.freeze()
    # Beside the rest; nothing is timed here. What is drawn of a regression is its data, too.
    aside = alone and tasks.kind(loaded.task) != tasks.REGRESSION and devices.usable_cpus() > 1
    artist = _artist(folder) if aside else None
    uncounted = tell_network(case, loaded) if told else ""
    began_s = time.monotonic()
    with Bar(epochs, "epochs", quiet=quiet) as bar, session.own_failures_told(network):
        bar.show(0, "building and compiling")
        finished, model = session.train(
            network,
            wanted,
            loaded,
            epochs=epochs,
            path=machine.path,
            seed=seed,
            go_on_from=go_on_from,
            on_epoch=lambda epoch, value: bar.show(epoch, f"loss {value:.4g}"),
            on_refusal=lambda reason: note(f"{reason}; that is done now"),
        )
    took_s = time.monotonic() - began_s
    # Of a network that cannot be had at all that is told, and told once.
    note(uncounted, quiet=not uncounted)
    verdict = loss_curve.judge(finished.losses)
    session.save(finished, model, folder)
    if artist is not None:
        _say_saved(artist, network.name)
    with program_cache.on_disk():
        predictions = judged(model, network, loaded, machine.backends[0])
    if artist is None or not _drawn(artist):
        from nnbench.training import charts

        charts.write(finished, folder, loaded, predictions)
    chart = folder / session.PICTURE
    return Trained(finished, verdict, model, case, loaded, predictions, chart, folder, took_s)


def _artist(folder: Path) -> Child:
    """A process that draws a saved training when it is told that it is saved."""
    command = [sys.executable, "-P", "-m", "nnbench.training.charts", str(folder)]
    nothing = subprocess.DEVNULL
    return Child(command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing)


def _say_saved(artist: Child, typed: str) -> None:
    if artist.stdin is not None:
        # It may have ended.
        with contextlib.suppress(OSError), artist.stdin:
            artist.stdin.write(f"{typed}\n".encode(errors="surrogateescape"))


def _drawn(artist: Child) -> bool:
    try:
        return artist.wait(DRAWING_S) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        artist.end()


def tell_network(case: "Case", data: "Dataset") -> str:
    """Print the layers of what is trained; return why those of a person's model are not counted."""
    from nnbench.training import tables

    try:
        if case.architecture is None:
            shown = tables.describe(case, tables.counted_own(case, data))
        else:
            counted = tables.counted(case.architecture, case.training, data)
            shown = tables.describe(case, counted, case.training)
    except UserError as failure:
        return str(failure)
    tables.print_network(shown)
    return ""


def judged(model: Any, network: "Network", data: "Dataset", backend: str) -> Any:
    """Predictions that can be compared with the labels; None where it is not known how.

    A person's own model may put out anything: numbers are compared where they are as the labels.
    """
    if isinstance(network, Architecture):
        x = data.training_data.x
        if backend == "tensorflow" and network.family == "dense" and len(x) <= FEW_ROWS:
            # Making a graph of them takes longer than these few operations do.
            return model(x, training=False).numpy()
        return model.predict(x, verbose=0)
    if data.stream is not None or tasks.kind(data.task) != tasks.REGRESSION:
        return None
    try:
        found = model.predict(data.training_data.x, verbose=0)
    except Exception:  # noqa: BLE001 - it has been trained; not all can do more
        return None
    return found if getattr(found, "shape", None) == getattr(data.labels, "shape", ()) else None


def names_of(model: Any, case: "Case") -> list[str]:
    """What the arrays of weights are called."""
    if case.is_dense_chain:
        kinds = ("kernel", "bias")
        return [f"layer {n // 2 + 1}, {kinds[n % 2]}" for n in range(len(model.weights))]
    return [weight.path for weight in model.weights]
