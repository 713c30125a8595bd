"""Gradients large and small beside steps short and long; `test_replicas.py` runs it.

Steps and sums are timed by the functions that workers use, on two virtual devices, in turn.
"""

import sys
import time

from nnbench.machine import devices
from nnbench.measure import boundaries, trial
from nnbench.workload.study import Study

SWEEPS = 5

backend = sys.argv[1]
devices.start(backend, "cpu*2")


def least_s(network, batch):
    """The shortest step of a network, and the shortest sum of its gradients."""
    data = f"synthetic:rows={2 * batch},features=8"
    options = {"replicas": "2", "batch": str(batch), "optimizer": "sgd", "data": data}
    study = Study.of([network], backend=backend, **options)
    loaded = study.load()
    (case,) = study.cases(loaded)
    kinds = trial.STEP_KIND, trial.SUM_KIND
    timers = [trial.StepTimer(case, loaded.training_data, kind=kind) for kind in kinds]
    turns = [[one.measure() for one in timers] for _ in range(SWEEPS)]
    return [
        min(min(turn[place]["samples_s"][kind]) for turn in turns)
        for place, kind in enumerate(kinds)
    ]


many_step_s, many_sum_s = least_s("512x3", 4)
few_step_s, few_sum_s = least_s("8x2", 131072)
told = (many_sum_s, many_step_s, few_sum_s, few_step_s)
assert many_sum_s > few_sum_s > 0, told
assert many_sum_s / many_step_s > 2 * few_sum_s / few_step_s, told

take = boundaries.of(backend).summer([((1000, 1000), "float32")])
take(1)


def taken_s(count):
    begin_s = time.perf_counter()
    take(count)
    return time.perf_counter() - begin_s


# Every sum is taken: a compiler could see that all are the same.
turns = [[taken_s(count) for count in (4, 40)] for _ in range(SWEEPS)]
few_s, more_s = map(min, zip(*turns, strict=True))
assert 4 * few_s < more_s < 25 * few_s, (few_s, more_s)
