"""Handing rounds to hosts: finds the Dask workers, gives each host a round, keeps its records.

Who is there is asked of the scheduler every few seconds, and not heard from Dask's futures: a
worker that is gone, or has not been heard of for a while, is left, and its round with it. Nothing
that Dask does by itself measures anything: a task begins only once it has been let (see `host`).
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnbench.cluster import host, settings
from nnbench.cluster.book import ABSENT_S, Book, HostRun
from nnbench.errors import UserError, first_line
from nnbench.measure.run import Progress, Watcher

CONNECT_S, WAIT_S = 15.0, 600.0
"""How long a scheduler may take to answer; how long nobody may be there before it is given up."""

LOOK_S = 1.0
"""How often it is asked who is there: rarely, as this machine may be one that times."""

SILENT_S = 45.0
"""A worker whose heartbeat is older hangs: Dask's own are a few seconds apart at most."""

ALONE_S = 5.0
"""So long nobody may be there without a word."""

PIECE_BYTES = 8 << 20

Plain = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Files:
    """What every host needs, by SHA-256: sent once to each. `orders` are what tasks are told."""

    paths: Mapping[str, Path]
    orders: Plain
    models: Plain


@dataclass
class Host:
    """A host that can measure: its Dask workers take turns, as they share what is timed."""

    fingerprint: Plain
    addresses: set[str] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class SchedulerGoneError(Exception):
    """The scheduler does not answer any more."""


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Any]:
    """A client of the scheduler at an address. Raises SchedulerGoneError if none answers."""
    settings.hush()
    from distributed import Client

    try:
        client = await Client(
            address, asynchronous=True, timeout=CONNECT_S, set_as_default=False, name="nnbench"
        )
    except (OSError, TimeoutError, ValueError) as failure:
        raise SchedulerGoneError(first_line(failure)) from failure
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close(timeout=2), 5)


class Hosts:
    """The hosts that a scheduler knows, for as long as one connection to it holds."""

    def __init__(self, client: Any, files: Files, tell: Tell) -> None:
        self._client, self._files, self._tell = client, files, tell
        self._refused: dict[str, str] = {}
        self._told_alone = False
        self._heard: dict[str, tuple[Any, float]] = {}

    async def there(self) -> set[str]:
        """Addresses of the Dask workers that are alive. Raises SchedulerGoneError."""
        try:
            told = await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), CONNECT_S)
        except (OSError, TimeoutError) as failure:
            raise SchedulerGoneError(first_line(failure)) from failure
        now_s = asyncio.get_running_loop().time()
        alive = set()
        for address, worker in told["workers"].items():
            seen, since_s = self._heard.get(address, (None, now_s))
            if worker["last_seen"] != seen:
                since_s = now_s
            self._heard[address] = worker["last_seen"], since_s
            if now_s - since_s < SILENT_S:
                alive.add(address)
        for gone in self._heard.keys() - told["workers"].keys():
            del self._heard[gone]
            self._refused.pop(gone, None)
        return alive - self._refused.keys()

    async def examined(self, address: str) -> Host | None:
        """The host of a Dask worker, with all files; None, which is told, if it cannot measure."""
        told = await self._call(address, host.examine, [*self._files.paths], self._files.models)
        if isinstance(told, ModuleNotFoundError):
            self._refuse(address, "nnbench is not installed there: install the same")
            return None
        if isinstance(told, OSError):
            # It may be on its way out, or answer next time.
            return None
        if isinstance(told, Exception):
            self._refuse(address, first_line(told))
            return None
        name = told["fingerprint"]["host"]
        if told["faults"]:
            commands = " or ".join((settings.COMMAND, settings.PLAIN))
            mend = f"start it as {commands}".format(scheduler=self._client.scheduler.address)
            why = f"{'; '.join(told['faults'])}: {mend}"
            self._refuse(f"{name} ({address})", why, address)
            return None
        if told["package"] != host.package_digest():
            why = "another nnbench is installed there: install the same on all hosts"
            self._refuse(f"{name} ({address})", why, address)
            return None
        if told["code"]:
            why = f"{told['code'][0]}: start its worker in a folder that holds the same"
            self._refuse(f"{name} ({address})", why, address)
            return None
        try:
            for digest in told["missing"]:
                await self._send(address, digest)
        except UserError as failure:
            self._refuse(f"{name} ({address})", str(failure), address)
            return None
        return Host(told["fingerprint"])

    def _refuse(self, named: str, why: str, address: str = "") -> None:
        self._refused[address or named] = why
        self._tell(f"{named} is not used: {why}")

    @property
    def nobody(self) -> str:
        """Why nothing can be measured."""
        why = list(self._refused.values())
        address = self._client.scheduler.address
        return why[0] if why else f"start one on each host that measures: nnbench worker {address}"

    def tell_alone(self, alone_s: float) -> None:
        """Say once, after some seconds, that no worker is there."""
        if alone_s > ALONE_S and not self._told_alone:
            self._told_alone = True
            self._tell(f"no worker is there that can measure; {self.nobody}")

    async def _call(self, address: str, function: Any, *given: Any, **named: Any) -> Any:
        """What a function returns in a worker's process, or the exception that it raised."""
        try:
            answers = await self._client.run(
                function, *given, workers=[address], on_error="return", **named
            )
        except (OSError, ValueError) as failure:
            return failure
        return answers.get(address, ConnectionError("it does not answer"))

    async def _send(self, address: str, digest: str) -> None:
        path, sender, size = self._files.paths[digest], uuid.uuid4().hex, 0
        total = path.stat().st_size
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                is_last = size + len(piece) == total
                how = {"is_last": is_last, "sender": sender}
                failure = await self._call(address, host.receive, digest, size, piece, **how)
                if isinstance(failure, Exception):
                    raise failure
                size += len(piece)

    def submit(self, function: Any, order: Plain, address: str) -> Any:
        """A task for this worker only, which Dask neither moves nor tries again."""
        return self._client.submit(
            function,
            {**self._files.orders, **order},
            workers=[address],
            allow_other_workers=False,
            resources={settings.RESOURCE: 1},
            retries=0,
            pure=False,
        )

    def queues(self, attempt: str) -> tuple[Any, Any]:
        """The ends of a task's channel, see `host.Channel`."""
        from distributed import Queue

        return tuple(Queue(f"{attempt}-{way}", client=self._client) for way in ("up", "down"))


