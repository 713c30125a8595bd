"""The compiled path against `fit`, for every family and models as people have them.

    python -m benchmarks.agreement                        # docs/families-agreement.md, anew
    python -m benchmarks.agreement "lstm:16x2" mine.py    # some of them, or one's own, printed

A file has `build()`, which returns a compiled model, and `load()`, which returns `x, y`.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.agreement import compare
from nnbench.machine import devices
from nnbench.machine.devices import BACKENDS

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "families-agreement.md"
WAYS = (
    *(
        ("tensorflow", "compiled"),
        ("tensorflow", "xla"),
        ("jax", "compiled"),
        ("torch", "compiled"),
    ),
)
COLUMNS = "TensorFlow", "TensorFlow, XLA", "JAX", "Torch"
HEAD = """# How closely the compiled path follows `fit`, by family

`python -m benchmarks.agreement` measures this. Each network is trained for 30 epochs with `fit` and
with `fast_fit`, from equal weights and seeds and in the same order, on one thread of a CPU; another
machine gives other last digits. "TensorFlow, XLA" is `jit_compile=True`, which `nnbench run`
takes where it is the faster one, while its `fit` runs without XLA. "fit and fit" is the yardstick:
the largest difference of `fit` on two backends from the same weights.

- *loss*: the largest relative difference of a loss of an epoch; 1e-5 is wanted.
- *weights*: the largest difference of a weight at the end, relative to the largest of its variable
  (or to 1e-3, where all are smaller); seeds and counts are equal wherever a number stands.
- *-*: not measured; as a yardstick also a network that draws random numbers, as each backend does
  otherwise.
- *0* is the same to the last bit.

Where the losses of several outputs are followed, `fit` itself differs between backends by some
10 %: with a smaller last batch Keras weighs them by rows on JAX and Torch, and not on TensorFlow.

"""

Found = dict[tuple[str, str], tuple[dict, dict[str, str]]]


def main() -> None:
    names = [str(Path(name).resolve()) if name.endswith(".py") else name for name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        found = measured(names, Path(folder))
    text = markdown(found)
    if names:
        print(text)
    else:
        TABLE.write_text(HEAD + text)


def _keep_to(place: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {usable[place % len(usable)]})


def measured(names: list[str], folder: Path, backends: tuple[str, ...] = BACKENDS) -> Found:
    """Histories and weights of each network on each backend, in processes that run side by side."""
    processes = {}
    for place, backend in enumerate(backends):
        command = [sys.executable, "-m", "benchmarks.agreement.worker", backend, str(folder)]
        processes[backend] = subprocess.Popen(
            [*command, *names],
            cwd=ROOT,
            env={**os.environ, **devices.environment(backend, "cpu", 1)},
            # One thread takes the first processor that it may: each process has one of its own.
            preexec_fn=functools.partial(_keep_to, place),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    found: Found = {}
    for backend, process in processes.items():
        output, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"{backend}: {errors[-3000:]}")
        for line in output.splitlines():
            name, file, told = json.loads(line)
            with np.load(folder / file) as arrays:
                found[name, backend] = dict(arrays), told
    return found


def markdown(found: Found) -> str:
    """The losses, the weights, and what was said."""
    names = list(dict.fromkeys(name for name, _ in found))
    lines: list[str] = []
    for title, part in (("Loss", "history"), ("Weights", "weights")):
        lines += [f"## {title}", "", f"| | {' | '.join(COLUMNS)} | fit and fit |"]
        lines += ["| --- |" + " --- |" * (len(COLUMNS) + 1)]
        for name in names:
            cells = [_cell(found, name, backend, way, part) for backend, way in WAYS]
            lines.append(f"| {name} | {' | '.join(cells)} | {_yardstick(found, name, part)} |")
        lines.append("")
    told = {
        f"- {name}, {backend}{', XLA' if way == 'xla' else ''}: {said}"
        for (name, backend), (_, ways) in found.items()
        for way, said in ways.items()
        if said
    }
    return "\n".join([*lines, *(["## What was said", "", *sorted(told), ""] if told else [])])


def apart(one: dict, way: str, other: dict, other_way: str, part: str) -> float | None:
    """How far two ways of training are apart; None where one of them has not trained."""
    mine, theirs = compare.of(one, way, part), compare.of(other, other_way, part)
    if not mine or not theirs:
        return None
    if part == "history":
        return compare.losses_apart(mine, theirs)
    return compare.weights_apart(mine, theirs)[0]


def _cell(found: Found, name: str, backend: str, way: str, part: str) -> str:
    if (name, backend) not in found:
        return "-"
    arrays, told = found[name, backend]
    if told["fit"].startswith("failed"):
        return "fit fails"
    if told[way]:
        word = told[way].split(":")[0]
        if word in ("refused", "failed"):
            return word
    return _written(apart(arrays, way, arrays, "fit", part))


def _yardstick(found: Found, name: str, part: str) -> str:
    each = [found[name, backend][0] for backend in BACKENDS if (name, backend) in found]
    if any("seed" in key for arrays in each for key in arrays):
        return "-"
    pairs = [(one, other) for i, one in enumerate(each) for other in each[i + 1 :]]
    values = [apart(one, "fit", other, "fit", part) for one, other in pairs]
    known = [value for value in values if value is not None]
    return _written(max(known)) if known else "-"


def _written(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:.0e}"


if __name__ == "__main__":
    main()
