"""How workers of an environment are started and asked, which depends on the nnbench there.

The parent may be newer than what it measures: a worker runs the nnbench of its own environment.
`nnbench.PROTOCOL` says how that one is spoken to:

- 1, where there is no such constant: each kind of worker is a module of its own, and seeded
  digests are answered unasked, all at once.
- 2: one module starts every worker, and the configuration names the module that answers.
"""

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nnbench
from nnbench.errors import UserError
from nnbench.measure.own_code import Project
from nnbench.measure.serve import TRIALS

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
        found: dict[str, Any] = json.loads(_printed(self, "-m", module))
        return found

    def worker_module(self, room: str) -> str:
        """The module that starts a worker which answers by `room`."""
        if self.protocol > 1 or room == TRIALS:
            return WORKER
        # A few commits have modules by their names of today and the protocol of before.
        return FIRST_DIGESTS if room == DIGESTS and not _ask(self)[1] else room


@functools.cache
def _ask(environment: Environment) -> tuple[int, bool]:
    protocol, moved = map(int, _printed(environment, "-c", ASK).split())
    return protocol, bool(moved)


def _printed(environment: Environment, *arguments: str) -> str:
    answer = subprocess.run(
        [environment.python, *arguments],
        cwd=environment.folder,
        env=os.environ | environment.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        reason = "".join(answer.stderr.strip().splitlines()[-1:])
        raise UserError(f"nnbench does not run in {environment.python}: {reason}")
    return answer.stdout
