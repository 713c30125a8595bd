"""`nnbench scale`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.options import AsJson, Quiet, Threads, TrainingPath, say
from nnbench.cli.session import execute, run_folder


def scale(
    axis: Annotated[
        list[str], typer.Argument(metavar="AXIS...", help="rows, width, depth, batch: any of them.")
    ],
    backend: Annotated[
        str, typer.Option(help="tensorflow, jax, torch, or several with commas.")
    ] = "tensorflow",
    device: Annotated[str, typer.Option(help="cpu, gpu or gpu:1.")] = "cpu",
    threads: Threads = None,
    path: TrainingPath = "fit",
    launches: Annotated[int, typer.Option(help="Fresh processes for each backend.")] = 5,
    limit: Annotated[float, typer.Option(help="Seconds after which a trial is given up.")] = 300.0,
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    name: Annotated[str | None, typer.Option(help="Name of the run; default: the time.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time how the cost grows with rows, width, depth or batch size, and draw it."""
    from nnbench.machine import devices
    from nnbench.measure import run as measuring
    from nnbench.scale import charts, scaling
    from nnbench.scale.tables import print_scaling, scaling_as_json
    from nnbench.workload import datasets

    backends = backend.split(",")
    for one in backends:
        devices.check_installed(one)
    devices.check_name(device)
    devices.check_threads(threads)
    axes = list(dict.fromkeys(axis))
    # Two axes may share a case: it is measured once.
    wanted = {
        case.key: case
        for along in axes
        for one in backends
        for way in path.split(",")
        for case in scaling.cases(along, one, device, threads, way)
    }
    specification = measuring.specification(
        list(wanted.values()),
        launches=launches,
        blocks=1,
        seed=0,
        limit_s=limit,
        kinds=("phases",),
        sweeps=5,
    )
    folder = run_folder(results, name, specification, resume=False, fresh=False)
    first = datasets.load(next(iter(wanted.values())).data)
    finished = execute(folder, first, None, quiet=quiet)
    found = {along: scaling.series(finished, along) for along in axes}
    pictures = []
    for along, series in found.items():
        if series:
            picture = finished.folder / f"scale-{along}.png"
            charts.draw(series).savefig(picture, dpi=110, facecolor="white")
            pictures.append(picture)
    if as_json:
        say(json.dumps(scaling_as_json(found, pictures), indent=1))
        return
    for series in found.values():
        print_scaling(series)
    for picture in pictures:
        say(str(picture))
