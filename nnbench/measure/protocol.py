"""How workers of an environment are started and asked, which depends on the nnbench there.

The parent may be newer than what it measures: a worker runs the nnbench of its own environment.
`nnbench.PROTOCOL` says how that one is spoken to:

- 1, where there is no such constant: each kind of worker is a module of its own, and seeded
  digests are answered unasked, all at once.
- 2: one module starts every worker, and the configuration names the module that answers.
"""

import functools
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nnbench
from nnbench.errors import UserError
from nnbench.machine import child, fields
from nnbench.measure.own_code import Project
from nnbench.measure.serve import TRIALS
from nnbench.store.folder import read_fingerprint

ASK_LIMIT_S = 120.0

WORKER = "nnbench.measure.worker"
DIGESTS = "nnbench.measure.seeded_digest"
FIRST_DIGESTS = "nnbench.measure.numerics"

ASK = """
import importlib.util, nnbench
print(getattr(nnbench, "PROTOCOL", 1), int(importlib.util.find_spec("nnbench.machine") is not None))
"""


@dataclass(frozen=True)
class Environment:
    """Where workers run: a Python and a working directory; None is the parent's.

    `project` says which files are of this side, where it is one of a repository's.
    """

    python: str = sys.executable
    folder: Path | None = None
    project: Project | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What workers have otherwise among the variables of their environment."""
        return self.project.variables if self.project else {}

    @property
    def protocol(self) -> int:
        """The version of the protocol there. Raises UserError if nnbench cannot be imported."""
        is_ours = self.python == sys.executable and self.folder is None
        return nnbench.PROTOCOL if is_ours else _ask(self)[0]

    def fingerprint(self) -> dict[str, Any]:
        """Taken by that Python in that folder. Raises UserError if nnbench does not run there."""
        moved = self.protocol > 1 or _ask(self)[1]
        module = "nnbench.machine.fingerprint" if moved else "nnbench.fingerprint"
        told = fields.parse(_printed(self, "-m", module), f"what {self.python} tells of itself")
        return read_fingerprint(told)

    def worker_module(self, room: str) -> str:
        """The module that starts a worker which answers by `room`."""
        if self.protocol > 1 or room == TRIALS:
            return WORKER
        # A few commits have modules by their names of today and the protocol of before.
        return FIRST_DIGESTS if room == DIGESTS and not _ask(self)[1] else room


@functools.cache
def _ask(environment: Environment) -> tuple[int, bool]:
    said = _printed(environment, "-c", ASK)
    if not re.fullmatch(rb"\d{1,4} [01]\s*", said):
        raise UserError(f"nnbench does not run in {environment.python}: it is no Python")
    protocol, moved = map(int, said.split())
    return protocol, bool(moved)


def _printed(environment: Environment, *arguments: str) -> bytes:
    command, variables = [environment.python, *arguments], os.environ | environment.variables
    answer = ended(command, ASK_LIMIT_S, cwd=environment.folder, env=variables)
    if answer.returncode != 0:
        reason = "".join(answer.stderr.decode(errors="replace").strip().splitlines()[-1:])
        raise UserError(f"nnbench does not run in {environment.python}: {reason}")
    return answer.stdout


def ended(
    command: Sequence[str], limit_s: float, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """What a command printed, as `machine.child.run` does. Raises UserError if it never ends."""
    try:
        return child.run(command, limit_s=limit_s, **options)
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} did not end within {limit_s:g} s") from None
