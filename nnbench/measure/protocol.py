"""How workers of an environment are started and asked, which depends on the nnbench there.

The parent may be newer than what it measures: a worker runs the nnbench of its own environment.
`nnbench.PROTOCOL` says how that one is spoken to:

- 1, where there is no such constant: each kind of worker is a module of its own, and seeded
  digests are answered unasked, all at once.
- 2: one module starts every worker, and the configuration names the module that answers.
"""

import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nnbench
from nnbench.errors import UserError
from nnbench.measure.serve import TRIALS

WORKER = "nnbench.measure.worker"
DIGESTS = "nnbench.measure.seeded_digest"
FIRST_MODULES = {TRIALS: WORKER, DIGESTS: "nnbench.measure.numerics"}
"""What starts a worker in protocol 1; other kinds are started by the module that answers."""

ASK = "import nnbench; print(getattr(nnbench, 'PROTOCOL', 1))"


@dataclass(frozen=True)
class Environment:
    """Where workers run: a Python and a working directory; None is the parent's."""

    python: str = sys.executable
    folder: Path | None = None

    @property
    def protocol(self) -> int:
        """The version of the protocol there. Raises UserError if nnbench cannot be imported."""
        return nnbench.PROTOCOL if self == Environment() else _protocol(self)

    @property
    def fingerprint_module(self) -> str:
        """The module that prints a fingerprint of that environment."""
        return "nnbench.fingerprint" if self.protocol == 1 else "nnbench.machine.fingerprint"

    def worker_module(self, room: str) -> str:
        """The module that starts a worker which answers by `room`."""
        return FIRST_MODULES.get(room, room) if self.protocol == 1 else WORKER


@functools.cache
def _protocol(environment: Environment) -> int:
    answer = subprocess.run(
        [environment.python, "-c", ASK],
        cwd=environment.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        reason = "".join(answer.stderr.strip().splitlines()[-1:])
        raise UserError(f"nnbench does not run in {environment.python}: {reason}")
    return int(answer.stdout)
