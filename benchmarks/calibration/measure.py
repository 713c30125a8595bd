"""Measure identical code against itself, and against copies that do known extra work.

    python benchmarks/calibration/measure.py --name identical --sides same1,same2,same3,same4
    python benchmarks/calibration/measure.py --name planted --sides base,plus2,plus5,plus10,plus20

Each side is a copy of the package in a folder of its own, measured as `nnbench compare` does:
one launch of every side in a round, their trials taking turns. `judge.py` reads what this
writes. A run that was interrupted goes on with the same command.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from planted import copy_package

from nnbench import architecture as arch
from nnbench import datasets, fingerprint, results
from nnbench.case import Case, Training
from nnbench.measure import run as measuring
from nnbench.progress import Bar

PRODUCT_SIZE = 64
SLOWDOWNS = (2, 5, 10, 20)

MANY = 128
"""Extra products of the probe: enough that noise does not decide what one of them costs."""

PROBE = """
    import statistics, sys
    import numpy as np
    from nnbench import datasets, devices
    devices.start(sys.argv[1])
    from nnbench.case import Case
    from nnbench.measure import trial
    import json
    case = Case.from_json(json.loads(sys.argv[2]))
    data = datasets.load("banknotes")
    trial.warm_up(case, data.features, data.labels)
    found = [
        sample
        for _ in range(3)
        for timer in [trial.StepTimer(case, data.features, data.labels)]
        for _ in range(40)
        for sample in timer.measure()["samples_s"]["step"]
    ]
    print(statistics.quantiles(found, n=10)[0])
"""


def step_s(case: Case, repeats: int) -> float:
    """Seconds of a step with so much extra work, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        copy_package(Path(folder), size=PRODUCT_SIZE, repeats=repeats)
        (Path(folder) / "data").symlink_to(Path(__file__).parents[2] / "data")
        answer = subprocess.run(
            [
                sys.executable,
                "-c",
                textwrap.dedent(PROBE),
                case.backend,
                json.dumps(case.to_json()),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(answer.stdout)


def repeats_for(case: Case) -> dict[str, int]:
    """How many extra products make a step slower by each of `SLOWDOWNS` percent, about.

    What the slow-down really is, is measured by the run itself.
    """
    pairs = [(step_s(case, 0), step_s(case, MANY)) for _ in range(3)]
    each_s = statistics.median(more - plain for plain, more in pairs) / MANY
    if each_s <= 0:
        raise SystemExit("extra work cannot be told from noise: try again on a calmer machine")
    plain_s = statistics.median(plain for plain, _ in pairs)
    return {f"plus{share}": max(1, round(plain_s * share / 100 / each_s)) for share in SLOWDOWNS}


def main() -> None:
    """Measure; the numbers of extra products are kept beside the run for a later resumption."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--backend", default="jax")
    parser.add_argument("--architecture", default="100,100")
    parser.add_argument("--sides", default="base,plus2,plus5,plus10,plus20")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--name", default="planted")
    options = parser.parse_args()

    data = datasets.load("banknotes")
    case = Case(
        arch.parse(options.architecture),
        Training(),
        data.name,
        data.digest,
        data.rows,
        data.width,
        backend=options.backend,
    )
    names = options.sides.split(",")
    folder = options.results / options.name
    extra_file = folder / "extra_work.json"
    if extra_file.exists():
        extra = json.loads(extra_file.read_text())
    else:
        extra = repeats_for(case) if any(name.startswith("plus") for name in names) else {}
        wanted = measuring.specification(
            [case], launches=options.rounds, blocks=1, seed=0, limit_s=120.0, sides=names
        )
        results.create(options.results, options.name, wanted, fingerprint.take())
        extra_file.write_text(json.dumps(extra))
    with tempfile.TemporaryDirectory() as scratch, Bar(0, "trials") as bar:
        sides = {}
        for name in names:
            copy = copy_package(Path(scratch) / name, size=PRODUCT_SIZE, repeats=extra.get(name, 0))
            sides[name] = measuring.Side(folder=copy)
        measuring.execute(
            folder, data, lambda state: bar.show(state.done, state.now, state.total), sides
        )
    print(folder)


if __name__ == "__main__":
    main()
