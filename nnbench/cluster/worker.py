"""A Dask worker with the settings that timing needs, which comes back when its scheduler does."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable

from nnbench.cluster import settings
from nnbench.machine import child

AGAIN_S = 1.0
"""Between two tries to reach a scheduler."""

CONNECT_S = 30.0

Tell = Callable[[str], None]


async def run(scheduler: str, name: str | None, tell: Tell) -> None:
    """Be a worker of a scheduler until this process is ended; `name` is what its host is called.

    Where the scheduler is gone, what is being measured ends, and it is looked for until it is back.
    """
    settings.hush()
    import dask

    missed = False
    with dask.config.set(settings.WORKER), tempfile.TemporaryDirectory() as scratch:
        while True:
            try:
                await _once(scheduler, name, scratch, tell)
                tell(f"{scheduler} is gone: waiting for it")
            except (OSError, TimeoutError, RuntimeError) as failure:
                if not missed:
                    tell(f"{scheduler} does not answer ({failure or 'in time'}): waiting for it")
                missed = True
            else:
                missed = True
            # A trial that is running could not be handed over as part of its round.
            child.end_all()
            await asyncio.sleep(AGAIN_S)


async def _once(scheduler: str, name: str | None, scratch: str, tell: Tell) -> None:
    from distributed import Worker

    worker = Worker(
        scheduler, local_directory=scratch, death_timeout=CONNECT_S, **settings.worker_options()
    )
    if name is not None:
        worker.nnbench_host = name
    try:
        async with asyncio.timeout(CONNECT_S):
            await worker
        tell(f"{worker.address} measures for {scheduler}")
        await worker.finished()
    finally:
        with contextlib.suppress(Exception):
            await worker.close(timeout=2, executor_wait=False)
