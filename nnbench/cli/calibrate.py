"""`nnbench calibrate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnbench.cli.options import (
    Activation,
    AsJson,
    Dtype,
    Jit,
    Optimizer,
    Quiet,
    Threads,
    TrainingPath,
    say,
    waiting,
)

if TYPE_CHECKING:
    from nnbench.costs.calibration import Place

NOTEBOOK_ROWS, EPOCHS = 1372, 100
"""What the page's charts are for: as many rows as there are bank notes. See `advise --page`."""


def calibrate(
    budget: Annotated[
        str, typer.Option(help="Time for each backend and path together, such as 3min.")
    ] = "3min",
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
    quiet: Quiet = False,
) -> None:
    """Fit what a network costs here, from trainings that this command chooses and times.

    Ends with the path of a page: coefficients, residuals, maps over depth and width, roofline.
    Given again, it goes on where it stopped and adds to what is there.
    """
    import json

    from nnbench.costs import calibration, page
    from nnbench.costs.context import Scene
    from nnbench.costs.tables import model_as_json, print_model
    from nnbench.show.progress import Bar
    from nnbench.workload import quantities

    budget_s = quantities.parse_seconds(budget)
    told = []
    for place in places_of(
        backend, device, threads, path, as_task, optimizer, activation, dtype, jit
    ):
        with Bar(round(budget_s), "s", quiet=quiet) as bar:

            def show(spent_s: float, note: str, bar: Bar = bar, where: str = place.label) -> None:
                bar.show(round(spent_s), f"{where}: {note}")

            model = calibration.calibrate(results, place, budget_s, show)
        folder = results / calibration.FOLDER / place.folder
        with waiting("drawing"):
            written = page.write(folder, Scene(model, place, NOTEBOOK_ROWS, None, EPOCHS))
        plain = model_as_json(model, place.label, folder)
        told.append({**plain, "page": str(written)})
        if not as_json:
            print_model(model, place.label)
            say(str(written))
    if as_json:
        say(json.dumps(told, indent=1))


def places_of(
    backend: str,
    device: str,
    threads: int | None,
    path: str,
    task: str,
    optimizer: str,
    activation: str,
    dtype: str,
    jit: str,
) -> "list[Place]":
    """Every combination of backend, device and path. Raises UserError for one there is not."""
    from nnbench.costs.calibration import Place
    from nnbench.machine import devices
    from nnbench.workload.case import Training

    for one in backend.split(","):
        devices.check_installed(one)
    for one in device.split(","):
        devices.check_name(one)
    devices.check_threads(threads)
    training = Training(
        task=task, optimizer=optimizer, activation=activation, precision=dtype, jit=jit
    )
    return [
        Place(which, where, threads, way, training)
        for which in backend.split(",")
        for where in device.split(",")
        for way in path.split(",")
    ]
