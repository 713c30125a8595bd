"""Processes that run a person's code: each with all that it starts is one group, ended as one.

A group ends with this process, however that ends (see `machine.guard`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GUARD = Path(__file__).with_name("guard.py")

_running: "weakref.WeakSet[Child]" = weakref.WeakSet()


class Child(subprocess.Popen[bytes]):
    """A process in a session of its own; `kill` ends it and what it started."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        """Start it; `options` are those of `subprocess.Popen`."""
        theirs, self._lifeline = os.pipe()
        guard = [sys.executable, "-I", "-S", str(GUARD), str(theirs)]
        try:
            super().__init__(
                [*guard, *command], pass_fds=[theirs], start_new_session=True, **options
            )
        finally:
            os.close(theirs)
        _running.add(self)

    def kill(self) -> None:
        """End the group, also where the process itself has ended and others of it have not."""
        # While what guards it lives, no other group gets its number; after `end` one may.
        if self._lifeline >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """End the group, if need be by force, and forget it."""
        self.kill()
        self.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._lifeline = -1
        _running.discard(self)


def run(
    command: Sequence[str], *, limit_s: float, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """What a command printed, once it has ended; `subprocess.TimeoutExpired` after `limit_s`.

    `options` are those of `subprocess.Popen`.
    """
    # Files, as a pipe is read until the last of what the command started has closed it.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = Child(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, **options)
        try:
            status = child.wait(limit_s)
        finally:
            child.end()
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), errors.read())


def end_all() -> None:
    """End all groups that run: threads that wait for one of them go on."""
    for child in list(_running):
        child.kill()
