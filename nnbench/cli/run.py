"""`nnbench run` and `nnbench report`."""

from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.options import (
    NOTEBOOK,
    Activation,
    Architectures,
    AsJson,
    AsTask,
    Batch,
    Budget,
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
    TrainingPath,
    WantedPrecision,
    cases_of,
    load,
    training_of,
)
from nnbench.cli.session import execute, run_folder, tell_run


def run(
    architectures: Architectures = None,
    model: Models = None,
    data: Data = "banknotes",
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    standardise: Standardise = False,
    backend: Annotated[
        str, typer.Option(help="tensorflow, jax, torch, or several with commas.")
    ] = "tensorflow",
    device: Annotated[str, typer.Option(help="cpu, gpu, gpu:1, or several with commas.")] = "cpu",
    threads: Threads = None,
    path: TrainingPath = "fit",
    epochs: Annotated[int, typer.Option(help="Epochs of a cold training.")] = 30,
    batch: Batch = "full",
    optimizer: Optimizer = "adam",
    loss: Loss = None,
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    budget: Budget = None,
    wanted_precision: WantedPrecision = None,
    launches: Annotated[int, typer.Option(help="Fresh processes for each backend.")] = 5,
    blocks: Annotated[int, typer.Option(help="Times each case's turn comes in a launch.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the order of measurement.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds after which a trial is given up.")] = 120.0,
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    name: Annotated[str | None, typer.Option(help="Name of the run; default: the time.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the unfinished run of this command.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew even if an unfinished run is there.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time architectures against each other and write a report.

    A command that was interrupted goes on where it stopped when it is given again.
    """
    from nnbench.cli import quantities
    from nnbench.measure import run as measuring

    loaded = load(data, features, label, as_task, standardise)
    training = training_of(loaded, optimizer, loss, activation, dtype, batch, jit)
    wanted = measuring.specification(
        cases_of(
            architectures or ([] if model else NOTEBOOK),
            loaded,
            training,
            backend,
            device,
            threads,
            path,
            epochs,
            model or [],
        ),
        launches=launches,
        blocks=blocks,
        seed=seed,
        limit_s=limit,
        precision=quantities.parse_share(wanted_precision) if wanted_precision else None,
        budget_s=quantities.parse_seconds(budget) if budget else None,
        models=model or [],
    )
    folder = run_folder(results, name, wanted, resume=resume, fresh=fresh)
    tell_run(execute(folder, loaded, None, quiet=quiet), as_json=as_json)


def report_command(
    run_folder: Annotated[Path, typer.Argument(help="Folder of a run, such as results/NAME.")],
    history: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Also show its networks over commits, from results there (.asv, .benchmarks, "
            "results); again for more than one.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a run again, and print its table."""
    from nnbench.cli.history import check_networks
    from nnbench.cli.race import tell_race
    from nnbench.store import runs

    run = runs.read(run_folder)
    if "curve" in run.specification.get("kinds", ()):
        tell_race(run, None, as_json=as_json)
    else:
        # A run over commits has a history of its own, once there is something in it.
        own = [run_folder] if run.specification.get("commits") and run.good_trials() else []
        folders = history or own
        check = check_networks(run, folders) if folders else None
        tell_run(run, as_json=as_json, check=check)
