"""What determinism costs in time: two processes side by side, taking turns, paired.

Keras drops XLA where deterministic ops are asked for on TensorFlow, so `jit_compile` is pinned
off with and without them: what is left is the operations' own cost.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnbench.drift import saved, train_in_process
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.drift.train_in_process import Watcher
from nnbench.errors import UserError
from nnbench.measure.process import DataFile, WorkerLostError, data_file
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.store.folder import Writer
from nnbench.workload.datasets import Dataset

LAUNCHES = 5
PAIRS = 4
COMPARED = {False: POLICIES["keras"], True: POLICIES["keras+det"]}
"""The policies that are timed, by whether their ops are deterministic."""


def measure(folder: Path, data: Dataset, watch: Watcher, *, launches: int = LAUNCHES) -> Study:
    """Time `fit` with and without deterministic ops on every backend of a study, and record it.

    Launches that have all their records are left out. Raises UserError if a process is lost.
    """
    study = saved.read(folder)
    writer = Writer(folder)
    turns = np.random.default_rng(0)
    wanted = [
        (backend, launch)
        for backend in study.specification["backends"]
        for launch in range(launches)
    ]
    try:
        with data_file(data) as arrays:
            for done, (backend, launch) in enumerate(wanted):
                watch(done, len(wanted), f"timing deterministic ops on {backend}")
                having = [(one["backend"], one["launch"]) for one in study.timings]
                if having.count((backend, launch)) < 2 * PAIRS:
                    _launch(study, writer, arrays, backend, launch, turns)
    finally:
        writer.close()
    return saved.read(folder)


def _launch(
    study: Study,
    writer: Writer,
    arrays: DataFile,
    backend: str,
    launch: int,
    turns: np.random.Generator,
) -> None:
    training = replace(study.case.training, jit="off")
    case = replace(study.case, backend=backend, path="fit", training=training)
    logs, limit_s = study.folder / "logs", study.specification["limit_s"]
    try:
        with ExitStack() as running:
            workers = {}
            for deterministic, policy in COMPARED.items():
                log = logs / f"timing-{backend}-{launch}-{deterministic}.log"
                started = train_in_process.start(case, policy, arrays, log, patient=False)
                workers[deterministic] = running.enter_context(started)
            for worker in workers.values():
                worker.wait_until_ready()
            for pair in range(PAIRS):
                for deterministic in map(bool, turns.permutation([0, 1])):
                    policy = COMPARED[deterministic]
                    answer = train_in_process.time(
                        workers[deterministic], case, policy, pair, limit_s=limit_s
                    )
                    if "error" in answer:
                        raise UserError(answer["error"])
                    record = {
                        "kind": "timing",
                        "backend": backend,
                        "launch": launch,
                        "pair": pair,
                        "deterministic": deterministic,
                    }
                    writer.append({**record, **answer})
    except WorkerLostError as lost:
        raise UserError(f"a process was lost while timing on {backend}: {lost}") from lost


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
