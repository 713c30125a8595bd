"""A scheduler and workers on this machine, for as long as a command runs."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nnbench.cluster import settings
from nnbench.machine.child import Child


@asynccontextmanager
async def workers(count: int) -> AsyncIterator[str]:
    """The address of a scheduler in this process, with so many workers in their own."""
    settings.hush()
    import dask
    from distributed import Scheduler

    with tempfile.TemporaryDirectory() as scratch, dask.config.set(settings.SCHEDULER):
        async with Scheduler(
            host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0"
        ) as scheduler:
            started = [_start(scheduler.address, Path(scratch) / f"{one}") for one in range(count)]
            try:
                yield str(scheduler.address)
            finally:
                for one in started:
                    await asyncio.to_thread(one.end)


def _start(address: str, log: Path) -> Child:
    command = [sys.executable, "-m", "nnbench", "worker", address, "--quiet"]
    with log.open("wb") as output:
        return Child(command, stdout=output, stderr=output, env=dict(os.environ))
