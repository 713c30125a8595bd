"""The parent's side of a worker process."""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.workload.case import Case

START_LIMIT_S = 300.0
LOG_TAIL_LINES = 12


class WorkerLostError(Exception):
    """The worker is gone: `outcome` is `died` or `timeout`."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class Launch:
    """One life of a worker process, for the backend, device and threads of `warm_up`.

    Attributes: `started` is what the worker said of itself when it was ready, `log` the file with
    its standard error.
    """

    def __init__(
        self,
        warm_up: Case,
        data: Path,
        log: Path,
        *,
        data_name: str | None = None,
        python: str = sys.executable,
        folder: Path | None = None,
        module: str = "nnbench.measure.worker",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process, with this Python in this folder, and do not wait for it.

        `data` is a file with the arrays of the data set `data_name`, by default that of `warm_up`;
        the worker loads any other by its name.
        `module` is what serves the requests, `settings` are environment variables besides those
        that tie the process to its device. Raises UserError if the backend is not installed.
        """
        self.log = log
        backend, device, threads = warm_up.worker
        devices.check_installed(backend)
        configuration = {
            "warm_up": warm_up.to_json(),
            "data": str(data),
            "data_name": data_name or warm_up.data,
        }
        self._buffer = b""
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [python, "-m", module, json.dumps(configuration)],
                cwd=folder,
                env={
                    **os.environ,
                    **devices.environment(backend, device, threads),
                    **(settings or {}),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self.started: dict[str, Any] = {}

    def wait_until_ready(self) -> dict[str, Any]:
        """Wait until the worker is warm; return what it says of itself (see `worker.main`).

        Raises UserError for what a user can mend (the device is not there), WorkerLostError if it
        does not come up.
        """
        self.started = self._answer(START_LIMIT_S)
        if "error" in self.started:
            self.stop()
            raise UserError(self.started["error"])
        return self.started

    @property
    def pid(self) -> int:
        """Process number of the worker."""
        return self._process.pid

    def measure(self, case: Case, kind: str, limit_s: float, seed: int = 0) -> dict[str, Any]:
        """Have one trial measured; `seed` is for kinds that are about what a training learns.

        Raises WorkerLostError if the worker dies or takes too long.
        """
        return self.ask({"case": case.to_json(), "kind": kind, "seed": seed}, limit_s)

    def ask(self, request: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """Send a request and wait for its answer; raises as `measure` does."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps(request)}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None
        return self._answer(limit_s)

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

    def _answer(self, limit_s: float) -> dict[str, Any]:
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
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _lost(self) -> WorkerLostError:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        tail = self.log.read_text(errors="replace").strip().splitlines()[-LOG_TAIL_LINES:]
        return WorkerLostError("died", "\n".join([f"the worker ended with {how}", *tail]))
