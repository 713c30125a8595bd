"""One interleaved run over all cases of a suite, and what it says of each."""

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnbench.machine import devices, fingerprint, noise
from nnbench.measure import run as measuring
from nnbench.measure.process import data_file
from nnbench.phases import PHASES, STEP
from nnbench.stats.summary import block_values, product_rates
from nnbench.store import runs
from nnbench.suites import drift_process
from nnbench.suites.reading import Reading
from nnbench.workload import architecture, datasets, user_code
from nnbench.workload.case import Case, Training
from nnbench.workload.datasets import Dataset

GFLOP = 1e9


@dataclass(frozen=True)
class Plan:
    """What a study measures. `models` are architectures (`6x5`) or references (`train.py:build`).

    `launches` fresh processes for each backend and device, in each of which every case's turn
    comes `blocks` times. `batch_size` None means the whole data in one batch.
    """

    models: tuple[str, ...]
    data: str = "banknotes"
    backends: tuple[str, ...] = ("jax",)
    paths: tuple[str, ...] = ("fit",)
    devices: tuple[str, ...] = ("cpu",)
    threads: int | None = None
    epochs: int = 30
    batch_size: int | None = None
    shuffle: bool = True
    launches: int = 3
    blocks: int = 2
    limit_s: float = 120.0
    drift: bool = True


def measure(plan: Plan, keep: Path | None = None, commit: str | None = None) -> list[Reading]:
    """Measure a plan; one reading for each of its combinations that can be had here.

    Backends that are not installed have none. The run is written to a temporary folder, or below
    `keep`, where it stays; `commit` is noted in it. Raises UserError for what cannot be measured.
    """
    with tempfile.TemporaryDirectory() as scratch, _importable():
        data = datasets.load(plan.data)
        cases = _cases(plan, data)
        wanted = measuring.specification(
            cases,
            launches=plan.launches,
            blocks=plan.blocks,
            seed=0,
            limit_s=plan.limit_s,
            models=[model for model in plan.models if user_code.is_reference(model)],
        )
        here = fingerprint.take()
        if commit is not None:
            here["commit"] = commit
        folder = runs.create(keep or Path(scratch), None, wanted, here)
        run = measuring.execute(folder, data, lambda _: None)
        drifts: dict[str, dict[str, float]] = {}
        if plan.drift:
            with data_file(data) as arrays:
                drifts = drift_process.figures(cases, arrays)
        return [_reading(run, case, drifts.get(case.key, {})) for case in cases]


def _cases(plan: Plan, data: Dataset) -> list[Case]:
    backends = [backend for backend in plan.backends if devices.is_installed(backend)]
    if not backends:
        devices.check_installed(plan.backends[0])
    for model in plan.models:
        if user_code.is_reference(model):
            user_code.check(model)
    training = Training(task=data.task, batch_size=plan.batch_size, shuffle=plan.shuffle)
    return [
        Case(
            architecture=None if user_code.is_reference(model) else architecture.parse(model),
            model=model if user_code.is_reference(model) else None,
            training=training,
            data=data.name,
            data_digest=data.digest,
            rows=data.rows,
            features=data.width,
            backend=backend,
            device=device,
            threads=plan.threads,
            path=path,
            cold_epochs=plan.epochs,
        )
        for backend, device, path, model in itertools.product(
            backends, plan.devices, plan.paths, plan.models
        )
    ]


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
    return len(mine & noise.disturbed_blocks(run.trials)) / len(mine) if mine else 0.0


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
