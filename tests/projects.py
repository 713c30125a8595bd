"""Projects in temporary folders, and environments that borrow what is installed."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import warnings
from pathlib import Path
from unittest import mock

import pytest
from forked import FORKS

from nnbench.cli import main

ROOT = Path(__file__).parents[1]
BEFORE_THE_MOVE = "9355ed70dba70b62e519d727966c0b48b06d447a"
"""The last commit whose package is laid out as the first house was."""

BORROWED = sysconfig.get_path("purelib")

LIMIT_S = 900
"""Of one command. It ends what hangs, and is no measure of anything."""


TRAINS_ITSELF = {"train", "show"}
"""Commands that start a backend in their own process; all others leave that to workers."""

FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}

SWEEPS = 4
"""Of steps, in commands that are run here: tests that hang on timings set the usual number."""


@contextlib.contextmanager
def shortened(*, pictures):
    """What makes measurements exact and charts readable is most of a small command's time."""
    from nnbench.layers import plan
    from nnbench.measure import effort
    from nnbench.show import figures

    with contextlib.ExitStack() as here:
        for module in (effort, plan):
            here.enter_context(mock.patch.object(module, "SWEEPS", SWEEPS))
        if not pictures:
            here.enter_context(mock.patch.object(figures, "png", return_value=b""))
        yield


def nnbench_in(folder, *arguments, pictures=False, **environment):
    """Run `nnbench` in a folder, as a person would; data that are fetched stay there, too.

    The command runs in this process, where what it imports need not be imported for each test,
    one that trains in a fork of another, on JAX. It samples steps less often, and its charts are
    empty files unless `pictures` are asked for.
    """
    arguments = [str(argument) for argument in arguments]
    if arguments and arguments[0] in TRAINS_ITSELF:
        settings = {**os.environ, "NNBENCH_CACHE": str(folder / "cache"), **environment}
        forked = FORKS.run(folder, arguments, settings)
        return forked or nnbench_process(folder, *arguments, **environment)
    out, errors, status = io.StringIO(), io.StringIO(), 0
    ended_by = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    with contextlib.ExitStack() as here:
        settings = {"NNBENCH_CACHE": str(folder / "cache"), **environment}
        here.enter_context(mock.patch.dict(os.environ, settings))
        here.enter_context(mock.patch.object(sys, "argv", ["nnbench", *arguments]))
        here.enter_context(contextlib.chdir(folder))
        here.enter_context(contextlib.redirect_stdout(out))
        here.enter_context(contextlib.redirect_stderr(errors))
        here.enter_context(shortened(pictures=pictures))
        here.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="Cyclopts application invoked")
        for one, known in ended_by.items():
            here.callback(signal.signal, one, known)
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    loaded = FRAMEWORKS & set(sys.modules)
    assert not loaded, f"the process that schedules imported {', '.join(loaded)}"
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), errors.getvalue())


def nnbench_process(folder, *arguments, **environment):
    """`nnbench_in` in a process of its own."""
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
    # As an environment of its own: what lies there may lead to other folders.
    (packages / "borrowed.pth").write_text(f"import site; site.addsitedir({BORROWED!r})\n")
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
