"""`nnbench compare`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.options import (
    NOTEBOOK,
    AsJson,
    Batch,
    Budget,
    Data,
    Models,
    Quiet,
    Threads,
    TrainingPath,
    WantedPrecision,
    cases_of,
    load,
    say,
    training_of,
)
from nnbench.cli.session import execute, run_folder
from nnbench.errors import UserError


def compare(
    operands: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A] [B]",
            help="Two runs' folders, or two of: a commit, a Python with nnbench, . (the present).",
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="A commit to hold the present working tree against.")
    ] = None,
    architectures: Annotated[
        str | None,
        typer.Option(
            "--architectures",
            help="What to train, when measuring.",
            show_default=" ".join(NOTEBOOK),
        ),
    ] = None,
    model: Models = None,
    data: Data = "banknotes",
    backend: Annotated[str, typer.Option(help="tensorflow, jax or torch.")] = "tensorflow",
    threads: Threads = None,
    path: TrainingPath = "fit",
    epochs: Annotated[int, typer.Option(help="Epochs of a cold training.")] = 30,
    batch: Batch = "full",
    launches: Annotated[int, typer.Option(help="Launches of each side.")] = 10,
    blocks: Annotated[int, typer.Option(help="Blocks in a launch.")] = 1,
    budget: Budget = None,
    precision: WantedPrecision = None,
    seed: Annotated[int, typer.Option(help="Seed of the order of measurement.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds after which a trial is given up.")] = 120.0,
    margin: Annotated[str, typer.Option(help="Differences within it count as none.")] = "2%",
    unlike: Annotated[
        bool, typer.Option("--unlike", help="Compare even unlike hosts or versions.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say of two sides whether they differ, are equivalent, or need more data.

    Saved runs are compared as they are. Commits and environments are measured now, their
    launches in turn, on this machine.
    """
    from nnbench.machine import fingerprint
    from nnbench.measure import environments
    from nnbench.measure import run as measuring
    from nnbench.report.tables import comparison_as_json, print_comparison
    from nnbench.stats import summary, verdict
    from nnbench.workload import quantities

    names = [against, "."] if against and not operands else list(operands or [])
    if len(names) != 2 or (against and operands):
        raise UserError("name two sides, such as two runs' folders, or use --against COMMIT")
    share = quantities.parse_share(margin)
    first, second = (environments.resolve(name) for name in names)
    if first.label == second.label:
        raise UserError(f"both sides are {first.label}: there is nothing to compare")
    differing = fingerprint.unlike(*map(environments.fingerprint_of, (first, second)))
    if differing and not unlike:
        raise UserError(
            f"{first.label} and {second.label} are unlike ({'; '.join(differing)}): "
            "their times differ for that alone; --unlike compares them all the same"
        )
    if first.run and second.run:
        ratios = summary.ratios_between_runs(first.run, second.run)
        if not ratios:
            raise UserError("the two runs have no case in common with two launches on each side")
    elif first.side and second.side:
        loaded = load(data, None, None, None, False)
        training = training_of(loaded, "adam", None, "relu", "float32", batch, "auto")
        wanted = measuring.specification(
            cases_of(
                [architectures] if architectures else [] if model else NOTEBOOK,
                loaded,
                training,
                backend,
                "cpu",
                threads,
                path,
                epochs,
                model or [],
            ),
            launches=launches,
            blocks=blocks,
            seed=seed,
            limit_s=limit,
            precision=quantities.parse_share(precision) if precision else None,
            budget_s=quantities.parse_seconds(budget) if budget else None,
            sides=[first.label, second.label],
            models=model or [],
        )
        folder = run_folder(results, None, wanted, resume=False, fresh=False)
        places = {first.label: first.side, second.label: second.side}
        ratios = summary.ratios_between_sides(execute(folder, loaded, places, quiet=quiet))
    else:
        raise UserError("a saved run is compared with a saved run: measure the other side first")
    found = verdict.judge(ratios, margin=share)
    if as_json:
        say(json.dumps(comparison_as_json(found, first.label, second.label, differing)))
        return
    print_comparison(found, first.label, second.label, differing)
