"""The command line: reads options, calls the rooms, prints. Heavy imports wait for a command."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnbench import __version__
from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.case import Case, Training
    from nnbench.datasets import Dataset
    from nnbench.measure.run import Side
    from nnbench.results import Run

app = typer.Typer(
    help="How does the architecture of a network change the time it takes to train, and why?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Data sets: what is there, what is in them, fetching the original.")
app.add_typer(data_app, name="data", no_args_is_help=True)

NOTEBOOK = ["6,6", "100,100", "6x5"]
EPOCHS = {"instagram": 8000}
DEFAULT_EPOCHS = 2000

Architectures = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ARCHITECTURE]...",
        help="6,6 or '[100, 100]' or 6x5 (five layers of 6), or a grid: depth=1..8 width=4,16,64.",
        show_default=" ".join(NOTEBOOK),
    ),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="banknotes, instagram, synthetic:rows=1000,features=4, or the path of a CSV.",
    ),
]
Features = Annotated[
    str | None, typer.Option(help="Feature columns of your CSV, with commas; default: all others.")
]
Label = Annotated[str | None, typer.Option(help="Label column of your CSV.")]
Standardise = Annotated[
    bool, typer.Option("--standardise", help="Scale your CSV's features to mean 0, deviation 1.")
]
AsTask = Annotated[
    str | None, typer.Option("--as", help="Take your CSV's label as classification or regression.")
]
Batch = Annotated[str, typer.Option(help="Rows in a batch, or full.")]
Optimizer = Annotated[str, typer.Option(help="adam, sgd, momentum or rmsprop.")]
Loss = Annotated[str | None, typer.Option(help="A Keras loss; default: the task's usual one.")]
Activation = Annotated[str, typer.Option(help="relu, tanh, sigmoid or linear.")]
Dtype = Annotated[
    str, typer.Option("--dtype", help="Numbers: float32, bfloat16 or float16 (mixed precision).")
]
Budget = Annotated[str | None, typer.Option(help="Measure for this long, such as 5min.")]
WantedPrecision = Annotated[
    str | None,
    typer.Option("--precision", help="Measure until intervals are this narrow, such as 2%."),
]
Jit = Annotated[str, typer.Option(help="Keras' jit_compile: auto, on or off.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; default: the backend's choice.")]
TrainingPath = Annotated[
    str,
    typer.Option(
        "--path", help="fit (Keras' own), compiled (all epochs as one program), or fit,compiled."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit status 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app(standalone_mode=True)
    except UserError as mistake:
        sys.stderr.write(f"nnbench: {mistake}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("nnbench: interrupted; what was measured is kept\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has left: nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        _print(__version__)
        raise typer.Exit


@app.command()
def run(
    architectures: Architectures = None,
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
    from nnbench import quantities
    from nnbench.measure import run as measuring

    loaded = _load(data, features, label, as_task, standardise)
    training = _training(loaded, optimizer, loss, activation, dtype, batch, jit)
    wanted = measuring.specification(
        _cases(architectures or NOTEBOOK, loaded, training, backend, device, threads, path, epochs),
        launches=launches,
        blocks=blocks,
        seed=seed,
        limit_s=limit,
        precision=quantities.parse_share(wanted_precision) if wanted_precision else None,
        budget_s=quantities.parse_seconds(budget) if budget else None,
    )
    folder = _run_folder(results, name, wanted, resume=resume, fresh=fresh)
    _tell_run(_execute(folder, loaded, None, quiet=quiet), as_json=as_json)


def _cases(
    architectures: list[str],
    data: "Dataset",
    training: "Training",
    backend: str,
    device: str,
    threads: int | None,
    path: str,
    epochs: int,
) -> list["Case"]:
    from nnbench import architecture as arch
    from nnbench import devices
    from nnbench.case import Case

    parsed = arch.parse_many(architectures)
    backends, places = backend.split(","), device.split(",")
    for one in backends:
        devices.check_installed(one)
    for place in places:
        devices.check_name(place)
    devices.check_threads(threads)
    return [
        Case(
            architecture=one,
            training=training,
            data=data.name,
            data_digest=data.digest,
            rows=data.rows,
            features=data.width,
            backend=which,
            device=place,
            threads=threads,
            path=way,
            cold_epochs=epochs,
        )
        for which in backends
        for place in places
        for way in path.split(",")
        for one in parsed
    ]


def _execute(
    folder: Path, data: "Dataset", sides: "dict[str, Side] | None", *, quiet: bool
) -> "Run":
    from nnbench.measure import run as measuring
    from nnbench.progress import Bar

    with Bar(0, "trials", quiet=quiet) as bar:

        def show(state: measuring.Progress) -> None:
            widest = "" if state.widest is None else f"widest interval ±{state.widest:.1%}, "
            bar.show(state.done, widest + state.now, state.total)

        return measuring.execute(folder, data, show, sides)


def _run_folder(
    results: Path, name: str | None, wanted: dict[str, Any], *, resume: bool, fresh: bool
) -> Path:
    from nnbench import fingerprint
    from nnbench import results as storage
    from nnbench.measure import run as measuring

    here = fingerprint.take()
    if name and (results / name).exists() and not fresh:
        saved = storage.read(results / name)
        unlike = fingerprint.differences(saved.fingerprint, here)
        if saved.specification != wanted:
            raise UserError(f"{results / name} holds another run: choose another --name")
        if unlike:
            raise UserError(
                f"{results / name} was measured elsewhere ({'; '.join(unlike)}): "
                "choose another --name"
            )
        return results / name
    found = None if fresh or name else measuring.unfinished(results, wanted, here)
    if found:
        sys.stderr.write(f"going on with the unfinished run {found} (--fresh begins anew)\n")
        return found
    if resume:
        raise UserError(f"{results} holds no unfinished run of this command on this host")
    return storage.create(results, name, wanted, here)


def _tell_run(finished: "Run", *, as_json: bool) -> None:
    from nnbench import report, terminal

    page = report.write(finished)
    if as_json:
        _print(json.dumps(terminal.run_as_json(finished, page), indent=1))
        return
    terminal.print_run(finished)
    _print(str(page))


@app.command()
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
        str, typer.Option("--architectures", help="What to train, when measuring.")
    ] = " ".join(NOTEBOOK),
    data: Data = "banknotes",
    backend: Annotated[str, typer.Option(help="tensorflow, jax or torch.")] = "tensorflow",
    threads: Threads = None,
    path: TrainingPath = "fit",
    epochs: Annotated[int, typer.Option(help="Epochs of a cold training.")] = 30,
    batch: Batch = "full",
    launches: Annotated[int, typer.Option(help="Launches of each side.")] = 8,
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
    from nnbench import comparison, fingerprint, quantities, sides, summary, terminal
    from nnbench.measure import run as measuring

    names = [against, "."] if against and not operands else list(operands or [])
    if len(names) != 2 or (against and operands):
        raise UserError("name two sides, such as two runs' folders, or use --against COMMIT")
    share = quantities.parse_share(margin)
    first, second = (sides.resolve(name) for name in names)
    if first.label == second.label:
        raise UserError(f"both sides are {first.label}: there is nothing to compare")
    differing = fingerprint.unlike(sides.fingerprint_of(first), sides.fingerprint_of(second))
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
        loaded = _load(data, None, None, None, False)
        training = _training(loaded, "adam", None, "relu", "float32", batch, "auto")
        wanted = measuring.specification(
            _cases([architectures], loaded, training, backend, "cpu", threads, path, epochs),
            launches=launches,
            blocks=blocks,
            seed=seed,
            limit_s=limit,
            precision=quantities.parse_share(precision) if precision else None,
            budget_s=quantities.parse_seconds(budget) if budget else None,
            sides=[first.label, second.label],
        )
        folder = _run_folder(results, None, wanted, resume=False, fresh=False)
        places = {first.label: first.side, second.label: second.side}
        ratios = summary.ratios_between_sides(_execute(folder, loaded, places, quiet=quiet))
    else:
        raise UserError("a saved run is compared with a saved run: measure the other side first")
    found = comparison.judge(ratios, margin=share)
    if as_json:
        _print(json.dumps(terminal.comparison_as_json(found, first.label, second.label, differing)))
        return
    terminal.print_comparison(found, first.label, second.label, differing)


@app.command("report")
def report_command(
    run_folder: Annotated[Path, typer.Argument(help="Folder of a run, such as results/NAME.")],
    as_json: AsJson = False,
) -> None:
    """Write the report of a run again, and print its table."""
    from nnbench import results

    _tell_run(results.read(run_folder), as_json=as_json)


@app.command()
def show(
    architectures: Architectures = None,
    data: Data = "banknotes",
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    optimizer: Optimizer = "adam",
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    batch: Batch = "full",
    as_json: AsJson = False,
) -> None:
    """Layers, parameters, FLOPs and bytes of architectures, by arithmetic alone."""
    from nnbench import architecture as arch
    from nnbench import terminal

    loaded = _load(data, features, label, as_task, False)
    training = _training(loaded, optimizer, None, activation, dtype, batch, "auto")
    shown = [
        terminal.describe(one, training, rows=loaded.rows, features=loaded.width)
        for one in arch.parse_many(architectures or NOTEBOOK)
    ]
    if as_json:
        _print(json.dumps(shown, indent=1))
        return
    for one in shown:
        terminal.print_architecture(one)


@app.command()
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
    from nnbench import architecture as arch
    from nnbench import curve, devices, loss_chart, terminal
    from nnbench.progress import Bar
    from nnbench.training import session

    loaded = _load(task, features, label, as_task, standardise)
    wanted = _training(loaded, optimizer, loss, activation, dtype, batch, jit)
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
    _check_writable(folder)
    chosen = backend or devices.quickest_installed()
    if not as_json:
        terminal.print_architecture(
            terminal.describe(parsed, wanted, rows=loaded.rows, features=loaded.width)
        )
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
    verdict = curve.judge(trained.losses)
    session.save(trained, model, folder)
    predictions = model.predict(loaded.features, verbose=0)
    chart = loss_chart.write(trained, loaded, predictions, folder / "training.png")
    if as_json:
        _print(json.dumps(terminal.training_as_json(trained, verdict, chart), indent=1))
        return
    if weights:
        terminal.print_weights(trained)
    terminal.print_training(trained, verdict, predictions, loaded)
    _print(f"weights, history and model: {folder}")
    _print(str(chart))


def _usual_network(task: str) -> Any:
    from nnbench import architecture as arch

    return arch.parse("6,6" if task == "classification" else "6")


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure


@app.command("devices")
def devices_command(as_json: AsJson = False) -> None:
    """What each backend can train on here."""
    from nnbench import devices, terminal

    with _waiting("asking every backend for its devices"):
        found = devices.survey()
    if as_json:
        _print(json.dumps(terminal.survey_as_json(found), indent=1))
        return
    terminal.print_survey(found)


@app.command()
def doctor(
    backend: Annotated[
        str | None, typer.Option(help="Backend for the noise floor; default: the quickest.")
    ] = None,
    launches: Annotated[int, typer.Option(help="Launches of each side of the noise floor.")] = 5,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure the noise floor.")
    ] = True,
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What makes timings noisy here, what precision can be had, and what to change."""
    from nnbench import devices, terminal
    from nnbench import doctor as examination
    from nnbench.progress import Bar

    chosen = backend or devices.quickest_installed()
    devices.check_installed(chosen)
    if launches < 2:
        raise UserError("a noise floor needs at least two launches of each side")
    findings = examination.examine(results)
    floor = None
    if measure:
        with Bar(0, "trials", quiet=quiet) as bar:
            floor = examination.noise_floor(
                chosen,
                lambda state: bar.show(state.done, state.now, state.total),
                launches=launches,
            )
    if as_json:
        _print(json.dumps(examination.as_json(findings, floor), indent=1))
        return
    terminal.print_diagnosis(findings, floor)


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """The data sets that have a name, and where each lies."""
    from nnbench import datasets, terminal

    terminal.print_datasets(datasets.available(), as_json=as_json)


