"""What determinism costs in time, both without XLA, which Keras drops for deterministic ops."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.drift import execution
from nnbench.drift.execution import Watcher
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.errors import UserError
from nnbench.measure.process import DataFile, WorkerLostError
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.workload.datasets import Dataset

LAUNCHES, PAIRS = 5, 4
COMPARED = {False: POLICIES["keras"], True: POLICIES["keras+det"]}


def measure(folder: Path, data: Dataset, watch: Watcher) -> None:
    """Time `fit` in launches that are not recorded yet. Raises UserError if a process is lost."""
    turns = np.random.default_rng(0)
    with execution.added_to(folder, data) as (study, writer, arrays):
        backends = study.specification["backends"]
        wanted = list(itertools.product(backends, range(LAUNCHES)))
        having = [(one["backend"], one["launch"]) for one in study.timings]
        for done, (backend, launch) in enumerate(wanted):
            watch(done, len(wanted), f"timing deterministic ops on {backend}")
            if having.count((backend, launch)) >= 2 * PAIRS:
                continue
            try:
                for record in _launch(study, arrays, backend, launch, turns):
                    writer.append(record)
            except WorkerLostError as lost:
                raise UserError(
                    f"a process was lost while timing on {backend}: {lost.reason}"
                ) from lost


def _launch(
    study: Study, arrays: DataFile, backend: str, launch: int, turns: np.random.Generator
) -> Iterator[dict[str, Any]]:
    training = replace(study.case.training, jit="off")
    case = replace(study.case, backend=backend, path="fit", training=training)
    with ExitStack() as running:
        workers = {}
        for deterministic, policy in COMPARED.items():
            log = study.folder / "logs" / f"timing-{backend}-{launch}-{deterministic}.log"
            worker = execution.start(case, policy, arrays, log, patient=False)
            workers[deterministic] = running.enter_context(worker)
        for worker in workers.values():
            worker.wait_until_ready()
        for pair in range(PAIRS):
            described = {"kind": "timing", "backend": backend, "launch": launch, "pair": pair}
            for deterministic in map(bool, turns.permutation([0, 1])):
                code = COMPARED[deterministic].code_for(backend)
                answer = workers[deterministic].ask(
                    case, study.specification["limit_s"], kind="time", code=code, seed=pair
                )
                if "error" in answer:
                    raise execution.mistake(answer["error"])
                yield {**described, "deterministic": deterministic, **answer}


def ratio(study: Study, backend: str) -> Estimate | None:
    """Time with deterministic ops over time without, paired; None where it was not measured."""
    seconds: dict[tuple[int, int], dict[bool, float]] = {}
    for record in study.timings:
        if record["backend"] == backend:
            turn = seconds.setdefault((record["launch"], record["pair"]), {})
            turn[record["deterministic"]] = record["duration_s"]
    whole = {key: turn for key, turn in seconds.items() if len(turn) == 2}
    ratios = [turn[True] / turn[False] for turn in whole.values()]
    return nested_estimate(ratios, [launch for launch, _ in whole]) if ratios else None
