"""What determinism costs in time: two processes side by side, taking turns, paired.

Keras drops XLA where deterministic ops are asked for on TensorFlow, so `jit_compile` is pinned
off on both sides: what is left is the operations' own cost.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnbench.drift import saved
from nnbench.drift import worker as drift_worker
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.drift.study import Watcher
from nnbench.errors import UserError
from nnbench.measure.process import DataFile, WorkerLostError, data_file
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.store import runs
from nnbench.workload.datasets import Dataset

LAUNCHES = 5
PAIRS = 4
SIDES = {False: POLICIES["keras"], True: POLICIES["keras+det"]}


def measure(folder: Path, data: Dataset, watch: Watcher, *, launches: int = LAUNCHES) -> Study:
    """Time `fit` with and without deterministic ops on every backend of a study, and record it.

    Launches that have all their records are left out. Raises UserError if a process is lost.
    """
    study = saved.read(folder)
    writer = runs.Writer(folder)
    turns = np.random.default_rng(0)
    total = launches * len(study.specification["backends"])
    try:
        with data_file(data) as arrays:
            for place, (backend, launch) in enumerate(
                (backend, launch)
                for backend in study.specification["backends"]
                for launch in range(launches)
            ):
                watch(place, total, f"timing deterministic ops on {backend}")
                if len(_records(study, backend, launch)) < 2 * PAIRS:
                    _launch(study, writer, arrays, backend, launch, turns)
    finally:
        writer.close()
    return saved.read(folder)


def _launch(
    study: Study,
    writer: runs.Writer,
    arrays: DataFile,
    backend: str,
    launch: int,
    turns: np.random.Generator,
) -> None:
    case = replace(
        study.case,
        backend=backend,
        path="fit",
        training=replace(study.case.training, jit="off"),
    )
    workers = {
        deterministic: drift_worker.start(
            case,
            policy,
            arrays,
            study.folder / "logs" / f"timing-{backend}-{launch}-{deterministic}.log",
            patient=False,
        )
        for deterministic, policy in SIDES.items()
    }
    try:
        for worker in workers.values():
            worker.wait_until_ready()
        for pair in range(PAIRS):
            for deterministic in map(bool, turns.permutation([0, 1])):
                answer = workers[deterministic].ask(
                    case,
                    study.specification["limit_s"],
                    kind="time",
                    code=SIDES[deterministic].code_for(backend),
                    seed=pair,
                )
                if "error" in answer:
                    raise UserError(answer["error"])
                writer.append(
                    {
                        "kind": "timing",
                        "backend": backend,
                        "launch": launch,
                        "pair": pair,
                        "deterministic": deterministic,
                        **answer,
                    }
                )
    except WorkerLostError as lost:
        raise UserError(f"a process was lost while timing on {backend}: {lost}") from lost
    finally:
        for worker in workers.values():
            worker.stop()


def _records(study: Study, backend: str, launch: int) -> list[dict[str, object]]:
    return [
        record
        for record in study.timings
        if (record["backend"], record["launch"]) == (backend, launch)
    ]


def ratio(study: Study, backend: str) -> Estimate | None:
    """Time with deterministic ops over time without, paired; None where it was not measured."""
    seconds = {
        (record["launch"], record["pair"], record["deterministic"]): record["duration_s"]
        for record in study.timings
        if record["backend"] == backend
    }
    pairs = sorted({key[:2] for key in seconds})
    both = [key for key in pairs if (*key, True) in seconds and (*key, False) in seconds]
    if not both:
        return None
    ratios = [seconds[(*key, True)] / seconds[(*key, False)] for key in both]
    return nested_estimate(ratios, [launch for launch, _ in both])


def sentence(study: Study, backend: str) -> str | None:
    """The cost in words; None where it was not measured."""
    estimate = ratio(study, backend)
    if estimate is None:
        return None
    if not math.isfinite(estimate.low):
        return f"{backend}: with deterministic ops {estimate.value:.2f} times the time, one launch"
    apart = estimate.low > 1 or estimate.high < 1
    verdict = "" if apart else ", not told apart from no cost"
    return (
        f"{backend}: deterministic ops take {estimate.value:.2f} times as long "
        f"(95 % interval {estimate.low:.2f} to {estimate.high:.2f}{verdict}; jit_compile off on "
        f"both sides, {estimate.blocks} pairs)"
    )
