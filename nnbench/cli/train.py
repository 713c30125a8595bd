"""`nnbench train`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

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
from nnbench.show.terminal import note, print_json, say
from nnbench.workload import architecture as arch
from nnbench.workload.study import Networks, Study


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


def train(
    architecture: str | None = None,
    /,
    *,
    data: TrainData = TrainData(),
    training: TrainTraining = TrainTraining(),
    machine: Machine = Machine(),
    seed: Seed | None = None,
    weights: bool = False,
    save: Path | None = None,
    go_on_from: Path | None = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train one network, watch its loss, and be told whether it has converged.

    Args:
        architecture: 6,6 or 6x5; default: 6,6, or 6 for a regression.
        seed: Seed of weights and order.
        weights: Print the initial and final weights.
        save: Folder for weights, history, model and chart; default: results/train-TIME.
        go_on_from: Go on with a training that was saved.
    """
    if len(machine.backends) + len(machine.devices) + len(machine.paths) > 3:
        raise UserError("one training has one backend, one device and one path")
    if architecture is not None:
        arch.parse(architecture)
    from nnbench.show.progress import Bar
    from nnbench.training import charts, loss_curve, session, tables

    loaded = Study(Networks((architecture,) if architecture else ()), data).load()
    wanted = training.training(loaded.task, loaded.kind)
    network, wanted = session.chosen(architecture, wanted, go_on_from)
    loaded.check_takes(network)
    usual = 8000 if loaded.name == "instagram" else 2000
    epochs = usual if training.epochs is None else training.epochs
    folder = save or Path("results") / f"train-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    whole_file.check_folder(folder)
    tell_backend(machine, quiet=quiet)
    tell_data(loaded)
    note(f"starting {machine.backends[0]}", quiet=quiet)
    devices.mute_native_code()
    devices.start(machine.backends[0], machine.device, machine.threads)
    if not as_json:
        counted = tables.counted(network, wanted, loaded)
        tables.print_network(tables.describe(network.label, counted, wanted))
    with Bar(epochs, "epochs", quiet=quiet) as bar:
        trained, model = session.train(
            network,
            wanted,
            loaded,
            epochs=epochs,
            path=machine.path,
            seed=seed,
            go_on_from=go_on_from,
            on_epoch=lambda epoch, value: bar.show(epoch, f"loss {value:.4g}"),
        )
    verdict = loss_curve.judge(trained.losses)
    session.save(trained, model, folder)
    predictions = model.predict(loaded.features, verbose=0)
    chart = charts.write(trained, loaded, predictions, folder / "training.png")
    if as_json:
        print_json(tables.as_json(trained, verdict, chart))
        return
    if weights:
        tables.print_weights(trained)
    tables.print_training(trained, verdict, predictions, loaded)
    say(f"weights, history and model: {folder}")
    say(str(chart))
