"""The drift figures of a suite's cases, measured in a worker for each backend and device."""

import contextlib
from collections.abc import Sequence
from typing import Any

from nnbench.drift.figures import drift_figures
from nnbench.errors import UserError
from nnbench.measure import serve
from nnbench.measure.process import Worker, WorkerLostError, data_file
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

LIMIT_S = 900.0

EPOCHS = 30
"""Epochs after which weights are compared, so that figures mean the same over all commits."""


def figures(cases: Sequence[Case], data: Dataset) -> dict[str, dict[str, float]]:
    """Figures by case key; a case whose process fails has none, which must not cost its timings."""
    found: dict[str, dict[str, float]] = {}
    with data_file(data) as file:
        for fixed in dict.fromkeys(case.worker for case in cases):
            mine = [case for case in cases if case.worker == fixed]
            log = file.path.with_name("drift.log")
            lost = contextlib.suppress(UserError, WorkerLostError)
            with lost, Worker(mine[0], file, log, room=__name__) as worker:
                worker.wait_until_ready()
                for case in mine:
                    found[case.key] = worker.ask(case, LIMIT_S)
    return found


def open_room(started: serve.Started) -> serve.Room:
    """Answer each case by its figures."""

    def answer(request: dict[str, Any]) -> dict[str, float]:
        try:
            return drift_figures(Case.from_json(request["case"]), epochs=EPOCHS)
        except UserError:
            return {}

    return {}, answer
