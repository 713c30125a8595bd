"""One interleaved run over all cases of a suite, and what it says of each."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.errors import first_line
from nnbench.machine import devices, fingerprint, noise
from nnbench.measure import run as measuring
from nnbench.phases import PHASES, STEP
from nnbench.stats.summary import block_values, product_rates, step_flops
from nnbench.store import runs
from nnbench.suites import drift_process
from nnbench.suites.reading import Reading
from nnbench.workload.case import Case
from nnbench.workload.study import Study

GFLOP = 1e9


def measure(
    study: Study,
    *,
    drift: bool = True,
    keep: Path | None = None,
    commit: str | None = None,
    watch: measuring.Watcher = lambda _: None,
) -> list[Reading]:
    """One reading for each case installed here; the run stays below `keep`, noting `commit`.

    `watch` is told how far it is. Raises UserError for what cannot be measured.
    """
    with tempfile.TemporaryDirectory() as scratch, _importable():
        data = study.load()
        study = installed(study)
        cases = study.cases(data)
        here = fingerprint.take()
        if commit is not None:
            here["commit"] = commit
        wanted = measuring.specification(study, cases)
        folder = runs.create(keep or Path(scratch), None, wanted, here)
        run = measuring.execute(folder, data, watch)
        drifts = {}
        if drift:
            watch(measuring.Progress(len(run.trials), len(run.trials), "drift", "seeded trainings"))
            drifts = drift_process.figures(cases, data)
        return [_reading(run, case, drifts.get(case.key, {})) for case in cases]


def installed(study: Study) -> Study:
    """The study with the backends that are installed, or as it is where none of them is."""
    asked_for = (study.machine.backend or "").split(",")
    here = [backend for backend in asked_for if backend and devices.is_installed(backend)]
    if not here:
        return study
    return replace(study, machine=replace(study.machine, backend=",".join(here)))


@contextmanager
def _importable() -> Iterator[None]:
    """What this process can import, its workers can."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _reading(run: runs.Run, case: Case, drifts: dict[str, float]) -> Reading:
    blocks = block_values(run.samples())
    mine = blocks[blocks["case"] == case.key].sort_values(["launch", "block"])
    by_phase = {phase: mine[mine["phase"] == phase] for phase in PHASES}
    seconds = {phase: one["seconds"].tolist() for phase, one in by_phase.items() if len(one)}
    good = np.flatnonzero(run.trials.are(outcome=runs.OK, case=case.key))
    failures = [trial for trial in run.failures() if trial["case"] == case.key]

    def each(name: str) -> list[float]:
        values = run.trials.column(name)[good]
        return [float(one) for one in values[~np.isnan(values)]]

    every = np.flatnonzero(run.trials.are(case=case.key))
    own = set(run.trials.values(("launch", "block"), every))
    rates = product_rates(run, case)
    flops = step_flops(case, run.trials, good)
    ideal_s = flops / float(np.median(rates)) if flops and rates else None
    return Reading(
        model=case.label,
        backend=case.backend,
        path=case.path,
        device=case.device,
        optimizer=None if case.model else case.training.optimizer,
        loss_function=None if case.model else case.training.loss,
        seconds=seconds,
        launches={phase: by_phase[phase]["launch"].tolist() for phase in seconds},
        times_of_ideal=[one_s / ideal_s for one_s in seconds.get(STEP, [])] if ideal_s else [],
        host_bytes=each("peak_host_bytes"),
        device_bytes=each("peak_device_bytes"),
        parameters=next(map(int, each("parameters")), case.parameters),
        step_flops=flops,
        loss=float(np.median(each("loss"))) if each("loss") else None,
        drift=drifts,
        disturbed=len(own & noise.noisy_blocks(run.looks())) / len(own) if own else 0.0,
        pace_s=[GFLOP / rate for rate in rates],
        fingerprint={**run.fingerprint, **_seen_by_workers(run, case)},
        problem=first_line(failures[0]["message"]) if failures else None,
    )


def _seen_by_workers(run: runs.Run, case: Case) -> dict[str, Any]:
    for launch in run.launches:
        if (launch["backend"], launch["device"], launch["threads"]) == case.worker:
            return {"versions": launch["versions"], "device": launch["device_name"]}
    return {}
