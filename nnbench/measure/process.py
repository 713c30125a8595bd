"""The parent's side of a worker process."""

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.protocol import Environment
from nnbench.measure.serve import TRIALS
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

START_LIMIT_S = 300.0
LOG_TAIL_LINES = 12


class WorkerLostError(Exception):
    """The worker is gone: `outcome` is `died` or `timeout`."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True)
class DataFile:
    """A file with the arrays of the data set `name`, which workers read."""

    path: Path
    name: str


@contextmanager
def data_file(data: Dataset) -> Iterator[DataFile]:
    """The data as a file for workers, for as long as they live."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "data.npz"
        np.savez(path, features=data.features, labels=data.labels)
        yield DataFile(path, data.name)


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
        devices.check_installed(warm_up.backend)
        environment = environment or Environment()
        module = environment.worker_module(room)
        file = {"data": str(data.path), "data_name": data.name}
        configuration |= {"warm_up": warm_up.to_json(), **file, "room": room}
        variables = os.environ | devices.environment(*warm_up.worker) | dict(settings or {})
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [environment.python, "-m", module, json.dumps(configuration)],
                cwd=environment.folder,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def wait_until_ready(self) -> dict[str, Any]:
        """What it says once warm; UserError for what a user can mend, else WorkerLostError."""
        ready: dict[str, Any] = self.answer(START_LIMIT_S)
        if "error" in ready:
            self.stop()
            raise UserError(ready["error"])
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
        """End the worker, by force if it does not go by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            self._process.kill()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def answer(self, limit_s: float) -> Any:
        """The next line that the worker answers; raises as `ask` does."""
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, deadline_s - time.monotonic())):
                    self._process.kill()
                    self._process.wait()
                    raise WorkerLostError("timeout", f"no answer within {limit_s:.0f} s")
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise self._lost()
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _lost(self) -> WorkerLostError:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        tail = self.log.read_text(errors="replace").strip().splitlines()[-LOG_TAIL_LINES:]
        return WorkerLostError("died", "\n".join([f"the worker ended with {how}", *tail]))
