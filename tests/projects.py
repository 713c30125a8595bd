"""Projects in temporary folders, and environments that borrow what is installed."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
BORROWED = sysconfig.get_path("purelib")

LIMIT_S = 900
"""Of one command. It ends what hangs, and is no measure of anything."""


def nnbench_in(folder, *arguments, **environment):
    """Run `nnbench` in a folder, as a person would; data that are fetched stay there, too."""
    return subprocess.run(
        [sys.executable, "-m", "nnbench", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "NNBENCH_CACHE": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def call(command, folder, *, check=True, **environment):
    """Run a command as a person in `folder` would, without what the tests' own run has set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS")
    }
    answer = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert not check or answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def git(folder, *arguments):
    identity = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    return call(["git", *identity, *arguments], folder).stdout.strip()


def commit_all(folder, message):
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message, "--allow-empty")


def copy_of_this_project(folder):
    """The working tree as the first commit of a repository of its own."""
    ignored = shutil.ignore_patterns(
        *(".git", ".venv", "__pycache__", ".*_cache", ".asv", ".nnbench", ".hypothesis", "20*"),
        *("asv", "asv_html", "asv_runs"),
    )
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    git(folder, "init", "-q", "-b", "main")
    commit_all(folder, "one")
    return folder


def environment_with_wheel(folder, wheel):
    """A new environment: this project installed from its wheel, all else borrowed."""
    pip = [sys.executable, "-m", "pip"]
    quiet = ["--quiet", "--no-deps", "--disable-pip-version-check"]
    environment = folder / "environment"
    call([sys.executable, "-m", "venv", "--without-pip", environment], folder)
    python = environment / "bin" / "python"
    call([*pip, "--python", python, "install", *quiet, wheel], folder)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(BORROWED + "\n")
    return python
