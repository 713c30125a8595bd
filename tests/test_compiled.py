"""The compiled path against `fit`, one process for each backend: they cannot share one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnbench import devices
from nnbench.case import BACKENDS

QUICK_TO_COMPILE = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""The checks compile hundreds of programs and run each for a moment."""

CHECKS = Path(__file__).parent / "test_compiled_checks.py"


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_training_is_the_training_of_fit(backend: str) -> None:
    if not devices.is_installed(backend):
        pytest.skip(f"{backend} is not installed")
    settings = {
        **os.environ,
        **devices.environment(backend, "cpu", 1),
        "NNBENCH_CHECK_COMPILED": backend,
        "XLA_FLAGS": QUICK_TO_COMPILE,
    }
    checks = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "--no-header",
            "-p",
            "no:cacheprovider",
            str(CHECKS),
        ],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checks.returncode == 0, checks.stdout[-6000:] + checks.stderr[-2000:]
