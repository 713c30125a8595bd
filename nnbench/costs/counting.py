"""What networks consist of, counted by a worker that builds them and trains none."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from nnbench.errors import UserError
from nnbench.machine.fields import Field
from nnbench.measure.process import Worker, WorkerLostError, data_file
from nnbench.workload.case import Case
from nnbench.workload.counts import NetworkCount
from nnbench.workload.datasets import Dataset

ROOM = "nnbench.measure.network_count"
LIMIT_S = 120.0


def counted(cases: Sequence[Case], data: Dataset) -> list[NetworkCount]:
    """Count the cases, all of one backend. Raises UserError for a network that cannot be built."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        data_file(data) as arrays,
        Worker(cases[0], arrays, Path(scratch) / "log", room=ROOM) as worker,
    ):
        try:
            worker.wait_until_ready(LIMIT_S)
            return [_of(worker, case) for case in cases]
        except WorkerLostError as lost:
            reason, *details = str(lost).splitlines()
            raise UserError(f"{cases[0].name}: {reason}", *details) from lost


def _of(worker: Worker, case: Case) -> NetworkCount:
    told = worker.ask(case, LIMIT_S)
    if "error" in told:
        reason, *details = told["error"].splitlines()
        raise UserError(reason, *details)
    return NetworkCount.of(Field(told["count"], "what the worker counted"))
