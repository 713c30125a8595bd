"""`fit` beside `fast_fit` on models of one's own: files with `build()` and `load()`.

    python -m benchmarks.peers.models models/*.py --launches 3
    python -m benchmarks.peers.models models/*.py --device gpu --backends jax,torch

In every launch, a fresh process, epochs of both are timed in turn once both are warm. *steady* is
the seconds of an epoch with `fit` over those on the compiled path: above 1 that is the faster one.
*ready* is what tracing and compiling it takes, over the first epoch of `fit`, which compiles its
step then. The 95 % intervals treat the launch as the unit.
"""

import argparse
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.peers.causes import epoch_timer
from nnbench.machine import devices, fingerprint
from nnbench.machine.devices import BACKENDS
from nnbench.show.intervals import RATIO, cell
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import note, print_table
from nnbench.stats.estimate import nested_estimate

ROUNDS = 5


def worker(backend: str, device: str, file: str, jit: str | None) -> None:
    """Print `steady` and `ready` of one launch, and in which form it was trained."""
    devices.mute_native_code()
    keras: Any = devices.start(backend, device)
    from nnbench.training import compiled

    described = importlib.util.spec_from_file_location("own", file)
    assert described is not None
    assert described.loader is not None
    own = importlib.util.module_from_spec(described)
    described.loader.exec_module(own)
    x, y, *weights = own.load()
    given: dict[str, Any] = {"sample_weight": weights[0] if weights else None, "batch_size": 32}
    keras.utils.set_random_seed(1)
    fitted, mine = own.build(), own.build()

    def fit(epochs: int) -> None:
        fitted.fit(x, y, epochs=epochs, verbose=0, **given)

    begin_s = perf_counter()
    fit(1)
    first_s = perf_counter() - begin_s
    begin_s = perf_counter()
    prepared = compiled.prepare(mine, x, y, jit_compile=jit, **given)
    prepared.compile()
    ready_s = perf_counter() - begin_s
    timers = epoch_timer(fit), epoch_timer(prepared.run)
    ratios = [timers[0]() / timers[1]() for _ in range(ROUNDS)]
    answer = {"steady": float(np.median(ratios)), "ready": ready_s / first_s}
    print(json.dumps(answer | {"form": prepared.program.form}))


def launch(backend: str, file: Path, options: argparse.Namespace) -> dict[str, Any] | None:
    """What one fresh process found; None, with a line, where it failed."""
    command = [sys.executable, "-m", "benchmarks.peers.models", str(file), "--worker", backend]
    command += ["--device", options.device, *(["--jit", options.jit] if options.jit else [])]
    settings = {**os.environ, **devices.environment(backend, options.device, None)}
    settings["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    if answer.returncode:
        note(f"{backend} {file.stem}: {answer.stderr.strip().splitlines()[-1][:200]}")
        return None
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    note(f"{backend} {file.stem} {found['steady']:.3g} {found['ready']:.3g} {found['form']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--device", default="cpu", help="cpu or gpu")
    parser.add_argument("--launches", type=int, default=3)
    parser.add_argument("--jit", choices=["auto"], help="as fast_fit(jit_compile='auto')")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.device, str(options.files[0]), options.jit)
        return
    # All models once, then once more: what is stopped has measured all of them.
    asked = list(itertools.product(options.backends.split(","), options.files))
    found: dict[tuple[str, Path], list[dict[str, Any]]] = {one: [] for one in asked}
    for _ in range(options.launches):
        for backend, file in list(found):
            if (one := launch(backend, file, options)) is None:
                del found[backend, file]
            else:
                found[backend, file].append(one)
    for backend in options.backends.split(","):
        rows = []
        for (of, file), launches in found.items():
            if of == backend:
                numbers = np.arange(len(launches))
                values = ([one[name] for one in launches] for name in ("steady", "ready"))
                ratios = (cell(nested_estimate(one, numbers), RATIO) for one in values)
                form = max(launches, key=lambda one: one["steady"])["form"].partition(":")[0]
                rows.append([Cell(file.stem), *ratios, Cell(form)])
        below = f"95 % intervals below, from {options.launches} launches"
        columns = ["model", "steady: fit / compiled", "ready: compiled / fit", "form"]
        device = ", ".join(fingerprint.take()["gpus"]) if options.device != "cpu" else "CPU"
        print_table(Table(f"{backend} on {device}, batches of 32", columns, rows, below))


if __name__ == "__main__":
    main()
