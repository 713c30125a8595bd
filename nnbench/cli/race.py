"""`nnbench race`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnbench.cli.options import (
    NOTEBOOK,
    Activation,
    Architectures,
    AsJson,
    AsTask,
    Batch,
    Data,
    Dtype,
    Features,
    Jit,
    Label,
    Loss,
    Models,
    Optimizer,
    Quiet,
    Standardise,
    Threads,
    cases_of,
    load,
    say,
    training_of,
)
from nnbench.cli.session import execute, run_folder
from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.store.runs import Run


def race(
    architectures: Architectures = None,
    model: Models = None,
    target_loss: Annotated[
        float | None,
        typer.Option(help="The loss to get to; default: the lowest that all networks get to."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each network, each in a fresh process.")
    ] = 6,
    epochs: Annotated[int, typer.Option(help="Epochs of each training.")] = 1000,
    data: Data = "banknotes",
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    standardise: Standardise = False,
    backend: Annotated[
        str | None,
        typer.Option(help="tensorflow, jax, torch, or several; default: the quickest here."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, gpu, gpu:1, or several with commas.")] = "cpu",
    threads: Threads = None,
    path: Annotated[
        str, typer.Option("--path", help="compiled (all epochs as one program) or fit.")
    ] = "compiled",
    batch: Batch = "full",
    optimizer: Optimizer = "adam",
    loss: Loss = None,
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    seed: Annotated[int, typer.Option(help="The first seed; the others follow it.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds after which one is given up.")] = 600.0,
    results: Annotated[Path, typer.Option(help="Folder for races.")] = Path("results/races"),
    name: Annotated[str | None, typer.Option(help="Name of the race; default: the time.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew even if an unfinished race is there.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train networks over several seeds: which gets to a loss first, and which is worth its time.

    A command that was interrupted goes on where it stopped when it is given again; with --name,
    another --target-loss is answered from what was trained before.
    """
    from nnbench.machine import devices
    from nnbench.measure import loss_curve_trial
    from nnbench.measure import run as measuring

    if seeds < 1:
        raise UserError(f"{seeds} seeds train nothing: use 1 or more, 6 for a 95 % interval")
    loaded = load(data, features, label, as_task, standardise)
    training = training_of(loaded, optimizer, loss, activation, dtype, batch, jit)
    wanted = measuring.specification(
        cases_of(
            architectures or ([] if model else NOTEBOOK),
            loaded,
            training,
            backend or devices.quickest_installed(),
            device,
            threads,
            path,
            epochs,
            model or [],
        ),
        launches=seeds,
        blocks=1,
        seed=seed,
        limit_s=limit,
        models=model or [],
        kinds=(loss_curve_trial.KIND,),
        sweeps=0,
    )
    folder = run_folder(results, name, wanted, resume=False, fresh=fresh)
    tell_race(execute(folder, loaded, None, quiet=quiet), target_loss, as_json=as_json)


def tell_race(finished: "Run", target_loss: float | None, *, as_json: bool) -> None:
    """Write the page of a race and print its tables and sentences, or JSON."""
    from nnbench.race import page, words
    from nnbench.race.time_to_loss import Race
    from nnbench.show import terminal

    races = Race.of(finished)
    if not races:
        raise UserError(f"no training ended well: {finished.folder / 'trials.jsonl'} says why")
    targets = {
        number: one.common_target() if target_loss is None else target_loss
        for number, one in enumerate(races)
    }
    written = page.write(finished, targets)
    if as_json:
        told = [words.as_json(one, targets[number]) for number, one in enumerate(races)]
        whole = {"run": str(finished.folder), "page": str(written), "races": told}
        say(json.dumps(whole, indent=1))
        return
    for number, one in enumerate(races):
        terminal.print_table(words.table(one, targets[number]))
        for sentence in words.sentences(one, targets[number]):
            say(sentence)
        for warning in words.warnings(one):
            say(f"Note: {warning}")
    say(str(written))
