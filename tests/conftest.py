"""What several test modules use: the real command line, real backends, a browser.

What is measured or built once is shared by all tests of a session, also by those that run in
other processes of it: `once` makes it, a test that changes it copies it first.
"""

import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import projects
import pytest
from backends import Backend
from forked import ForkedChild
from hypothesis import HealthCheck, settings
from projects import ROOT, nnbench_in

from nnbench.measure import process

# Torch's threads spin while they wait: with a test on each CPU they only take time from each other.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
# Nor has NumPy more to gain from threads than they cost, with matrices as small as ours.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# How long an example takes says nothing about the code: a machine may be as slow as it likes.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

QUICK_TO_COMPILE = " ".join(
    (
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        "--xla_cpu_use_fusion_emitters=false",
    )
)
"""Of XLA: what a test trains is so short that its compilation is most of it.

Without the fusion emitters that takes half the time; tests marked `alone` have XLA as it is.
"""

Command = Callable[..., subprocess.CompletedProcess[str]]
Once = Callable[[str, Callable[[Path], None]], Path]

CALIBRATION = ("--backend", "jax", "--path", "fit", "--budget", "1s", "--families", "dense")

LONGEST = (
    *("test_documentation.py", "training/test_compiled.py", "suites/test_asv_suite.py"),
    *("suites/test_suites.py", "workload/test_saved_studies.py", "measure/test_own_models.py"),
    *("cluster/test_cluster.py", "measure/test_kill.py", "training/test_fit_table.py"),
    *("test_action.py", "training/test_session.py", "workload/test_user_code.py"),
    *("api/test_notebook.py", "race/test_race.py", "measure/test_environments.py"),
    *("measure/test_run.py", "workload/test_tasks.py", "workload/test_counting.py"),
    *("workload/test_initial_values.py", "drift/test_golden.py", "cli/test_compare.py"),
    *("explain/test_by_layer.py", "doctor/test_doctor.py", "scale/test_replicas.py"),
    *("docs/test_site.py", "measure/test_pieces.py", "measure/test_effort.py"),
    *("drift/test_drift.py", "costs/test_costs.py", "cli/test_terminal.py", "cli/test_cli.py"),
    *("measure/test_precision.py", "measure/test_own_code.py", "cli/test_history.py"),
    *("measure/test_failures.py", "workload/test_classes.py", "report/test_page.py"),
)
"""Files that take longest: begun first, so that none is left to one process at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all else in its order."""
    place = {ROOT / "tests" / name: position for position, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[None]:
    """What a person has set for themselves decides no test."""
    with pytest.MonkeyPatch.context() as surroundings:
        for name in ("NNBENCH_BANKNOTES", "NNBENCH_INSTAGRAM", "OMP_NUM_THREADS"):
            surroundings.delenv(name, raising=False)
        if "NNBENCH_CHECK_COMPILED" not in os.environ:
            # The one that starts in a second, where a test does not say which.
            surroundings.setenv("KERAS_BACKEND", "jax")
            if pytestconfig.option.markexpr != "alone":
                surroundings.setenv("XLA_FLAGS", QUICK_TO_COMPILE)
                surroundings.setattr(process, "Child", ForkedChild)
            else:
                from nnbench.measure import schedule

                surroundings.setattr(projects, "SWEEPS", schedule.SWEEPS)
        surroundings.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        surroundings.setenv("NNBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Fill a folder by whichever process of this session comes first, and share it."""

    def made(name: str, make: Callable[[Path], None]) -> Path:
        root = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:
            root = root.parent
        folder, done = root / f"once-{name}", root / f"once-{name}.done"
        with (root / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture
def nnbench(tmp_path: Path) -> Command:
    """Run `nnbench` in an empty folder, as a person would (see `projects.nnbench_in`)."""

    def call(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        return nnbench_in(tmp_path, *arguments, **options)

    return call


@pytest.fixture(scope="session")
def _started_backends() -> Iterator[dict[str, Backend]]:
    started: dict[str, Backend] = {}
    yield started
    for backend in started.values():
        backend.stop()


@pytest.fixture
def in_backend(tmp_path: Path, _started_backends: dict[str, Backend]) -> Callable[[str, str], str]:
    """Run code in a process whose Keras was started on a backend; what it printed.

    The process is kept for the next test that needs this backend.
    """

    def call(name: str, code: str) -> str:
        if name not in _started_backends or not _started_backends[name].is_alive:
            _started_backends[name] = Backend(name)
        return _started_backends[name].run(code, tmp_path)

    return call


@pytest.fixture
def in_fresh_backend(tmp_path: Path) -> Callable[[str, str], str]:
    """`in_backend` in a process of its own: for what hangs on what a process has done before."""

    def call(name: str, code: str) -> str:
        backend = Backend(name)
        try:
            return backend.run(code, tmp_path)
        finally:
            backend.stop()

    return call


@pytest.fixture(scope="session")
def wheel(once: Once) -> Path:
    """This project's wheel."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--no-build-isolation", "--wheel-dir"]
        subprocess.run([*command, str(folder), str(ROOT)], check=True)

    (built,) = once("wheel", make).glob("nnbench_arch-*.whl")
    return built


@pytest.fixture
def calibration(once: Once) -> Path:
    """A folder with a calibration of JAX's `fit`, of small networks, and what it told."""

    def make(folder: Path) -> None:
        from nnbench.costs.spaces import SPACES

        small = dataclasses.replace(SPACES["dense"], depths=(1, 6), rows=(500, 2000))
        with mock.patch.dict(SPACES, dense=small):
            answer = nnbench_in(folder, "calibrate", *CALIBRATION, "--json", "--quiet")
        assert answer.returncode == 0, answer.stderr
        (folder / "told.json").write_text(answer.stdout)

    return once("calibrated", make)


@pytest.fixture
def calibrated(calibration: Path, tmp_path: Path) -> dict[str, object]:
    """The calibration in the test's own folder; what it told."""
    shutil.copytree(calibration, tmp_path, dirs_exist_ok=True)
    (told,) = json.loads((tmp_path / "told.json").read_text())
    return told


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose figures are not drawn, which is most of what a page takes."""
    from markupsafe import Markup

    from nnbench.show import figures, html

    monkeypatch.setattr(figures, "png", lambda figure, dpi=0: b"")
    monkeypatch.setattr(html, "save_chart", lambda chart, path: Markup("<svg></svg>"))


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A browser; where there is none the test is skipped, except in continuous integration."""
    from browsers import NoBrowserError, open_browser

    try:
        driver = open_browser()
    except NoBrowserError as missing:
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"no browser ({missing}): apt-get install chromium chromium-driver")
        pytest.skip(f"no browser ({missing})")
    with driver:
        yield driver
