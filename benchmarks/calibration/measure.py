r"""Measure identical code against itself, and against copies that do known extra work.

    python benchmarks/calibration/measure.py --name identical --sides same1,same2,same3,same4
    python benchmarks/calibration/measure.py --name planted --sides base,plus2,plus5,plus10,plus20

Each side is a copy of the package in a folder of its own, measured as `nnbench compare` does:
one launch of every side in a round, their trials taking turns. `judge.py` reads what this
writes. A run that was interrupted goes on with the same command.

    python benchmarks/calibration/measure.py --name quiet --phase step --sides same1,same2,plus5
    python benchmarks/calibration/measure.py --name tenants --phase step --tenants 1 \
        --sides same1,same2,plus5

time steps alone, as `compare --phase step` does, the second beside other tenants (`tenants.py`):
`check.py` reads these.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import tenants
from planted import copy_package
from scipy import stats

from nnbench.cli.compare import BLOCKS_OF_STEPS
from nnbench.machine import fingerprint
from nnbench.measure import decision
from nnbench.measure import run as measuring
from nnbench.measure.protocol import Environment
from nnbench.show.progress import Bar
from nnbench.store import runs
from nnbench.workload.case import Case
from nnbench.workload.study import Effort, Machine, Networks, Study

PRODUCT_SIZE = 64
SLOWDOWNS = (2, 5, 10, 20)

LADDER = (8, 16, 32, 64, 128, 256)
"""Numbers of extra products that the probe times: the last are seen on a noisy machine, too."""

PROBE = """
    import json, random, statistics, sys
    from nnbench.machine import devices
    from nnbench.workload import datasets
    case, counts = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    devices.start(case["backend"])
    from nnbench.workload import keras_model
    from nnbench.workload.case import Case
    from nnbench.measure import trial
    case = Case.from_json(case)
    data = datasets.load("banknotes")
    trial.warm_up(case, data.training_data)
    timers, found = {}, {count: [] for count in counts}
    for count in counts:
        keras_model.EXTRA_PRODUCTS = count
        timers[count] = trial.StepTimer(case, data.training_data)
    for _ in range(40):
        for count in random.sample(counts, len(counts)):
            found[count] += timers[count].measure()["samples_s"]["step"]
    print(json.dumps([statistics.quantiles(found[count], n=4)[0] for count in counts]))
"""


def steps_s(case: Case, counts: list[int]) -> list[float]:
    """Seconds of a step with so many extra products each, taking turns in one process."""
    with tempfile.TemporaryDirectory() as folder:
        copy_package(Path(folder), size=PRODUCT_SIZE, repeats=1)
        (Path(folder) / "data").symlink_to(Path(__file__).parents[2] / "data")
        answer = subprocess.run(
            [
                *(sys.executable, "-c", textwrap.dedent(PROBE)),
                *(json.dumps(case.to_json()), json.dumps(counts)),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    return list(json.loads(answer.stdout))


def repeats_for(case: Case) -> dict[str, int]:
    """How many extra products make a step slower by each of `SLOWDOWNS` percent, about.

    By a line through what the probe timed (Theil-Sen). What the slow-down really is, is measured
    by the run itself. Raises SystemExit where more work takes no more time for sure.
    """
    counts = [0, *LADDER]
    probes = [steps_s(case, counts) for _ in range(3)]
    slower = [
        statistics.median(probe[position] / probe[0] - 1 for probe in probes)
        for position in range(len(counts))
    ]
    for count, share in zip(counts, slower, strict=True):
        print(f"{count} products: {share:+.1%}", file=sys.stderr)
    line = stats.theilslopes(slower[1:], LADDER)
    if line.low_slope <= 0:
        raise SystemExit("extra work cannot be told from noise here: wait for a quieter machine")
    return {
        f"plus{wanted}": max(1, round((wanted / 100 - line.intercept) / line.slope))
        for wanted in SLOWDOWNS
    }


def main() -> None:
    """Measure; the numbers of extra products are kept beside the run for a later resumption."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--backend", default="jax")
    parser.add_argument("--architecture", default="100,100")
    parser.add_argument("--sides", default="base,plus2,plus5,plus10,plus20")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--name", default="planted")
    parser.add_argument("--phase", help="step: launches that time steps alone")
    parser.add_argument("--tenants", type=int, help="seed of other tenants, who work meanwhile")
    options = parser.parse_args()

    study = Study(
        networks=Networks((options.architecture,)),
        machine=Machine(backend=options.backend),
        effort=Effort(launches=options.rounds, blocks=BLOCKS_OF_STEPS if options.phase else 1),
    )
    data = study.data.load()
    (case,) = study.cases(data)
    names = options.sides.split(",")
    folder = options.results / options.name
    extra_file = folder / "extra_work.json"
    if extra_file.exists():
        extra = json.loads(extra_file.read_text())
    else:
        extra = repeats_for(case) if any(name.startswith("plus") for name in names) else {}
        trials = decision.trials(options.phase)
        wanted = measuring.specification(study, [case], sides=names, **trials)
        runs.create(options.results, options.name, wanted, fingerprint.take())
        extra_file.write_text(json.dumps(extra))
    load = tenants.at_work(options.tenants, folder / "tenants.jsonl")
    with tempfile.TemporaryDirectory() as scratch, load, Bar(0, "trials") as bar:
        sides = {}
        for name in names:
            copy = copy_package(Path(scratch) / name, size=PRODUCT_SIZE, repeats=extra.get(name, 0))
            sides[name] = Environment(folder=copy)
        measuring.execute(
            folder, data, lambda state: bar.show(state.done, state.now, state.total), sides
        )
    print(folder)


if __name__ == "__main__":
    main()
