"""What is done on a host, in the process of its Dask worker: by `Client.run`, or as a task.

A task waits for the machine, asks whether it may begin, starts nnbench's own worker process, and
waits for its answers: what is timed shares neither interpreter nor environment with Dask. Every
record is on this host's disk before it is sent, and is sent before the next trial begins; it is
forgotten here once it is on the other side's disk. What could not be sent is sent first next time.
"""

import asyncio
import errno
import fcntl
import functools
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nnbench
from nnbench.cluster import settings
from nnbench.errors import UserError
from nnbench.machine import cache, fingerprint
from nnbench.measure import effort
from nnbench.measure import run as measuring
from nnbench.measure.process import DataFile
from nnbench.store import runs
from nnbench.store.trials import Trials
from nnbench.workload import user_model
from nnbench.workload.case import Case

ANSWER_S = 60.0
"""So long a host waits for an answer: then who asked is gone, and the round ends."""

LINGER_S = 0.5
"""Turns of steps last some tens of milliseconds: those of so long are sent together."""

Plain = dict[str, Any]


class GoneError(Exception):
    """Nobody takes the records any more, or wants them."""


OF_THE_DISK = {errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EIO}


def folder() -> Path:
    """Where a host keeps files of studies, and records that were not taken yet."""
    return cache.folder() / "cluster"


def examine(digests: Sequence[str], models: Plain, dask_worker: Any) -> Plain:
    """What a host is, whether it can measure, and which of the files it does not have yet."""
    code = []
    here = fingerprint.take()
    here["host"] = getattr(dask_worker, "nnbench_host", None) or here["host"]
    for reference, digest in models.items():
        try:
            same = user_model.parse(reference).digest() == digest
        except (UserError, OSError):
            same = False
        if not same:
            code.append(f"{reference} is not in {Path.cwd()}, or is another there")
    missing = [one for one in digests if not (folder() / "files" / one).exists()]
    return {
        "faults": settings.faults(dask_worker),
        "code": code,
        "fingerprint": here,
        "missing": missing,
        "package": package_digest(),
    }


