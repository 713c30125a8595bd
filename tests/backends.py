"""Processes in which a backend was started once, and that run one snippet of code after another."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SERVE = """
import contextlib, io, json, os, sys, traceback

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from nnbench.machine import devices

devices.start(sys.argv[1])
from keras import config

policy = config.dtype_policy()
for line in sys.stdin:
    asked = json.loads(line)
    os.chdir(asked["folder"])
    # As a person's model may have set it for all of Keras.
    config.set_dtype_policy(policy)
    printed, problem = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(asked["code"], "<snippet>", "exec"), {"__name__": "__main__"})
        except BaseException:
            problem = traceback.format_exc()
    print(json.dumps([printed.getvalue(), problem]), file=answers, flush=True)
"""


class Backend:
    """A process that stays alive; each snippet has a namespace of its own and all else in common.

    A test whose outcome hangs on what else the process did or imported needs a fresh one.
    """

    def __init__(self, name: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(self, code: str, folder: Path) -> str:
        """Run code in a folder; what it printed."""
        try:
            self._process.stdin.write(json.dumps({"code": code, "folder": str(folder)}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BaseException:
            # Also where the test ran out of time: an answer that comes later is nobody's.
            self.stop()
            raise
        if not answer:
            self._errors.seek(0)
            raise AssertionError(f"the process ended: {self._errors.read()[-4000:]}")
        printed, problem = json.loads(answer)
        assert not problem, problem
        return printed

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
