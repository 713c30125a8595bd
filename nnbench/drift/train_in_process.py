"""The one way to have a training run in a process of its own; `drift.worker` is what answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnbench.drift import saved
from nnbench.drift.policies import Policy
from nnbench.drift.saved import Study
from nnbench.measure.process import DataFile, Worker, data_file
from nnbench.measure.protocol import Environment
from nnbench.store.folder import Writer
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

ROOM = "nnbench.drift.worker"

PATIENT = {"OMP_WAIT_POLICY": "passive"}
"""Torch's threads wait for each other asleep, which changes no number and spares a busy machine."""

Watcher = Callable[[int, int, str], None]
"""Is told how many trainings are finished, of how many, and what is going on."""


@contextmanager
def added_to(folder: Path, data: Dataset) -> Iterator[tuple[Study, Writer, DataFile]]:
    """A study to add records to, what writes them, and the data as a file for workers."""
    writer = Writer(folder)
    try:
        with data_file(data) as arrays:
            yield saved.read(folder), writer, arrays
    finally:
        writer.close()


def start(
    case: Case,
    policy: Policy,
    data: DataFile,
    log: Path,
    *,
    environment: Environment | None = None,
    patient: bool = True,
) -> Worker:
    """Start a process with a policy's settings; see `measure.process.Worker`."""
    settings = {**(PATIENT if patient else {}), **policy.settings_for(case.backend)}
    return Worker(case, data, log, environment=environment, room=ROOM, settings=settings)


def train(
    worker: Worker,
    case: Case,
    policy: Policy,
    seed: int,
    *,
    folder: Path,
    limit_s: float,
    given: str | None = None,
    fresh: bool = True,
    observe_order: bool = False,
) -> dict[str, Any]:
    """Have one training done and left in `folder`; see `nnbench.drift.training`.

    `given` is the file there whose weights it starts from; `fresh` puts the random generators
    back to a new process' first. The answer has an `error` where it cannot be trained. Raises
    WorkerLostError as `Worker.ask` does.
    """
    return worker.ask(
        case,
        limit_s,
        kind="train",
        code=policy.code_for(case.backend),
        seed=seed,
        given=given,
        fresh=fresh,
        observe_order=observe_order,
        folder=str(folder.resolve()),
    )


def time(
    worker: Worker, case: Case, policy: Policy, seed: int, *, limit_s: float
) -> dict[str, Any]:
    """Have `fit` timed; answers and raises as `train` does."""
    code = policy.code_for(case.backend)
    return worker.ask(case, limit_s, kind="time", code=code, seed=seed)
