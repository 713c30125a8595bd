"""`nnbench train`."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from nnbench.cli.options import (
    Activation,
    AsJson,
    AsTask,
    Batch,
    Dtype,
    Features,
    Jit,
    Label,
    Loss,
    Optimizer,
    Quiet,
    Standardise,
    Threads,
    load,
    say,
    training_of,
)
from nnbench.errors import UserError

EPOCHS = {"instagram": 8000}
DEFAULT_EPOCHS = 2000


def train(
    architecture: Annotated[str, typer.Argument(help="6,6 or 6x5.")] = "",
    task: Annotated[
        str, typer.Option("--task", "--data", help="banknotes, instagram, synthetic:... or a CSV.")
    ] = "banknotes",
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    standardise: Standardise = False,
    epochs: Annotated[int | None, typer.Option(help="Default: 2000; 8000 for instagram.")] = None,
    backend: Annotated[
        str | None,
        typer.Option(help="tensorflow, jax or torch; default: the quickest installed for fit."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, gpu or gpu:1.")] = "cpu",
    threads: Threads = None,
    batch: Batch = "full",
    optimizer: Optimizer = "adam",
    loss: Loss = None,
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    seed: Annotated[int | None, typer.Option(help="Seed of weights and order.")] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Print the initial and final weights.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Folder for weights, history, model and chart.", show_default="results/train-TIME"
        ),
    ] = None,
    go_on_from: Annotated[
        Path | None, typer.Option(help="Go on with a training that was saved.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train one network, watch its loss, and be told whether it has converged."""
    from nnbench.machine import devices
    from nnbench.show.progress import Bar
    from nnbench.training import charts, loss_curve, session
    from nnbench.training.tables import (
        describe,
        print_architecture,
        print_training,
        print_weights,
        training_as_json,
    )
    from nnbench.workload import architecture as arch

    loaded = load(task, features, label, as_task, standardise)
    wanted = training_of(loaded, optimizer, loss, activation, dtype, batch, jit)
    parsed = arch.parse(architecture) if architecture else _usual_network(loaded.task)
    if go_on_from is not None:
        saved = session.read(go_on_from)
        if architecture and saved.architecture != parsed:
            raise UserError(
                f"{go_on_from} holds a {saved.architecture}, not a {parsed}: name that one or none"
            )
        parsed, wanted = saved.architecture, saved.training
    count = epochs if epochs is not None else EPOCHS.get(loaded.name, DEFAULT_EPOCHS)
    if count < 1:
        raise UserError(f"{count} epochs train nothing: use 1 or more")
    folder = save or Path("results") / f"train-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    check_writable(folder)
    chosen = backend or devices.quickest_installed()
    if not as_json:
        print_architecture(describe(parsed, wanted, rows=loaded.rows, features=loaded.width))
    sys.stderr.write("" if quiet else f"starting {chosen}\n")
    devices.mute_native_code()
    devices.start(chosen, device, threads)
    with Bar(count, "epochs", quiet=quiet) as bar:
        trained, model = session.train(
            parsed,
            wanted,
            loaded,
            epochs=count,
            seed=seed,
            go_on_from=go_on_from,
            on_epoch=lambda epoch, value: bar.show(epoch, f"loss {value:.4g}"),
        )
    verdict = loss_curve.judge(trained.losses)
    session.save(trained, model, folder)
    predictions = model.predict(loaded.features, verbose=0)
    chart = charts.write(trained, loaded, predictions, folder / "training.png")
    if as_json:
        say(json.dumps(training_as_json(trained, verdict, chart), indent=1))
        return
    if weights:
        print_weights(trained)
    print_training(trained, verdict, predictions, loaded)
    say(f"weights, history and model: {folder}")
    say(str(chart))


def _usual_network(task: str) -> Any:
    from nnbench.workload import architecture as arch

    return arch.parse("6,6" if task == "classification" else "6")


def check_writable(folder: Path) -> None:
    """Raise UserError unless files can be made in `folder`, which is made if missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure
