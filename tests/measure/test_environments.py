"""Environments of commits: what they borrow, what they install, and commits from before a move."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from projects import BEFORE_THE_MOVE, LIMIT_S, ROOT, commit_all, git, skip_without

import nnbench
from nnbench.measure import environments, protocol


def wheel(folder, name, version):
    """A wheel that holds one module, which knows its version."""
    folder.mkdir(exist_ok=True)
    described = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        file.writestr(
            f"{described}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        file.writestr(
            f"{described}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(
            f"{described}/RECORD",
            f"{name}.py,,\n{described}/METADATA,,\n{described}/WHEEL,,\n{described}/RECORD,,\n",
        )


def unpacked(wheels, folder):
    for one in wheels.glob("*.whl"):
        zipfile.ZipFile(one).extractall(folder)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three commits, of which the first two ask for what is here and the last for other things."""
    here, offered = tmp_path / "here", tmp_path / "offered"
    wheel(here, "same", "1.0")
    wheel(here, "changed", "1.0")
    installed = tmp_path / "installed"
    unpacked(here, installed)
    wheel(offered, "changed", "2.0")
    wheel(offered, "added", "0.5")
    monkeypatch.setattr(environments.sysconfig, "get_path", lambda _: str(installed))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    asked = '[project]\nname = "project"\nversion = "1"\ndependencies = ["same", "changed"%s]\n'
    (folder / "pyproject.toml").write_text(asked % ', "added"')
    (folder / "constraints.txt").write_text("changed==2.0\n")
    commit_all(folder, "other dependencies")
    (folder / "pyproject.toml").write_text(asked % "")
    (folder / "constraints.txt").unlink()
    commit_all(folder, "as here")
    monkeypatch.chdir(folder)
    return folder, installed, offered


def packages_of(side):
    return next(Path(side.python).parents[1].glob("lib/python*/site-packages"))


def version_in(side, module):
    code = f"import {module}; print({module}.VERSION)"
    command = [side.python, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_equal_dependencies_are_borrowed_and_nothing_is_installed(project):
    side = environments.resolve("HEAD").side
    assert version_in(side, "changed") == "1.0"
    assert [path.name for path in packages_of(side).iterdir()] == ["nnbench_side.pth"]


def test_only_what_differs_is_installed_and_what_is_borrowed_stays(project, monkeypatch):
    _, installed, offered = project
    monkeypatch.setenv("PIP_FIND_LINKS", str(offered))
    before = sorted(path.name for path in installed.rglob("*"))
    side = environments.resolve("HEAD~1").side
    found = {name: version_in(side, name) for name in ("same", "changed", "added")}
    assert found == {"same": "1.0", "changed": "2.0", "added": "0.5"}
    assert not (packages_of(side) / "same.py").exists()
    assert sorted(path.name for path in installed.rglob("*")) == before


def test_this_nnbench_measures_a_commit_that_asks_for_another(project, monkeypatch):
    folder, _, offered = project
    wheel(offered, "nnbench", "9.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(offered))
    (folder / "requirements.txt").write_text("nnbench\n")
    commit_all(folder, "another nnbench")
    (folder / "requirements.txt").unlink()
    side = environments.resolve("HEAD").side
    assert (packages_of(side) / "nnbench.py").exists()
    code = "import nnbench; print(nnbench.PROTOCOL)"
    command = [side.python, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(nnbench.PROTOCOL)


def test_what_cannot_be_installed_is_said_in_one_line(project):
    with pytest.raises(environments.UserError, match=r"install failed: ERROR: .*changed"):
        environments.resolve("HEAD~1")


@pytest.mark.parametrize("does", ["sleep 1000", "echo 3", "exit 1"])
def test_a_program_that_is_no_python_is_refused_in_one_line(tmp_path, monkeypatch, does):
    monkeypatch.setattr(protocol, "ASK_LIMIT_S", 2.0)
    path = tmp_path / "program.sh"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    with pytest.raises(environments.UserError, match="is no Python that has nnbench") as failed:
        environments.resolve(str(path))
    assert "\n" not in str(failed.value)


def test_what_takes_too_long_to_install_is_said_in_one_line(project, monkeypatch):
    monkeypatch.setattr(environments, "INSTALL_LIMIT_S", 1e-6)
    with pytest.raises(environments.UserError, match="did not end within 1e-06 s"):
        environments.resolve("HEAD")


@pytest.fixture(scope="module")
def both_sides_of_the_move(tmp_path_factory):
    """A clone whose last commit is the present, and what makes pip find what is not here."""
    skip_without(BEFORE_THE_MOVE)
    folder = tmp_path_factory.mktemp("move") / "project"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True, capture_output=True)
    skip_without(BEFORE_THE_MOVE, folder)
    for name in ("nnbench", "data", "pyproject.toml", "constraints.txt"):
        subprocess.run(["rm", "-rf", str(folder / name)], check=True)
        subprocess.run(["cp", "-r", str(ROOT / name), str(folder)], check=True)
    commit_all(folder, "the present")
    # The old command line's package: no worker imports it.
    wheel(folder.parent / "offered", "typer", "0.29.2")
    return folder


def nnbench_in(folder, *arguments):
    answer = subprocess.run(
        [sys.executable, "-m", "nnbench", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder),
            "PIP_FIND_LINKS": str(folder.parent / "offered"),
            "PIP_RETRIES": "0",
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


SMALL = (
    *("--architectures", "3", "--data", "synthetic:rows=32,features=3", "--backend", "jax"),
    *("--epochs", "2", "--blocks", "1", "--quiet"),
)


@pytest.mark.long
def test_a_commit_from_before_the_move_is_compared_with_the_present(both_sides_of_the_move):
    folder = both_sides_of_the_move
    told = json.loads(
        nnbench_in(
            *(folder, "compare", "--against", BEFORE_THE_MOVE[:9], *SMALL, "--launches", "2"),
            *("--phase", "all", "--no-numbers", "--json"),
        )
    )
    assert told["first"].startswith(BEFORE_THE_MOVE[:9])
    phases = {one["label"].rpartition(" ")[2] for one in told["comparisons"]}
    assert {"build", "compile", "step", "cold"} <= phases
    (logs,) = (folder / "results").glob("*/logs")
    assert len(list(logs.glob("*.log"))) == 4


@pytest.mark.long
def test_commits_on_both_sides_of_the_move_are_recorded(both_sides_of_the_move):
    folder = both_sides_of_the_move
    nnbench_in(folder, "history", "record", BEFORE_THE_MOVE, "HEAD", *SMALL, "--launches", "1")
    (file,) = (folder / "results").glob("commits-*/numerics.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert {one["commit"] for one in found} == {BEFORE_THE_MOVE, git(folder, "rev-parse", "HEAD")}
    assert len({one["digest"] for one in found}) == 1, "a move changes no number"
    assert found[0]["digest"]
