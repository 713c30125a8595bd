"""One interleaved run over all cases of a suite, and what it says of each."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.machine import devices, fingerprint, noise
from nnbench.measure import run as measuring
from nnbench.phases import PHASES, STEP
from nnbench.stats.summary import block_values, product_rates
from nnbench.store import runs
from nnbench.suites import drift_process
from nnbench.suites.reading import Reading
from nnbench.workload.case import Case
from nnbench.workload.study import Data, Effort, Machine, Networks, Study, TrainingOptions

GFLOP = 1e9


def asked(
    models: Sequence[str],
    data: str,
    *,
    backends: Sequence[str],
    paths: Sequence[str],
    devices: Sequence[str],
    threads: int | None = None,
    batch_size: int | None = None,
    launches: int = 3,
    blocks: int = 2,
    limit_s: float = Effort.limit,
    **training: Any,
) -> Study:
    """A study of architectures (`6x5`) and references (`train.py:build`).

    `training` holds the fields of `TrainingOptions` besides the batch.
    """
    batch = TrainingOptions.batch if batch_size is None else str(batch_size)
    return Study(
        networks=Networks.named(models),
        data=Data(data),
        training=TrainingOptions(batch=batch, **training),
        machine=Machine(
            backend=",".join(backends) or None,
            device=",".join(devices),
            threads=threads,
            path=",".join(paths),
        ),
        effort=Effort(launches=launches, blocks=blocks, limit=limit_s),
    )


def measure(
    study: Study, *, drift: bool = True, keep: Path | None = None, commit: str | None = None
) -> list[Reading]:
    """Measure a study; one reading for each of its combinations that can be had here.

    Backends that are not installed have none. The run is written to a temporary folder, or below
    `keep`, where it stays; `commit` is noted in it. Raises UserError for what cannot be measured.
    """
    with tempfile.TemporaryDirectory() as scratch, _importable():
        data = study.data.load()
        study = installed(study)
        cases = study.cases(data)
        here = fingerprint.take()
        if commit is not None:
            here["commit"] = commit
        wanted = measuring.of_study(study, cases)
        folder = runs.create(keep or Path(scratch), None, wanted, here)
        run = measuring.execute(folder, data, lambda _: None)
        drifts = drift_process.figures(cases, data) if drift else {}
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
    trials = [trial for trial in run.good_trials() if trial["case"] == case.key]
    failures = [trial for trial in run.failures() if trial["case"] == case.key]
    by_phase = {phase: mine[mine["phase"] == phase] for phase in PHASES}
    seconds = {
        phase: [float(value) for value in table["seconds"]]
        for phase, table in by_phase.items()
        if not table.empty
    }
    losses = [trial["loss"] for trial in trials if trial.get("loss") is not None]
    parameters = [trial["parameters"] for trial in trials if "parameters" in trial]
    cost = case.step_cost
    return Reading(
        model=case.label,
        backend=case.backend,
        path=case.path,
        device=case.device,
        seconds=seconds,
        launches={phase: [int(one) for one in by_phase[phase]["launch"]] for phase in seconds},
        times_of_ideal=_times_of_ideal(run, case, seconds.get(STEP, [])),
        host_bytes=_bytes(trials, "peak_host_bytes"),
        device_bytes=_bytes(trials, "peak_device_bytes"),
        parameters=int(parameters[0]) if parameters else case.parameters,
        step_flops=cost.flops if cost else None,
        loss=float(np.median(losses)) if losses else None,
        drift=drifts,
        disturbed=_share_disturbed(run, case),
        pace_s=[GFLOP / rate for rate in product_rates(run, case)],
        fingerprint={**run.fingerprint, **_seen_by_workers(run, case)},
        problem=failures[0]["message"].splitlines()[0] if failures else None,
    )


def _share_disturbed(run: runs.Run, case: Case) -> float:
    mine = {(trial["launch"], trial["block"]) for trial in run.trials if trial["case"] == case.key}
    return len(mine & noise.noisy_blocks(run.trials)) / len(mine) if mine else 0.0


def _seen_by_workers(run: runs.Run, case: Case) -> dict[str, object]:
    mine = [
        launch
        for launch in run.launches
        if (launch["backend"], launch["device"], launch["threads"]) == case.worker
    ]
    if not mine:
        return {}
    return {"versions": mine[0]["versions"], "device": mine[0]["device_name"]}


def _bytes(trials: Sequence[dict[str, object]], name: str) -> list[float]:
    values = [trial.get(name) for trial in trials]
    return [float(value) for value in values if isinstance(value, int)]


def _times_of_ideal(run: runs.Run, case: Case, steps_s: Sequence[float]) -> list[float]:
    rates = product_rates(run, case)
    if case.step_cost is None or not rates:
        return []
    ideal_s = case.step_cost.flops / float(np.median(rates))
    return [step_s / ideal_s for step_s in steps_s]
