"""What commands share: their options, and what is made of them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.workload.architecture import Architecture
    from nnbench.workload.case import Case, Training
    from nnbench.workload.datasets import Dataset


NOTEBOOK = ["6,6", "100,100", "6x5"]

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
        help="banknotes, instagram, synthetic:rows=1000,features=4, a CSV, an npz with x and y, "
        "or data.py:load, a function that returns them.",
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
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", help="Your own: train.py:build, a function that returns a compiled Keras model."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def load(
    data: str,
    features: str | None,
    label: str | None,
    as_task: str | None,
    standardise: bool,
) -> "Dataset":
    """The data set that the options name. Raises UserError as `datasets.load` does."""
    from nnbench.workload import datasets

    return datasets.load(
        data,
        features=features.split(",") if features else None,
        label=label,
        task=as_task,
        standardise=standardise,
    )


def training_of(
    data: "Dataset",
    optimizer: str,
    loss: str | None,
    activation: str,
    dtype: str,
    batch: str,
    jit: str,
) -> "Training":
    """The training that the options describe. Raises UserError for what cannot be trained."""
    from nnbench.workload.case import Training

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


def cases_of(
    architectures: list[str],
    data: "Dataset",
    training: "Training",
    backend: str,
    device: str,
    threads: int | None,
    path: str,
    epochs: int,
    models: Sequence[str] = (),
) -> list["Case"]:
    """Every combination of architecture or model, backend, device and path.

    Raises UserError for an architecture, backend, device or path that there is not.
    """
    from nnbench.machine import devices
    from nnbench.workload import architecture as arch
    from nnbench.workload import user_code
    from nnbench.workload.case import Case

    for model in models:
        user_code.check(model)
    networks: list[tuple[Architecture | None, str | None]] = [(None, model) for model in models]
    if architectures:
        networks += [(one, None) for one in arch.parse_many(architectures)]
    backends, places = backend.split(","), device.split(",")
    for one in backends:
        devices.check_installed(one)
    for place in places:
        devices.check_name(place)
    devices.check_threads(threads)
    return [
        Case(
            architecture=one,
            model=model,
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
        for one, model in networks
    ]


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on standard error that something is being waited for."""
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def say(text: str) -> None:
    """Print a line of the answer on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