@data_app.command("show")
def data_show(
    data: Annotated[str, typer.Argument(help="A name from `data list`, or a CSV's path.")],
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    standardise: Standardise = False,
    as_json: AsJson = False,
) -> None:
    """What is in a data set: columns, ranges, classes, first rows."""
    from nnbench import datasets, terminal

    loaded = _load(data, features, label, as_task, standardise)
    terminal.print_dataset(loaded, datasets.describe(loaded), as_json=as_json)


@data_app.command("fetch")
def data_fetch(
    from_file: Annotated[
        Path | None, typer.Option(help="A copy that you have downloaded already.")
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop the fetched original; use the shipped data.")
    ] = False,
) -> None:
    """Fetch the original banknote data, and use it from then on in place of the stand-in."""
    from nnbench import datasets

    if forget:
        _print("dropped" if datasets.forget() else "nothing was fetched")
        return
    _print(str(datasets.fetch(from_file=from_file)))


def _load(
    data: str,
    features: str | None,
    label: str | None,
    as_task: str | None,
    standardise: bool,
) -> "Dataset":
    from nnbench import datasets

    return datasets.load(
        data,
        features=features.split(",") if features else None,
        label=label,
        task=as_task,
        standardise=standardise,
    )


def _training(
    data: "Dataset",
    optimizer: str,
    loss: str | None,
    activation: str,
    dtype: str,
    batch: str,
    jit: str,
) -> "Training":
    from nnbench.case import Training

    if batch != "full" and not (batch.isascii() and batch.isdigit()):
        raise UserError(f"batch '{batch}' is not understood: a number of rows, or full")
    return Training(
        task=data.task,
        optimizer=optimizer,
        loss=loss,
        activation=activation,
        precision=dtype,
        batch_size=None if batch == "full" else int(batch),
        jit=jit,
    )


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
