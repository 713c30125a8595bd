"""How Dask has to be set for timing, and what of a worker of someone else's spoils it.

Dask is made for throughput. Of what it does by default, each of these spoils timing or measures a
trial twice:

- several threads, or a share of the resource `timing` other than 1, time two trials at once;
- a nanny sets `OMP_NUM_THREADS=1` and its like for all that its worker starts, which slows Torch
  and not XLA: it would decide which backend is the faster;
- the profiler of a worker looks at its threads every 10 ms, on the cores that are timed;
- a memory limit makes a worker spill to disk, pause or be ended in the middle of a trial;
- work stealing moves a round to another host, and with it the cases that are paired in it;
- `retries` and `allowed-failures` run again what ended with its worker: a trial that kills its
  process would be measured again on every host in turn;
- `worker-ttl` drops a worker that is silent for five minutes, as one is below a debugger or a
  stopped virtual machine, and gives its round to another;
- the active memory manager moves and drops data while something is timed.

What a worker does is refused if it is set otherwise (`faults`). What a scheduler does cannot reach
a round, whoever started it: each is pinned to its worker, and begins only once it has been let.
"""

import importlib
import logging
from typing import Any

RESOURCE = "timing"

WORKER = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.system-monitor.gil.enabled": False,
}
SCHEDULER = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": None,
    "distributed.scheduler.active-memory-manager.start": False,
}
"""Of the scheduler that `--workers` starts."""

COMMAND = "nnbench worker {scheduler}"
PLAIN = (
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False dask worker {scheduler} --no-nanny "
    "--nthreads 1 --resources timing=1 --memory-limit 0"
)
"""The same by Dask's own command."""


def hush() -> None:
    """Let Dask not say what is told in our own words: lost connections, what it starts."""
    # Importing it sets the levels that are then changed.
    importlib.import_module("distributed")

    for name in ("distributed", "distributed.client", "tornado", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def worker_options() -> dict[str, Any]:
    """What a Dask worker is made with."""
    return {"nthreads": 1, "resources": {RESOURCE: 1}, "memory_limit": 0, "dashboard": False}


def faults(worker: Any) -> list[str]:
    """What of a Dask worker's settings spoils timing; called in its process."""
    import dask

    found = []
    if worker.nanny is not None:
        found.append("it has a nanny, which sets OMP_NUM_THREADS=1 for what it starts")
    if (threads := worker.state.nthreads) != 1:
        found.append(f"it has {threads} threads, which would time at once")
    if (share := worker.state.total_resources.get(RESOURCE)) != 1:
        found.append(f"its resource {RESOURCE} is {share or 'not set'}, not 1")
    if dask.config.get("distributed.worker.profile.enabled"):
        found.append("its profiler looks at it every 10 ms")
    if worker.memory_manager.memory_limit:
        found.append("it has a memory limit, by which it may pause or spill")
    return found
