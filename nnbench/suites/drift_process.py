"""The drift figures of a suite's cases, measured in a worker for each backend and device."""

from collections.abc import Sequence
from typing import Any

from nnbench.drift.figures import drift_figures
from nnbench.errors import UserError, first_line
from nnbench.measure import serve
from nnbench.measure.process import Worker, WorkerLostError, data_file
from nnbench.show.terminal import note
from nnbench.workload import user_code
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
            try:
                with Worker(mine[0], file, log, room=__name__) as worker:
                    worker.wait_until_ready()
                    for case in mine:
                        answer = worker.ask(case, LIMIT_S)
                        if "error" in answer:
                            _tell(case, answer["error"])
                        else:
                            found[case.key] = answer
            except (UserError, WorkerLostError) as lost:
                _tell(next(case for case in mine if case.key not in found), str(lost))
    return found


def _tell(case: Case, failure: str) -> None:
    note(f"no drift figures of {case.label} ({case.context}): {first_line(failure)}")


def open_room(started: serve.Started) -> serve.Room:
    """Answer each case by its figures."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        try:
            return drift_figures(case, epochs=EPOCHS)
        except UserError as mistake:
            return {"error": str(mistake)}
        except Exception as failure:
            if case.model is None:
                raise
            return {"error": user_code.reason(failure)}

    return {}, answer
