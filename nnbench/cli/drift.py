"""`nnbench drift`, and `drift record`, `drift check`, `drift compare`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnbench.cli.options import (
    Activation,
    AsJson,
    Batch,
    Data,
    Dtype,
    Jit,
    Optimizer,
    Quiet,
    Threads,
    cases_of,
    load,
    say,
    training_of,
)
from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.workload.case import Case
    from nnbench.workload.datasets import Dataset

app = typer.Typer(
    help="What does a seed guarantee? Train pairs under each seed policy; guard a training.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Architecture = Annotated[
    str | None, typer.Option("--architecture", "-a", help="6,6 or 6x5.", show_default="6,6")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Your own: train.py:build, a function that returns a compiled Keras model."
    ),
]
Epochs = Annotated[int, typer.Option(help="Epochs of each training.")]
OnDevice = Annotated[str, typer.Option("--device", help="cpu, gpu or gpu:1.")]


@app.callback(invoke_without_command=True)
def drift(
    context: typer.Context,
    architecture: Architecture = None,
    model: Model = None,
    data: Data = "banknotes",
    backend: Annotated[
        str, typer.Option(help="tensorflow, jax, torch, or several with commas.")
    ] = "tensorflow",
    policies: Annotated[
        str, typer.Option(help="Seed policies, with commas: nothing, numpy, ... or all.")
    ] = "all",
    conditions: Annotated[
        str, typer.Option(help="What is varied, with commas: new process, threads, ... or all.")
    ] = "all",
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 5,
    trainings: Annotated[int, typer.Option(help="Trainings held against each other.")] = 2,
    against: Annotated[
        str | None, typer.Option(help="Another environment's Python, or a commit, to train in too.")
    ] = None,
    epochs: Epochs = 30,
    batch: Batch = "full",
    path: Annotated[str, typer.Option(help="fit or compiled.")] = "fit",
    device: OnDevice = "cpu",
    threads: Threads = None,
    optimizer: Optimizer = "adam",
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    cost: Annotated[
        bool, typer.Option("--cost/--no-cost", help="Time deterministic ops, too.")
    ] = False,
    remedy: Annotated[
        bool, typer.Option("--remedy/--no-remedy", help="Find and verify the shortest code.")
    ] = True,
    limit: Annotated[float, typer.Option(help="Seconds after which a training is given up.")] = 300,
    results: Annotated[Path, typer.Option(help="Folder for studies.")] = Path("results"),
    name: Annotated[str | None, typer.Option(help="Name of the study; default: the time.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train pairs under each seed policy, in each condition, and say how far apart they end.

    A command that was interrupted goes on where it stopped when it is given again.
    """
    if context.invoked_subcommand is not None:
        return
    from nnbench.drift import plan
    from nnbench.drift.policies import POLICIES
    from nnbench.machine import devices, fingerprint
    from nnbench.measure import environments

    loaded, cases = _cases(
        architecture,
        model,
        data,
        backend,
        epochs,
        batch,
        path,
        device,
        threads,
        optimizer,
        activation,
        dtype,
        jit,
    )
    other = environments.resolve(against) if against else None
    if other is not None and other.side is None:
        raise UserError(f"{against} is a saved run: name a commit or a Python")
    here = fingerprint.take()
    wanted = plan.specification(
        cases[0],
        backends=[case.backend for case in cases],
        policies=list(POLICIES) if policies == "all" else policies.split(","),
        seeds=seeds,
        trainings=trainings,
        conditions=plan.CONDITIONS if conditions == "all" else conditions.split(","),
        cpus=devices.usable_cpus(),
        gpu=bool(here["gpus"]),
        other_side=other.label if other else None,
        limit_s=limit,
    )
    folder = _folder(results, name, wanted, here)
    places = {other.label: other.side} if other and other.side else {}
    _run(folder, loaded, places, cost=cost, remedy=remedy, quiet=quiet)
    _tell(folder, as_json=as_json)


def _cases(
    architecture: str | None,
    model: str | None,
    data: str,
    backend: str,
    epochs: int,
    batch: str,
    path: str,
    device: str,
    threads: int | None,
    optimizer: str,
    activation: str,
    dtype: str,
    jit: str,
) -> "tuple[Dataset, list[Case]]":
    if architecture and model:
        raise UserError("name an architecture or a model, not both")
    loaded = load(data, None, None, None, False)
    training = training_of(loaded, optimizer, None, activation, dtype, batch, jit)
    named = [] if model else [architecture or "6,6"]
    models = [model] if model else []
    cases = cases_of(named, loaded, training, backend, device, threads, path, epochs, models)
    if len({case.backend for case in cases}) != len(cases):
        raise UserError("a drift study is of one network and one path: name one")
    return loaded, cases


