"""`nnbench predict`."""

from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.calibrate import places_of
from nnbench.cli.options import (
    Activation,
    AsJson,
    Batch,
    Dtype,
    Jit,
    Optimizer,
    Threads,
    TrainingPath,
    say,
)
from nnbench.errors import UserError


def predict(
    architectures: Annotated[
        list[str], typer.Argument(metavar="ARCHITECTURE...", help="6,6 or 64x8, or a grid.")
    ],
    epochs: Annotated[int, typer.Option(help="Epochs of the training.")] = 30,
    rows: Annotated[int, typer.Option(help="Rows of data.")] = 1372,
    features: Annotated[int, typer.Option(help="Feature columns of the data.")] = 4,
    batch: Batch = "full",
    backend: Annotated[
        str, typer.Option(help="tensorflow, jax, torch, or several with commas.")
    ] = "tensorflow",
    device: Annotated[str, typer.Option(help="cpu, gpu, gpu:1, or several with commas.")] = "cpu",
    threads: Threads = None,
    path: TrainingPath = "fit",
    as_task: Annotated[
        str, typer.Option("--as", help="classification or regression.")
    ] = "classification",
    optimizer: Optimizer = "adam",
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    as_json: AsJson = False,
) -> None:
    """How long a network would train, by the cost model that `nnbench calibrate` made here."""
    import json
    from dataclasses import replace

    from nnbench.costs import calibration
    from nnbench.costs.tables import prediction_as_json, print_prediction
    from nnbench.show import units
    from nnbench.workload import architecture as arch

    if epochs < 1:
        raise UserError(f"{epochs} epochs train nothing: use 1 or more")
    networks = arch.parse_many(architectures)
    places = places_of(backend, device, threads, path, as_task, optimizer, activation, dtype, jit)
    told = []
    for place in places:
        model = calibration.load(results, place)
        moment = calibration.calibrated(results, place)
        here = replace(place, features=features)
        for network in networks:
            case = here.case(network, rows, batch_rows(batch))
            told.append((model.predict(case, epochs), place.label, moment))
    if as_json:
        plain = [
            {**prediction_as_json(one, label), "calibrated": moment.isoformat()}
            for one, label, moment in told
        ]
        say(json.dumps(plain, indent=1))
        return
    for one, label, moment in told:
        print_prediction(one, label)
        say(f"Calibrated {units.ago(moment)}; nnbench calibrate adds what the machine is like now.")


def batch_rows(batch: str) -> int | None:
    """Rows in a batch, None for the full batch. Raises UserError for anything else."""
    if batch == "full":
        return None
    if not (batch.isascii() and batch.isdigit() and int(batch)):
        raise UserError(f"batch '{batch}' is not understood: a number of rows, or full")
    return int(batch)
