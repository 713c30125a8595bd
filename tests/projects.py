"""Projects in temporary folders, and environments that borrow what is installed."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BEFORE_THE_MOVE = "9355ed70dba70b62e519d727966c0b48b06d447a"
"""The last commit whose package is laid out as the first house was."""

BORROWED = sysconfig.get_path("purelib")


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
        timeout=600,
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


def environment_with_wheel(folder):
    """A new environment: this project installed from its wheel, all else borrowed."""
    pip = [sys.executable, "-m", "pip"]
    wheels = folder / "wheels"
    quiet = ["--quiet", "--no-deps", "--disable-pip-version-check"]
    call([*pip, "wheel", *quiet, "--no-build-isolation", "--wheel-dir", wheels, ROOT], folder)
    (wheel,) = wheels.glob("*.whl")
    environment = folder / "environment"
    call([sys.executable, "-m", "venv", "--without-pip", environment], folder)
    python = environment / "bin" / "python"
    call([*pip, "--python", python, "install", *quiet, wheel], folder)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(BORROWED + "\n")
    return python


def skip_without(commit, repository=ROOT):
    """Skip the test where a repository does not hold a commit."""
    known = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    if call(known, repository, check=False).returncode != 0:
        pytest.skip(f"this clone does not hold {commit[:9]}: it is a shallow one")


def tree_of(commit, folder):
    """The files of a commit of this repository; the test is skipped where it is not known."""
    skip_without(commit)
    packed = folder / "tree.tar"
    call(["git", "archive", "--output", packed, commit], ROOT)
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "tree", filter="data")
    return folder / "tree"
