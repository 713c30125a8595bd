"""`nnbench explain`."""

from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.options import (
    Activation,
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
    Optimizer,
    Quiet,
    Standardise,
    Threads,
    TrainingPath,
    cases_of,
    load,
    say,
    training_of,
)
from nnbench.cli.session import execute, run_folder
from nnbench.errors import UserError


def explain(
    first: Annotated[
        str, typer.Argument(metavar="A", help="An architecture, such as 100x2, or a run's folder.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="What is held against it.")],
    saved: Annotated[
        Path | None, typer.Option("--run", help="A run that holds both; default: measure them.")
    ] = None,
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
    launches: Annotated[int, typer.Option(help="Fresh processes for each backend.")] = 5,
    blocks: Annotated[int, typer.Option(help="Times each one's turn comes in a launch.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the order of measurement.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds after which a trial is given up.")] = 120.0,
    unlike: Annotated[
        bool, typer.Option("--unlike", help="Hold runs of unlike hosts or versions together.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say why one network takes longer to train than another: which phases, and how much each.

    Two architectures are timed against each other, or looked up in a saved run. Two folders are
    two runs that timed the same networks.
    """
    import json

    from nnbench.explain import attribution, charts, words
    from nnbench.explain.tables import attribution_as_json, print_attribution
    from nnbench.measure import run as measuring
    from nnbench.store import runs as storage
    from nnbench.workload import quantities
    from nnbench.workload.architecture import parse

    folders = [Path(name) for name in (first, second)]
    if all((folder / storage.RUN_FILE).exists() for folder in folders):
        runs = [storage.read(folder) for folder in folders]
        found = attribution.of_runs(*runs, unlike=unlike)
        run = runs[1]
    else:
        networks = parse(first), parse(second)
        if networks[0] == networks[1]:
            raise UserError(f"{first} and {second} are the same network: name two")
        if saved is not None:
            run = storage.read(saved)
        else:
            loaded = load(data, features, label, as_task, standardise)
            training = training_of(loaded, optimizer, loss, activation, dtype, batch, jit)
            wanted = measuring.specification(
                cases_of(
                    [first, second],
                    loaded,
                    training,
                    backend,
                    device,
                    threads,
                    path,
                    epochs,
                ),
                launches=launches,
                blocks=blocks,
                seed=seed,
                limit_s=limit,
                budget_s=quantities.parse_seconds(budget) if budget else None,
            )
            folder = run_folder(results, None, wanted, resume=False, fresh=False)
            run = execute(folder, loaded, None, quiet=quiet)
        found = attribution.of_networks(run, *networks)
    sentences = [words.tell(one, results) for one in found]
    drawn = [charts.write(one, run.folder) for one in found]
    if as_json:
        plain = map(attribution_as_json, found, sentences, drawn)
        say(json.dumps(list(plain), indent=1))
        return
    for one, told, chart in zip(found, sentences, drawn, strict=True):
        print_attribution(one, told)
        say(str(chart))
