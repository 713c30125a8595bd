"""A host whose trials are simulated: `python -m benchmarks.cluster.simulated SCHEDULER NAME`.

All else is as on a real host: a Dask worker, tasks, records on its disk before they are sent. A
trial sleeps for a `SPEED`-th of what it takes in `results/sample`. What is sent
together goes by what real trials would take, so that as many messages go over.
"""

import asyncio
import contextlib
import sys
import time
from types import SimpleNamespace

from nnbench.cluster import host, worker
from nnbench.measure import run as measuring

SPEED = 1000
TRIAL_S = {"cold": 2.5, "phases": 2.6, "step": 0.02}
"""What trials of the sample run take."""


passed_s = 0.0
"""What real trials would have taken so far."""


class Simulated:
    """What `measure.process.Worker` offers, without a process."""

    pid = 1

    def __init__(self, *_, **__):
        pass

    def wait_until_ready(self, *_):
        return {"import_s": 1.0, "first_use_s": 1.0, "device_name": "simulated", "versions": {}}

    def ask(self, case, limit_s, *, kind, seed):
        global passed_s
        passed_s += TRIAL_S[kind]
        began_s = time.perf_counter()
        time.sleep(TRIAL_S[kind] / SPEED)
        slept_s = time.perf_counter() - began_s
        samples = {"step": [0.001] * 3} if kind == "step" else {kind: [slept_s]}
        return {"outcome": "ok", "samples_s": samples, "slept_s": slept_s}

    def stop(self):
        pass


@contextlib.contextmanager
def _at_once():
    yield


def main() -> None:
    scheduler, name = sys.argv[1:]
    measuring.Worker = Simulated
    # Nothing is timed: no look at the machine's noise, and several hosts at once.
    measuring.noise.read = lambda pids: measuring.noise.Reading
    measuring.NOISE_WINDOW_S = measuring.LEAST_NOISE_WINDOW_S = float("inf")
    measuring.noise.Reading.moment_s = 0.0
    host.time = SimpleNamespace(monotonic=lambda: passed_s)
    host.machine_lock = _at_once
    asyncio.run(worker.run(scheduler, name, print))


if __name__ == "__main__":
    main()