@functools.cache
def package_digest() -> str:
    """SHA-256 of this nnbench's own files: both sides must be the same one."""
    top = Path(nnbench.__file__).parent
    found = hashlib.sha256()
    for file in sorted(top.rglob("*.py")):
        found.update(f"{file.relative_to(top)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def receive(digest: str, offset: int, piece: bytes, *, is_last: bool, sender: str) -> None:
    """Take a piece of a file, which is there once the last piece is. UserError if it cannot be."""
    path = folder() / "files" / digest
    partial = path.with_name(f"{digest}.{sender}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(piece)
        if is_last:
            partial.replace(path)
    except OSError as failure:
        raise _unwritten(failure) from failure


def _unwritten(failure: OSError) -> UserError:
    """What a host says whose disk takes nothing: not that it is gone, as other errors would."""
    return UserError(
        f"{failure.filename or folder()} cannot be written there: {failure.strerror or failure}"
    )


@contextmanager
def machine_lock() -> Iterator[None]:
    """Wait until nothing else is timed on this machine by a cluster, and keep it so.

    A resource of Dask's counts for one worker process: several on one machine, as `--workers 2`
    starts them, would time at once on the same cores. They take turns instead.
    """
    path = Path(tempfile.gettempdir()) / "nnbench-timing.lock"
    if not path.exists():
        path.touch(mode=0o666)
    with path.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Channel:
    """Questions of a task to the client that gave it; each waits for its answer."""

    def __init__(self, attempt: str) -> None:
        """Open both queues, which are the scheduler's: neither side need reach the other."""
        from distributed import Queue, get_client

        self._client = client = get_client()
        self._up = Queue(f"{attempt}-up", client=client)
        self._down = Queue(f"{attempt}-down", client=client)

    def ask(self, message: Plain) -> Plain:
        """The client's answer. Raises GoneError if it wants no more, or is not there."""

        async def exchange() -> Plain:
            # Waited for from the beginning, so that the answer finds somebody waiting.
            answer = asyncio.ensure_future(self._down.get(timeout=ANSWER_S, asynchronous=True))
            try:
                await self._up.put(message, asynchronous=True)
                return dict(await answer)
            finally:
                answer.cancel()

        try:
            answer: Plain = self._client.sync(exchange)
        except (TimeoutError, OSError, KeyError) as failure:
            raise GoneError(f"no answer ({failure!r})") from failure
        if "stop" in answer:
            raise GoneError("it is not wanted any more")
        return answer

    def close(self) -> None:
        """Let the scheduler forget them, where there still is one."""
        self._up.close()
        self._down.close()


class Outbox:
    """Records on this host's disk until they are on the client's."""

    def __init__(self, folder: Path, attempt: str, send: Callable[[list[str]], object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{attempt}.jsonl"
        self._file = self._path.open("ab", buffering=0)
        self._send = send
        self._waiting: list[str] = []
        self._sent_s = time.monotonic()

    def append(self, record: Plain, *, sync: bool = True) -> None:
        """Keep a record, and send it: at once, or with those that soon follow."""
        line = json.dumps(record, allow_nan=False)
        self._file.write(f"{line}\n".encode())
        self._waiting.append(line)
        if sync or time.monotonic() - self._sent_s >= LINGER_S:
            self.send()

    def send(self) -> None:
        """Send what waits, and wait until it is taken. Raises GoneError where nobody takes it."""
        if self._waiting:
            os.fsync(self._file.fileno())
            self._send(self._waiting)
            self._waiting = []
        self._sent_s = time.monotonic()

    def close(self, *, forget: bool) -> None:
        """Close it; `forget` what has been taken."""
        self._file.close()
        if forget:
            self._path.unlink()


def left_over(folder: Path) -> tuple[list[Path], list[str]]:
    """Files of earlier attempts that ended too soon, and the records that they hold, in order."""
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    # A line without an end was cut off in flight.
    lines = [line for file in files for line in file.read_text().split("\n")[:-1]]
    return files, [line for line in lines if line]


def measure(order: Plain) -> Plain:
    """Measure what is missing of a round; what it ends with: `done`, or an `error` for a person."""
    with machine_lock():
        channel = Channel(order["attempt"])
        try:
            return _measure(order, channel)
        except GoneError as gone:
            return {"gone": str(gone)}
        except UserError as mistake:
            return {"error": str(mistake)}
        except OSError as failure:
            if failure.errno not in OF_THE_DISK:
                raise
            return {"error": str(_unwritten(failure))}
        finally:
            channel.close()


def _measure(order: Plain, channel: Channel) -> Plain:
    place = folder() / "studies" / order["study"] / order["host"]
    files, lines = left_over(place)
    # Asked once the machine is free: Dask may run a task again that ended with its worker.
    answer = channel.ask({"begin": lines})
    for file in files:
        file.unlink()
    specification = json.loads((folder() / "files" / order["specification"]).read_text())
    (place / "logs").mkdir(parents=True, exist_ok=True)
    arrays = DataFile(folder() / "files" / order["data"], order["data_name"], order["is_stream"])
    # Dask's messages hold tuples where lists were sent.
    run = runs.Run(place, "", specification, {}, [], Trials(answer["failures"]))
    outbox = Outbox(place, order["attempt"], lambda lines: channel.ask({"records": lines}))
    done = False
    try:
        measuring.measure_round(
            run,
            order["round"],
            outbox,
            arrays,
            have={tuple(key) for key in answer["have"]},
            next_launch=answer["next_launch"],
            next_trial=answer["next_trial"],
        )
        outbox.send()
        done = True
    except UserError:
        outbox.send()
        done = True
        raise
    finally:
        outbox.close(forget=done)
    return {"done": True}


def look(order: Plain) -> Plain:
    """A first look at cases (see `measure.effort`), by their keys."""
    cases = [Case.from_json(plain) for plain in order["cases"]]
    arrays = DataFile(folder() / "files" / order["data"], order["data_name"], order["is_stream"])
    with machine_lock():
        found = effort.looked_in(arrays, cases, order["limit_s"])
    return {"looks": {key: asdict(one) for key, one in found.items()}}
