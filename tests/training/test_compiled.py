"""The compiled path against `fit`, one process for each backend: they cannot share one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnbench.machine import devices
from nnbench.machine.devices import BACKENDS

CHECKS = Path(__file__).parent / "compiled_checks.py"


@pytest.fixture(scope="module")
def checks() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """One process for each installed backend, all at once."""
    running = {backend: _start(backend) for backend in BACKENDS if devices.is_installed(backend)}
    yield running
    for process in running.values():
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _start(backend: str) -> "subprocess.Popen[str]":
    settings = {
        **os.environ,
        **devices.environment(backend, "cpu", 1),
        "NNBENCH_CHECK_COMPILED": backend,
    }
    # Two programs of one training are compared: with the kernels that people have.
    hurried = settings.get("XLA_FLAGS", "").split()
    settings["XLA_FLAGS"] = " ".join(one for one in hurried if "fusion_emitters" not in one)
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(CHECKS)],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_training_is_the_training_of_fit(
    backend: str, checks: dict[str, subprocess.Popen[str]]
) -> None:
    if backend not in checks:
        pytest.skip(f"{backend} is not installed")
    output, _ = checks[backend].communicate()
    assert checks[backend].returncode == 0, output[-6000:]
