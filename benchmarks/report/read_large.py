"""How long does a large run take to read and report, and in how much memory?

    python benchmarks/report/read_large.py [--cases 1000] [--samples 1000000] [--ledger]

Writes a run of made-up trials with so many samples into a temporary folder, then reads it, writes
its report and prints its table in a process of its own, as `nnbench report` does, and prints
seconds and the highest memory of that process.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.machine import fingerprint
from nnbench.measure import run as measuring
from nnbench.store import runs
from nnbench.workload.case import Case
from nnbench.workload.study import Study

LAUNCHES, BLOCKS, EPOCHS = 5, 2, 30
WALL_S = 0.1
PHASES_S = {"build": 0.05, "prepare": 0.05, "trace": 0.5, "compile": 0.3, "first_step": 2e-3}
NOISE = {"wall_s": 2.0, "stolen_share": 0.0, "others_cpus": 0.02, "forced_switches_per_s": 30.0,
         "throttled_s": None, "runnable": 2, "mhz_lowest": 2600.0, "mhz_highest": 2600.0,
         "mhz_before": 2600.0, "celsius": None}  # fmt: skip


def study_of(cases: int) -> tuple[Study, list[Case]]:
    """A grid of so many networks of one to ten layers."""
    widths = -(-cases // 10)
    study = Study.of([f"depth=1..10 width={','.join(str(2 + one) for one in range(widths))}"])
    return study, study.cases(study.load())[:cases]


def write(folder: Path, cases: int, samples: int) -> Path:
    """A run of as many cases, with about so many samples."""
    study, wanted = study_of(cases)
    turns = LAUNCHES * BLOCKS * len(wanted)
    each = len(PHASES_S) + EPOCHS + 1
    sweeps = max(2, round((samples / turns - each) / 3))
    specification = measuring.specification(study, wanted, sweeps=sweeps)
    made = runs.create(folder, "run", specification, fingerprint.take())
    with (made / runs.TRIALS_FILE).open("w") as lines:
        for record in records(wanted, sweeps):
            lines.write(json.dumps(record) + "\n")
    return made


def records(cases: list[Case], sweeps: int) -> Iterator[dict[str, Any]]:
    """Launches and trials as they would be measured, one after the other."""
    rng = np.random.default_rng(0)
    moment, number = datetime(2026, 1, 1, tzinfo=UTC), 0
    for launch in range(LAUNCHES):
        place = {"launch": launch, "round": launch, "side": ""}
        yield {"kind": "launch", **place, "began": _told(moment), "backend": cases[0].backend,
               "device": "cpu", "device_name": "2 usable CPUs", "threads": None, "import_s": 3.0,
               "first_use_s": 1.0}  # fmt: skip
        for block in range(BLOCKS):
            kinds = [("cold", 0), ("phases", 0), *(("step", sweep) for sweep in range(sweeps))]
            for kind, sweep in kinds:
                for order, case in enumerate(cases):
                    moment += timedelta(seconds=WALL_S)
                    is_step = kind == "step"
                    watched = not is_step or case is cases[-1]
                    yield {"kind": "trial", "trial": number, **place, "block": block,
                           "case": case.key, "trial_kind": kind, "sweep": sweep,
                           "began": _told(moment),
                           "samples_s": timed(kind, 1 + order / len(cases), rng),
                           **({"steps_per_sample": 6} if is_step else {"loss": 0.2}),
                           "outcome": "ok", "wall_s": WALL_S,
                           **({"noise": NOISE} if watched else {})}  # fmt: skip
                    number += 1


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def timed(kind: str, size: float, rng: np.random.Generator) -> dict[str, list[float]]:
    """The samples of one trial, in seconds."""
    if kind == "phases":
        found = {phase: [value * size] for phase, value in PHASES_S.items()}
        return {**found, "epoch": (0.02 * size * rng.lognormal(0, 0.1, EPOCHS - 1)).tolist()}
    middle, count = (2.0, 1) if kind == "cold" else (1e-3, 3)
    return {kind: (middle * size * rng.lognormal(0, 0.05, count)).tolist()}


def report(folder: Path) -> None:
    """Read and report the run in this process, and print what that took."""
    from nnbench.cli import report as reporting

    began_s = time.perf_counter()
    run = runs.read(folder)
    read_s = time.perf_counter() - began_s
    reporting.tell(run, as_json=False)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    told = {"read_s": read_s, "all_s": time.perf_counter() - began_s, "peak_bytes": peak_bytes}
    sys.stderr.write(json.dumps(told) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.report:
        report(options.report)
        return
    with tempfile.TemporaryDirectory() as scratch:
        made = write(Path(scratch), options.cases, options.samples)
        size = sum(path.stat().st_size for path in made.iterdir() if path.is_file())
        command = [sys.executable, __file__, "--report", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = json.loads(done.stderr.splitlines()[-1])
        page = (made / "report.html").stat().st_size
    told = (
        f"{options.cases:,} networks, about {options.samples:,} samples in {size / 1e6:.0f} MB: "
        f"read in {took['read_s']:.1f} s, reported in {took['all_s']:.1f} s in all; peak memory "
        f"{took['peak_bytes'] / 2**20:.0f} MiB; the page has {page / 1e6:.1f} MB"
    )
    print(told)
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from benchmarks import ledger

        ledger.keep("report", "How long does a large run take to report?", f"{told}.", [])


if __name__ == "__main__":
    main()
