"""A worker process: one backend on one device, measuring one trial at a time on request.

Requests come as JSON lines on standard input, answers go as JSON lines on what was standard
output; anything that libraries print ends up on standard error, which the parent keeps as the
launch's log. The worker ends when its input ends, so it does not outlive its parent.
"""

import gc
import json
import sys
import time
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.channel import open_answers
from nnbench.workload import datasets
from nnbench.workload.case import Case


def main() -> None:
    """Serve requests until the input ends."""
    began_s = time.perf_counter()
    answer = open_answers()
    configuration = json.loads(sys.argv[1])
    first_case = Case.from_json(configuration["warm_up"])
    with np.load(configuration["data"]) as saved:
        features, labels = saved["features"], saved["labels"]
    arrays = {configuration["data_name"]: (features, labels)}

    def data_of(case: Case) -> tuple[Any, Any]:
        if case.data not in arrays:
            loaded = datasets.load(case.data)
            arrays[case.data] = loaded.features, loaded.labels
        return arrays[case.data]

    try:
        devices.start(*first_case.worker)
    except UserError as mistake:
        answer({"error": str(mistake)})
        return
    imported_s = time.perf_counter()

    # Imports Keras: not before the backend is fixed.
    from nnbench.machine import matmul_rate
    from nnbench.measure import loss_curve_trial, trial

    try:
        trial.warm_up(first_case, *data_of(first_case))
    except UserError as mistake:
        answer({"error": str(mistake)})
        return
    except Exception as failure:
        if first_case.model is None:
            raise
        # Keras' messages run over many lines; their first says what is wrong.
        reason = (str(failure).strip() or repr(failure)).splitlines()[0]
        answer({"error": f"{first_case.model} cannot be trained on {first_case.data}: {reason}"})
        return
    rate = matmul_rate.product_flops_per_s(first_case.device)
    # What was imported stays: to look at it again before every trial would cost 0.1 s of each.
    # Before the answer, after which the worker of another side may be measured.
    gc.collect()
    gc.freeze()
    answer(
        {
            "import_s": imported_s - began_s,
            "first_use_s": time.perf_counter() - imported_s,
            "device_name": devices.description(first_case.backend, first_case.device),
            "versions": devices.versions(first_case.backend),
            "cpus": devices.usable_cpus(),
            "product_flops_per_s": rate,
        }
    )
    warm: set[str] = set()
    timers: dict[str, trial.StepTimer] = {}
    trained: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        case = Case.from_json(request["case"])
        features, labels = data_of(case)
        if request["kind"] == trial.STEP_KIND:
            if case.key not in timers:
                model = trained.pop(case.key, None)
                timers[case.key] = trial.StepTimer(case, features, labels, model)
            answer(timers[case.key].measure())
            continue
        if case.key not in warm:
            trial.warm_up_case(case)
            warm.add(case.key)
        if request["kind"] == loss_curve_trial.KIND:
            answer(loss_curve_trial.measure(case, request["seed"], features, labels))
            continue
        record, model = trial.measure(case, request["kind"], features, labels)
        if request["kind"] == "phases" and case.key not in timers:
            trained[case.key] = model
        # Still held, it would be frozen before the next trial and never be freed.
        del model
        answer(record)


if __name__ == "__main__":
    main()
