"""Commands that train in their own process, forked from one that has imported Keras on JAX.

Each is a process of its own all the same; what imports take need not be paid for each test.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT_S = 900
"""Of one command. It ends what hangs, and is no measure of anything."""

SERVE = """
import json, os, signal, sys, traceback, warnings

from nnbench.machine import devices, keras_import
os.environ.update(devices.environment("jax", "cpu", None))
with keras_import.only_what_trains("jax"):
    import keras
from nnbench.cli import main
from nnbench.show import figures, progress
from nnbench.training import charts, loss_curve, session, tables

warnings.filterwarnings("ignore", message="os.fork")
if len(os.listdir("/proc/self/task")) > 1:
    raise SystemExit("what has threads cannot be forked")

def command(asked):
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["nnbench", *asked["arguments"]]
    nothing = os.open(os.devnull, os.O_RDONLY)
    files = [os.open(asked[name], os.O_WRONLY) for name in ("out", "errors")]
    for number, file in enumerate((nothing, *files)):
        os.dup2(file, number)
    main()

def forked(asked):
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        signal.alarm(asked["limit_s"])
        command(asked)
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    print(forked(json.loads(line)), file=answers, flush=True)
"""


class Forks:
    """Starts the first process when it is needed, and then a fork of it for each command."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, folder: Path, arguments: list[str], environment: dict[str, str]
    ) -> "subprocess.CompletedProcess[str] | None":
        """Run `nnbench` in a folder, in just this environment; None where that cannot be."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as errors:
            asked = {"folder": str(folder), "arguments": arguments, "environment": environment}
            asked |= {"out": out.name, "errors": errors.name, "limit_s": LIMIT_S}
            try:
                self._process.stdin.write(json.dumps(asked) + "\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                return None
            status = self._process.stdout.readline()
            if not status:
                return None
            told = out.read(), errors.read()
        return subprocess.CompletedProcess(arguments, int(status), *told)