def _folder(results: Path, name: str | None, wanted: dict[str, Any], here: dict[str, Any]) -> Path:
    from nnbench.drift import saved, study

    if name and (results / name).exists():
        if not saved.same(results / name, wanted, here):
            raise UserError(f"{results / name} holds another study: choose another --name")
        return results / name
    if not name:
        for folder in reversed(saved.find(results)):
            try:
                unfinished = saved.same(folder, wanted, here) and not study.is_complete(folder)
            except UserError:
                continue
            if unfinished:
                sys.stderr.write(f"going on with the unfinished study {folder}\n")
                return folder
    return saved.create(results, name, wanted, here)


def _run(
    folder: Path, data: "Dataset", places: dict[str, Any], *, cost: bool, remedy: bool, quiet: bool
) -> None:
    from nnbench.drift import determinism_cost as costs
    from nnbench.drift import remedy as remedies
    from nnbench.drift import study
    from nnbench.show.progress import Bar

    with Bar(0, "trainings", quiet=quiet) as bar:

        def show(done: int, total: int, now: str) -> None:
            bar.show(done, now, total)

        study.execute(folder, data, show, places)
        if remedy:
            remedies.find(folder, data, show)
        if cost:
            costs.measure(folder, data, show)


def _tell(folder: Path, *, as_json: bool) -> None:
    from nnbench.drift import matrix, page, saved, tables

    finished = saved.read(folder)
    found = matrix.cells(finished)
    path = page.write(finished, found)
    if as_json:
        say(json.dumps(tables.study_as_json(finished, found, path), indent=1))
        return
    tables.print_study(finished, found)
    say(str(path))


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="A study's folder.")],
    as_json: AsJson = False,
) -> None:
    """Show a saved study again, and write its page anew."""
    _tell(folder, as_json=as_json)


Relative = Annotated[
    float | None,
    typer.Option(
        help="Relative distance of weights tolerated across versions.", show_default="1e-4"
    ),
]
Ulp = Annotated[
    float | None, typer.Option(help="ULPs tolerated across versions, besides.", show_default="any")
]


@app.command()
def record(
    folder: Annotated[Path, typer.Argument(help="Where to keep it, such as golden/small.")],
    architecture: Architecture = None,
    model: Model = None,
    data: Data = "banknotes",
    backend: Annotated[str, typer.Option(help="tensorflow, jax or torch.")] = "tensorflow",
    policy: Annotated[str, typer.Option(help="How seeds are set: keras or keras+det.")] = "keras",
    seed: Annotated[int, typer.Option(help="The seed.")] = 1,
    epochs: Epochs = 30,
    batch: Batch = "full",
    path: Annotated[str, typer.Option(help="fit or compiled.")] = "fit",
    device: OnDevice = "cpu",
    threads: Threads = None,
    optimizer: Optimizer = "adam",
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    relative: Relative = None,
    ulp: Ulp = None,
) -> None:
    """Record a training, for `drift check` to hold later ones against."""
    from nnbench.drift import golden

    loaded, cases = _cases(
        architecture,
        model,
        data,
        backend,
        epochs,
        batch,
        path,
        device,
        threads,
        optimizer,
        activation,
        dtype,
        jit,
    )
    if len(cases) != 1:
        raise UserError("one training is recorded at a time: name one backend and one path")
    bounds = golden.Bounds(golden.RELATIVE if relative is None else relative, ulp)
    kept = golden.record(folder, cases[0], loaded, policy=policy, seed=seed, bounds=bounds)
    say(
        f"Recorded {kept.case.label} on {kept.case.place}, seed {seed}, in {folder}: two processes "
        f"agreed in every bit. Elsewhere it must stay {kept.bounds.text}."
    )


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="The recorded training's folder.")],
    relative: Relative = None,
    ulp: Ulp = None,
    as_json: AsJson = False,
) -> None:
    """Train again as recorded, and say what changed; exit status 1 if it has drifted."""
    from nnbench.drift import golden, tables

    kept = golden.read(folder)
    loaded = load(kept.case.data, None, None, None, False)
    bounds = None
    if relative is not None or ulp is not None:
        bounds = golden.Bounds(kept.bounds.relative if relative is None else relative, ulp)
    verdict = golden.check(kept, loaded, bounds)
    if as_json:
        say(json.dumps(tables.verdict_as_json(verdict), indent=1))
    else:
        say("\n".join(verdict.lines))
    if not verdict.passed:
        raise typer.Exit(1)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A study's folder.")],
    second: Annotated[Path, typer.Argument(help="Another's, from another host or version.")],
    as_json: AsJson = False,
) -> None:
    """Hold two saved studies against each other: the same command run on two hosts."""
    from nnbench.drift import across_hosts, saved, tables

    studies = saved.read(first), saved.read(second)
    found = across_hosts.compare(*studies)
    unlike = across_hosts.unlike(*studies)
    if as_json:
        say(json.dumps(tables.across_as_json(found, unlike), indent=1))
        return
    say(f"Between them: {'; '.join(unlike) or 'nothing, by their fingerprints'}.")
    for one in found:
        say(one.text)
