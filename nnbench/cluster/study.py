"""A study on the hosts of a cluster, from what is asked to the run of each host."""

import asyncio
import hashlib
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.cluster import book as books
from nnbench.cluster import client, local
from nnbench.errors import UserError
from nnbench.measure import effort
from nnbench.measure import run as measuring
from nnbench.measure.process import DataFile, data_file
from nnbench.store.folder import ASKED
from nnbench.workload import user_model
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Study

Tell = Callable[[str], None]

ENDING = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Where:
    """A scheduler's address, or how many workers to start on this machine."""

    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Asked:
    """What is measured where; `every_host` measures all of it on each, to be compared."""

    study: Study
    data: Dataset
    where: Where
    results: Path
    name: str | None = None
    resume: bool = False
    fresh: bool = False
    every_host: bool = False


def measure(asked: Asked, tell: Tell, watch: measuring.Watcher) -> books.Study:
    """Measure what is missing of a study on the hosts of a cluster.

    Raises UserError if no scheduler answers, or nobody is there who can measure.
    """
    return _ended_by_signals(_measure(asked, tell, watch))


def _ended_by_signals(work: Coroutine[Any, Any, books.Study]) -> books.Study:
    """Run it; a signal that ends the process ends it as Ctrl-C does, with all it has started.

    Raised in the middle of Dask's own callbacks, what ends a process would be caught there.
    """
    received: list[int] = []

    async def main() -> books.Study:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(number: int, _: object) -> None:
            received.append(number)
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        known = {number: signal.signal(number, end) for number in ENDING}
        try:
            return await work
        finally:
            for number, handler in known.items():
                signal.signal(number, handler)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if received:
            sys.exit(128 + received[0])
        raise KeyboardInterrupt from None


@asynccontextmanager
async def _scheduler(where: Where) -> AsyncIterator[str]:
    if where.address is not None:
        yield where.address
        return
    async with local.workers(where.workers or 1) as address:
        yield address


async def _measure(asked: Asked, tell: Tell, watch: measuring.Watcher) -> books.Study:
    with data_file(asked.data) as arrays, tempfile.TemporaryDirectory() as scratch:
        async with _scheduler(asked.where) as address:
            made = await _settled(asked, arrays, address, tell)
            wanted = {
                **measuring.specification(
                    made.study, made.cases, sweeps=made.plan.sweeps, looked=made.record
                ),
                books.EVERY_HOST: asked.every_host,
            }
            folder, unfinished = books.folder_for(
                asked.results, asked.name, wanted, resume=asked.resume, fresh=asked.fresh
            )
            if unfinished:
                tell(f"going on with the unfinished study {folder} (--fresh begins anew)")
            book = books.Book(folder)
            try:
                if not book.study.is_complete:
                    files = _files(arrays, wanted, Path(scratch))
                    await _hand_out(book, files, address, tell, watch)
            finally:
                book.close()
    return books.read(folder)


async def _hand_out(
    book: books.Book, files: client.Files, address: str, tell: Tell, watch: measuring.Watcher
) -> None:
    """Measure all of it, over as many connections as it takes."""
    lost_s, clock = 0.0, asyncio.get_running_loop().time
    while True:
        began_s = clock()
        try:
            async with client.connected(address) as connection:
                lost_s = 0.0
                hosts = client.Hosts(connection, files, tell)
                await client.Measuring(hosts, book, tell, watch).run()
                return
        except client.SchedulerGoneError:
            if lost_s == 0.0:
                tell(f"{address} is gone: waiting for it; what was measured so far is kept")
            await asyncio.sleep(client.LOOK_S)
            lost_s += clock() - began_s
        if lost_s > client.WAIT_S:
            raise UserError(f"{address} does not come back: the same command goes on")


async def _settled(asked: Asked, arrays: DataFile, address: str, tell: Tell) -> effort.Settled:
    """What a study leaves open, settled by a first look on the first host that is there."""
    cases = asked.study.cases(asked.data)
    looks: Mapping[str, effort.Look] = {}
    try:
        async with client.connected(address) as connection:
            if effort.needs_look(asked.study, cases):
                models = user_model.digests(case.model for case in cases)
                looks = {} if asked.fresh else books.looked(asked.results, cases, models)
            if effort.needs_look(asked.study, cases) and not looks:
                tell(f"a first look at {len(cases)} trainings: how long does a step take?")
                files = _files(arrays, {"models": models}, None)
                hosts = client.Hosts(connection, files, tell)
                plain = [case.to_json() for case in cases]
                order = {"cases": plain, "limit_s": asked.study.effort.limit_s}
                found = await client.looks(hosts, order)
                looks = {key: effort.Look(**one) for key, one in found.items()}
    except client.SchedulerGoneError as failure:
        raise UserError(
            f"no scheduler answers at {address} ({failure}): start one with dask scheduler"
        ) from failure
    return effort.settled(asked.study, asked.data, cases, looks)


def _files(arrays: DataFile, wanted: Mapping[str, Any], scratch: Path | None) -> client.Files:
    """The data and, into `scratch`, the specification, as they are sent to hosts."""
    data = _digest_of(arrays.path)
    paths = {data: arrays.path}
    orders = {"data": data, "data_name": arrays.name, "is_stream": arrays.is_stream}
    if scratch is not None:
        # How it was written decides nothing.
        text = json.dumps({name: one for name, one in wanted.items() if name != ASKED}).encode()
        digest = hashlib.sha256(text).hexdigest()
        paths[digest] = scratch / "specification"
        paths[digest].write_bytes(text)
        orders["specification"] = digest
    # A stream is made on each host, by a person's function.
    code = user_model.digests([arrays.name]) if arrays.is_stream else {}
    return client.Files(paths, orders, {**wanted.get("models", {}), **code})


def _digest_of(path: Path) -> str:
    """SHA-256 of saved arrays: that of their file would change with the time of day."""
    found = hashlib.sha256()
    with np.load(path) as saved:
        for name in sorted(saved.files):
            one = np.ascontiguousarray(saved[name])
            found.update(f"{name} {one.dtype} {one.shape}\0".encode())
            found.update(one.tobytes())
    return found.hexdigest()
