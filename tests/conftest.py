"""What several test modules use: running the real command line and real backends."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Torch's threads spin while they wait: with a test on each CPU they only take time from each other.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

Command = Callable[..., subprocess.CompletedProcess[str]]


LONGEST = ("test_readme.py", "test_compiled.py", "test_asv_suite.py", "test_costs.py")
"""Files that take minutes: begun first, so that none of them is left to one process at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all else in its order."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def nnbench(tmp_path: Path) -> Command:
    """Run `nnbench` in an empty folder, as a person would."""

    def call(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nnbench", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "NNBENCH_CACHE": str(tmp_path / "cache"), **environment},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return call


@pytest.fixture
def in_backend(tmp_path: Path) -> Callable[[str, str], str]:
    """Run code in a process of its own whose Keras was started on a backend; its output."""

    def call(backend: str, code: str) -> str:
        start = f"from nnbench.machine import devices\ndevices.start({backend!r})\n"
        answer = subprocess.run(
            [sys.executable, "-c", start + code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return call
