"""What a measuring worker answers: one trial of one case at a time.

A request names the `case`, the `kind` of trial and a `seed`, see `nnbench.measure.trial`.
"""

import gc
import time
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import matmul_rate
from nnbench.measure import first_look, loss_curve_trial, serve, trial
from nnbench.store.runs import FAILED
from nnbench.workload import user_code
from nnbench.workload.case import Case


def open_room(started: serve.Started) -> serve.Room:
    """Train the first case once, so that no trial pays what the process pays once."""
    rate = {}
    if not started.bare:
        _warm_up(started)
        rate = {"product_flops_per_s": matmul_rate.product_flops_per_s(started.case.device)}
    # What was imported stays: to look at it again before every trial would cost 0.1 s of each.
    # Before the answer, after which the worker of another side may be measured.
    gc.collect()
    gc.freeze()
    ready = {
        "import_s": started.imported_s - started.began_s,
        "first_use_s": time.perf_counter() - started.imported_s,
        **rate,
    }
    return ready, _trials(started)


def _warm_up(started: serve.Started) -> None:
    case = started.case
    try:
        trial.warm_up(case, started.data_of(case))
    except UserError:
        raise
    except Exception as failure:
        if case.model is None:
            raise
        reason = user_code.reason(failure)
        raise UserError(f"{case.model} cannot be trained on {case.data}: {reason}") from failure


def _failed(failure: Exception) -> dict[str, Any]:
    return {"outcome": FAILED, "message": "\n".join(user_code.told(failure))}


def _trials(started: serve.Started) -> serve.Answer:
    warm: set[str] = set()
    timers: dict[tuple[str, str], trial.StepTimer] = {}
    trained: dict[str, Any] = {}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        try:
            return measured(request)
        except UserError as mistake:
            # It was found before anything ran that other trials could suffer from.
            return _failed(mistake)
        except Exception as failure:
            case = Case.from_json(request["case"])
            # On a GPU an error may outlive its cause: there another process takes over.
            if case.model is None or case.device != "cpu":
                raise
            return _failed(failure)

    def measured(request: dict[str, Any]) -> dict[str, Any]:
        case, kind = Case.from_json(request["case"]), request["kind"]
        data = started.data_of(case)
        if kind in trial.SWEPT:
            timed = case.key, kind
            alone = request.get("anew", False)
            if timed not in timers or alone:
                timers.pop(timed, None)
                model = trained.pop(case.key, None) if kind == trial.STEP_KIND else None
                timers[timed] = trial.StepTimer(case, data, model, kind, fine=alone)
            return timers[timed].measure()
        if case.key not in warm:
            trial.warm_up_case(case, data)
            if kind == loss_curve_trial.KIND:
                loss_curve_trial.warm_up(case, data)
            warm.add(case.key)
        if kind == first_look.KIND:
            return first_look.measure(case, data)
        if kind == loss_curve_trial.KIND:
            return loss_curve_trial.measure(case, request["seed"], data)
        record, model = trial.measure(case, kind, data)
        is_timed = (case.key, trial.STEP_KIND) in timers
        if kind == "phases" and (not is_timed or request.get("anew")):
            trained[case.key] = model
        # Held beyond this call, a network would be frozen before the next trial, never to be freed.
        return record

    return answer