async def looks(hosts: Hosts, order: Plain) -> Plain:
    """What the first host that can says of a first look (see `host.look`), another if it is lost.

    Raises UserError where nobody is there who can, or looking fails.
    """
    clock = asyncio.get_running_loop().time
    began_s = clock()
    while clock() - began_s < WAIT_S:
        for address in sorted(await hosts.there()):
            with contextlib.suppress(OSError):
                if await hosts.examined(address):
                    ended = await _result(hosts.submit(host.look, order, address))
                    if "error" in ended:
                        raise UserError(f"a first look failed: {ended['error']}")
                    return dict(ended["looks"])
        hosts.tell_alone(clock() - began_s)
        await asyncio.sleep(LOOK_S)
    raise UserError(hosts.nobody)


class Measuring:
    """Gives rounds to hosts until the book is complete, or nobody has been there for long."""

    def __init__(self, hosts: Hosts, book: Book, tell: Tell, watch: Watcher) -> None:
        self._hosts, self._book, self._tell, self._watch = hosts, book, tell, watch
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._by_name: dict[str, Host] = {}
        self._errors: dict[str, str] = {}
        self._told_absent: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Raises SchedulerGoneError, or UserError where no host can measure."""
        idle_s, clock = 0.0, asyncio.get_running_loop().time
        try:
            while not self._is_over():
                there = await self._hosts.there()
                for address in there - self._tasks.keys():
                    self._tasks[address] = asyncio.create_task(self._serve(address))
                for address in self._tasks.keys() - there:
                    await self._leave(address)
                await self._check()
                self._check_able()
                self._tell_absent()
                began_s = clock()
                self._show()
                if self._tasks:
                    first = asyncio.FIRST_COMPLETED
                    await asyncio.wait(self._tasks.values(), timeout=LOOK_S, return_when=first)
                else:
                    await asyncio.sleep(LOOK_S)
                idle_s = 0.0 if self._book.active else idle_s + clock() - began_s
                self._check_idle(idle_s)
        finally:
            for address in list(self._tasks):
                await self._leave(address)

    def _is_over(self) -> bool:
        study = self._book.study
        if not study.every_host:
            return study.is_complete
        # Hosts that are gone and have not ended all are waited for only as long as others measure.
        busy = any(not task.done() for task in self._tasks.values())
        return study.is_complete and not busy

    def _show(self) -> None:
        book = self._book
        busy = sorted(f"{name} launch {number + 1}" for name, number in book.active)
        now = ", ".join(busy) or "waiting for hosts"
        self._watch(Progress(round(book.work_done), round(book.work()), now))

    async def _leave(self, address: str) -> None:
        """End what is done with a worker, which may be gone."""
        task = self._tasks.pop(address)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, SchedulerGoneError, UserError):
            await task

    async def _check(self) -> None:
        """Take note of what ended by itself: what cannot go on is an error of this process."""
        for address, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[address]
                failure = task.exception()
                if failure is not None and not isinstance(failure, OSError):
                    raise failure

    def _check_idle(self, idle_s: float) -> None:
        """Raise UserError where nothing has been measured for too long, since nobody is there."""
        study = self._book.study
        if study.every_host and idle_s > ABSENT_S and study.hosts:
            counts = {name: study.ended_on(name) for name in study.hosts}
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise UserError(
                f"hosts cannot be compared yet: of {study.launches} launches there are {told}; "
                "start the workers that are missing, and the same command goes on"
            )
        if idle_s > WAIT_S:
            raise UserError(f"{self._hosts.nobody}; the same command goes on")
        if not self._tasks:
            self._hosts.tell_alone(idle_s)

    def _check_able(self) -> None:
        """Raise UserError where no host that is there can measure, with why the first cannot."""
        there = [name for name, one in self._by_name.items() if one.addresses]
        if there and all(name in self._errors for name in there):
            raise UserError(self._errors[there[0]])

    async def _serve(self, address: str) -> None:
        """Give rounds to a Dask worker for as long as there are any."""
        found = await self._hosts.examined(address)
        if found is None:
            return
        mine = self._book.run_of(found.fingerprint)
        known = self._by_name.setdefault(mine.name, found)
        known.addresses.add(address)
        if len(known.addresses) == 2:
            self._tell(
                f"{mine.name} has several workers: they take turns, as one trial at a time is "
                "timed on a host"
            )
        try:
            while not self._book.study.is_complete:
                self._book.seen(mine.name)
                number = None
                async with known.turn:
                    if mine.name not in self._errors:
                        number = self._book.next_round(mine.name)
                    if number is not None:
                        await self._measure(address, mine, number)
                if number is None:
                    await asyncio.sleep(LOOK_S)
        finally:
            known.addresses.discard(address)

    def _tell_absent(self) -> None:
        for one in self._book.absent():
            if one not in self._told_absent:
                self._told_absent.add(one)
                name, number = one
                kept = self._book.runs[name].trials[number]
                rest = "" if self._book.study.every_host else ", and others measure a new one"
                self._tell(f"{name} is gone in launch {number + 1}: {kept} trials are kept{rest}")

    async def _measure(self, address: str, mine: HostRun, number: int) -> None:
        book, attempt = self._book, f"nnbench-{uuid.uuid4().hex}"
        order = {"attempt": attempt, "study": book.identity, "host": mine.name, "round": number}
        up, down = self._hosts.queues(attempt)
        book.active.add((mine.name, number))
        future = self._hosts.submit(host.measure, order, address)
        try:
            ended = await self._answer(future, up, down, mine, number)
            if "done" in ended and not mine.good[number]:
                # A host on which nothing works would be through with all rounds in no time.
                ended = {"error": f"nothing was measured: {mine.first_failure}"}
            if "error" in ended:
                # Another host may be able to: this one is not asked again by this command.
                self._errors[mine.name] = ended["error"]
                self._tell(f"{mine.name} is not used any more: {ended['error']}")
            elif "done" in ended:
                book.end(mine.name, number)
        finally:
            book.active.discard((mine.name, number))
            with contextlib.suppress(Exception):
                await asyncio.wait_for(down.put({"stop": True}), 5)
            for queue in (up, down):
                with contextlib.suppress(Exception):
                    queue.close()
            future.release()

    async def _answer(self, future: Any, up: Any, down: Any, mine: HostRun, number: int) -> Plain:
        """Answer a task until it ends; what it ended with."""
        ended = asyncio.ensure_future(_result(future))
        question: asyncio.Future[Plain] | None = None
        try:
            while True:
                question = question or asyncio.ensure_future(heard(up))
                await asyncio.wait({ended, question}, return_when=asyncio.FIRST_COMPLETED)
                if not question.done():
                    return dict(await ended)
                asked = await question
                # The next one finds somebody waiting.
                question = asyncio.ensure_future(heard(up))
                self._book.seen(mine.name)
                if "begin" in asked:
                    mine.take(asked["begin"])
                    answer: Plain = {
                        "have": mine.have(number),
                        "failures": mine.failures,
                        "next_launch": mine.next_launch,
                        "next_trial": mine.next_trial,
                    }
                else:
                    mine.take(asked["records"])
                    answer = {"taken": len(asked["records"])}
                await told(down, answer)
        finally:
            for one in (ended, question):
                if one is not None:
                    one.cancel()


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Raise ConnectionError where the scheduler knows a queue no more.

    Dask's client connects again by itself, and another scheduler at the address has no queues.
    """
    try:
        yield
    except KeyError as failure:
        raise ConnectionError("the scheduler began anew") from failure


async def heard(queue: Any) -> Plain:
    """The next message of a queue. Raises ConnectionError if the scheduler has forgotten it."""
    with _kept():
        return dict(await queue.get())


async def told(queue: Any, message: Plain) -> None:
    """Put a message into a queue. Raises ConnectionError if the scheduler has forgotten it."""
    with _kept():
        await queue.put(message)


async def _result(future: Any) -> Plain:
    """What a task returned, or an `error` that it raised; OSError for one that was lost."""
    from distributed import KilledWorker

    try:
        return dict(await future)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        raise ConnectionError("the task was lost") from None
    except (OSError, KilledWorker) as failure:
        raise ConnectionError(first_line(failure)) from failure
    except Exception as failure:  # noqa: BLE001 - whatever a task raised there
        return {"error": first_line(failure)}
