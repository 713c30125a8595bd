"""The parent's side of a worker process."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from nnbench.errors import UserError, first_line
from nnbench.machine import devices
from nnbench.machine.child import Child
from nnbench.measure import own_code
from nnbench.measure.protocol import Environment
from nnbench.measure.serve import TRIALS
from nnbench.workload import handed
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset, nest

START_LIMIT_S = 300.0
FIRST_USE_S = 10.0
"""Beyond a trial's limit, for what a process pays for its first training."""

LOG_TAIL_LINES = 12

LOOK_S = 2.0
"""How often a worker that does not answer is looked at: few wake-ups, as it is being measured."""


class WorkerLostError(Exception):
    """The worker is gone: `outcome` is `died` or `timeout`.

    `by_itself` is false for one that was killed: that says nothing of its case.
    """

    def __init__(self, outcome: str, message: str, *, by_itself: bool = True) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.by_itself = by_itself

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return first_line(self)


@dataclass(frozen=True)
class DataFile:
    """A file with the arrays of the data set `name`, which workers read.

    Where it is a `stream` they are its first batch: workers make it anew.
    """

    path: Path
    name: str
    is_stream: bool = False


@contextmanager
def data_file(data: Dataset) -> Iterator[DataFile]:
    """The data as a file for workers, for as long as they live."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "data.npz"
        if data.is_plain:
            # Workers of other commits know no others.
            arrays = {"features": data.features, "labels": data.labels}
        else:
            arrays = nest.pack(data.training_data)
        np.savez(path, **arrays)
        yield DataFile(path, data.name, data.stream is not None)


class Worker:
    """One life of a worker process; its standard error goes to the file `log`."""

    def __init__(
        self,
        warm_up: Case,
        data: DataFile,
        log: Path,
        *,
        environment: Environment | None = None,
        room: str = TRIALS,
        settings: Mapping[str, str] | None = None,
        **configuration: Any,
    ) -> None:
        """Start the process in an environment, the parent's by default, and do not wait for it.

        It is tied to the backend, device and threads of `warm_up`; the module `room` answers it
        and reads `configuration` (see `serve`); `settings` are environment variables. Data sets
        that `data` does not hold it loads by name. Raises UserError if the backend is not there.
        """
        self.log = log
        self._buffer = b""
        self._asked = True
        self._modules: own_code.Modules = {}
        devices.check_installed(warm_up.backend)
        self._environment = environment = environment or Environment()
        module = environment.worker_module(room)
        file: dict[str, Any] = {"data": str(data.path), "data_name": data.name}
        file |= {"stream": True} if data.is_stream else {}
        configuration |= {"warm_up": warm_up.to_json(), **file, "room": room}
        # Workers of other commits do not know this, and say nothing before they are ready.
        configuration["tell_start"] = True
        own = handed.packed()
        if own is not None:
            if environment != Environment():
                raise UserError(
                    f"{warm_up.label}: what a notebook or script defines is not handed to another "
                    f"environment: {handed.INSTEAD}"
                )
            configuration["handed"] = True
        self._warm_up = warm_up
        if environment.project:
            configuration["project"] = environment.project.to_json()
        # What compiles is timed: it must not come from a cache on disk.
        variables = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
        variables |= environment.variables | devices.environment(*warm_up.worker)
        variables |= dict(settings or {})
        with log.open("wb") as errors:
            self._process = Child(
                [environment.python, "-m", module, json.dumps(configuration)],
                cwd=environment.folder,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        if own is not None:
            assert self._process.stdin is not None
            # Of one that has ended already, what it said tells why.
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{own}\n".encode())
                self._process.stdin.flush()

    def wait_until_ready(self, limit_s: float = START_LIMIT_S) -> dict[str, Any]:
        """What it says once warm; UserError where no case can be trained, else WorkerLostError.

        A person's own function, which is called for that, may take no longer than `limit_s` and
        what a process pays once.
        """
        ready: dict[str, Any] = self.answer(START_LIMIT_S)
        if "started" in ready:
            model = self._warm_up.model
            try:
                ready = self.answer(limit_s + FIRST_USE_S if model else START_LIMIT_S)
            except WorkerLostError as lost:
                if lost.outcome != "timeout" or model is None:
                    raise
                what = f"{model} was not made and trained within {limit_s:g} s"
                raise WorkerLostError("timeout", f"{what}: mend it or raise --limit") from None
        if "error" in ready:
            self.stop()
            raise UserError(ready["error"])
        if self._environment.project and self._modules:
            ready["code"] = own_code.digest(self._environment.project, self._modules)
        return ready

    @property
    def pid(self) -> int:
        """Process number of the worker."""
        return self._process.pid

    def ask(self, case: Case, limit_s: float, **request: Any) -> dict[str, Any]:
        """The room's answer to a request; WorkerLostError if the worker dies or takes too long."""
        assert self._process.stdin is not None
        line = json.dumps({"case": case.to_json(), **request})
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None
        return self.answer(limit_s)  # type: ignore[no-any-return]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the worker and what it started, by force if it is at work or does not go."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if not self._asked:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        self._process.end()
        self._process.stdout.close()

    def answer(self, limit_s: float) -> Any:
        """The next line that the worker answers; raises as `ask` does."""
        assert self._process.stdout is not None
        self._asked = True
        deadline_s = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                left_s = deadline_s - time.monotonic()
                if selector.select(min(max(0.0, left_s), LOOK_S)):
                    chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                    if not chunk:
                        raise self._lost()
                    self._buffer += chunk
                elif self._process.poll() is not None:
                    # What it started and has not ended would keep its output open.
                    raise self._lost()
                elif left_s <= 0:
                    self._process.end()
                    raise WorkerLostError("timeout", f"no answer within {limit_s:g} s")
        self._asked = False
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer = json.loads(line)
        if isinstance(answer, dict):
            self._check_code(answer.pop("modules", {}))
            if "failure" in answer:
                self.stop()
                raise WorkerLostError("died", "\n".join(answer["failure"]))
        return answer

    def _check_code(self, modules: own_code.Modules) -> None:
        if self._environment.project:
            own_code.check(self._environment.project, modules)
            self._modules |= modules

    def _lost(self) -> WorkerLostError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._process.end()
        code = self._process.returncode
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        tail = self.log.read_text(errors="replace").strip().splitlines()[-LOG_TAIL_LINES:]
        # Python's own last words are what was raised.
        why = f": {tail.pop()}" if tail and code > 0 else ""
        message = "\n".join([f"the worker ended with {how}{why}", *tail])
        return WorkerLostError("died", message, by_itself=code != -signal.SIGKILL)
