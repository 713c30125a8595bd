"""Processes that train on the CPU, forked from one that has imported Keras on their backend.

Each is a process of its own all the same; what imports take need not be paid for each test.
"""

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnbench.machine.child import Child

HERE = Path(__file__).parent
LIMIT_S = 900
"""Of one command. It ends what hangs, and is no measure of anything."""

SCRATCH = tempfile.gettempdir()
"""What it is before any test has another: a server outlives the test that starts it."""

WORKER = "nnbench.measure.worker"


class Forks:
    """Starts the server of a backend when it is needed; without one there are no forks of it."""

    def __init__(self) -> None:
        self._servers: dict[str, tuple[str, subprocess.Popen[str]]] = {}
        self._owner = 0

    def socket(self, backend: str) -> str | None:
        """Where the server of a backend listens; None where nothing can be forked."""
        if self._owner != os.getpid():
            self._servers, self._owner = {}, os.getpid()
        if backend not in self._servers:
            self._servers[backend] = _server(backend)
        path, process = self._servers[backend]
        return path if process.poll() is None else None

    def run(
        self, folder: Path, arguments: list[str], environment: dict[str, str]
    ) -> "subprocess.CompletedProcess[str] | None":
        """Run `nnbench` in a folder, in just this environment; None where that cannot be."""
        path = self.socket("jax")
        if path is None:
            return None
        with contextlib.ExitStack() as here:
            nothing = here.enter_context(Path(os.devnull).open())
            out, errors = (here.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
            try:
                ended = subprocess.run(
                    _command(path, "nnbench", arguments),
                    cwd=folder,
                    env=environment,
                    stdin=nothing,
                    stdout=out,
                    stderr=errors,
                    timeout=LIMIT_S,
                    check=False,
                )
            finally:
                out.seek(0)
                errors.seek(0)
            return subprocess.CompletedProcess(
                arguments, ended.returncode, out.read(), errors.read()
            )

    def instead_of(self, command: Sequence[str]) -> Sequence[str]:
        """What is started in place of a worker; anything else as it is."""
        python, *started = command
        if python != sys.executable or started[:2] != ["-m", WORKER]:
            return command
        case = json.loads(started[2])["warm_up"]
        # How many threads there are is fixed by an import.
        usual = case["device"] == "cpu" and case["threads"] is None
        path = self.socket(case["backend"]) if usual else None
        return command if path is None else _command(path, WORKER, started[2:])


def _server(backend: str) -> "tuple[str, subprocess.Popen[str]]":
    folder = tempfile.mkdtemp(prefix="forks-", dir=SCRATCH)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fork_server.py"), path, backend],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    if not process.stdout.readline():
        process.wait()
    return path, process


def _command(path: str, module: str, arguments: Sequence[str]) -> list[str]:
    client = [sys.executable, "-I", "-S", str(HERE / "fork_client.py")]
    return [*client, path, module, *arguments]


FORKS = Forks()


class ForkedChild(Child):
    """A child that is forked where it can be."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        super().__init__(FORKS.instead_of(command), **options)
