"""The scripts of the GitHub Action, run as they are, in the example project's repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import LIMIT_S, ROOT, commit_all, environment_with_wheel, git

EXAMPLE = ROOT / "examples" / "github"
TRICK = """--help $(touch stolen) `touch stolen` '; touch stolen; '"; touch stolen; \"
; touch stolen"""
NOTHING = "0" * 40


@pytest.fixture
def project(tmp_path):
    """The example, with a pull request merged into it as GitHub checks it out."""
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "-q", "-b", "main")
    commit_all(folder, "base")
    git(folder, "checkout", "-q", "-b", "change")
    train = folder / "train.py"
    train.write_text(train.read_text().replace("width: int = 64", "width: int = 1024"))
    commit_all(folder, "a wider network")
    git(folder, "checkout", "-q", "main")
    commit_all(folder, "meanwhile")
    git(folder, "merge", "-q", "--no-ff", "-m", "the pull request merged", "change")
    return folder


def script(name, folder, **variables):
    """Run one of the scripts as a job of GitHub does: its output, its status, what it left."""
    files = folder.parent / "runner"
    files.mkdir(exist_ok=True)
    kept = ("HOME", "PATH", "LANG", "TMPDIR", *(one for one in os.environ if one[:4] == "KERA"))
    runner = {
        **{one: os.environ[one] for one in kept if one in os.environ},
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(files / "output"),
        "GITHUB_STEP_SUMMARY": str(files / "summary.md"),
        "GITHUB_SHA": git(folder, "rev-parse", "HEAD"),
        "RUNNER_TEMP": str(files),
        "NNBENCH_SOURCE": str(ROOT),
        "NNBENCH_PYTHON": sys.executable,
        "NNBENCH_MODEL": "train.py:build",
        "NNBENCH_DATA": "data.py:load",
    }
    for one in ("output", "summary.md"):
        (files / one).write_text("")
    return subprocess.run(
        ["bash", ROOT / "action" / name],
        cwd=folder,
        env=runner | variables,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def left(folder, name):
    return (folder.parent / "runner" / name).read_text()


def outputs(folder):
    return dict(line.split("=", 1) for line in left(folder, "output").splitlines())


MISTAKEN = {"NNBENCH_MODEL": "gone.py:build"}
"""A mistake that is told before anything is measured, and after the base was chosen."""


def base_of(folder, **variables):
    answer = script("compare.sh", folder, **MISTAKEN, **variables)
    assert answer.returncode == 2, answer.stderr
    (line,) = [one for one in answer.stdout.splitlines() if one.startswith("nnbench: compared")]
    return line.split()[-1]


@pytest.mark.long
def test_the_base_is_where_a_pull_request_or_a_push_begins(project):
    main, change = (git(project, "rev-parse", name) for name in ("HEAD^1", "change"))
    began = git(project, "rev-parse", "change^")
    assert base_of(project, NNBENCH_TARGET=began) == main, "the merge's own target"
    git(project, "checkout", "-q", "change")
    assert base_of(project, NNBENCH_TARGET=main) == began, "not what came to main meanwhile"
    assert base_of(project, NNBENCH_BEFORE=began) == began
    assert base_of(project, NNBENCH_BEFORE=NOTHING) == began, "a new branch: the commit before"
    assert base_of(project, NNBENCH_TARGET="$CI_UNSET", NNBENCH_BEFORE=NOTHING) == began
    assert base_of(project, NNBENCH_AGAINST="main^1", NNBENCH_TARGET=began) == main
    assert change != began


def test_a_shallow_clone_is_told_how_to_be_whole(project):
    git(project.parent, "clone", "-q", "--depth", "1", f"file://{project}", "shallow")
    shallow = project.parent / "shallow"
    for variables in ({"NNBENCH_TARGET": git(project, "rev-parse", "HEAD^1")}, {}):
        answer = script("compare.sh", shallow, **variables)
        assert answer.returncode == 2
        assert "the clone is shallow: fetch-depth: 0" in answer.stderr
        assert "the clone is shallow: fetch-depth: 0" in left(project, "summary.md")


def test_names_are_data_and_never_commands(project):
    for variables in (
        {"NNBENCH_AGAINST": TRICK, "NNBENCH_TARGET": TRICK, "NNBENCH_BEFORE": TRICK},
        {"NNBENCH_MODEL": TRICK, "NNBENCH_OPTIONS": TRICK, "NNBENCH_NUMBER": TRICK},
        {"NNBENCH_FOLDER": TRICK},
    ):
        assert script("compare.sh", project, **variables).returncode != 0
        assert not list(project.parent.rglob("stolen")), variables
    assert script("setup.sh", project, NNBENCH_BACKEND=TRICK).returncode == 2
    assert not list(project.parent.rglob("stolen"))


def test_what_a_project_prints_steers_no_runner_and_no_summary(project):
    trick = "::add-mask::x\n::set-output name=status::0\n<img src=x>`"
    answer = script("compare.sh", project, NNBENCH_AGAINST=trick, NNBENCH_NUMBER="7; rm -rf .")
    assert answer.returncode == 2
    stop, *_, token, last = [one for one in answer.stdout.splitlines() if one]
    assert stop.startswith("::stop-commands::")
    assert token == f"::{stop.removeprefix('::stop-commands::')}::"
    assert last.startswith("::error title=Training time::nnbench: '")
    assert "\n" not in last
    told = left(project, "summary.md").splitlines()
    assert told[0] == "**Training time was not compared.**"
    assert all(line.startswith("    ") for line in told[1:] if line)
    assert outputs(project)["status"] == "2"
    assert not list(project.parent.rglob("number.txt"))


def test_nothing_of_a_pull_request_is_put_into_a_script():
    """Expressions stand where a value is named (`with`, `env`, `if`), never in what is run."""
    for path in (ROOT / "action.yml", *EXAMPLE.rglob("*.yml")):
        text = path.read_text()
        assert "secrets." not in text
        ran = re.findall(r"^( +)(?:- )?run:(.*\n(?:\1 +.*\n|\n)*)", text, re.M)
        assert ran or "run:" not in text
        assert not [script for _, script in ran if "${{" in script], path


@pytest.mark.long
def test_setting_up_keeps_what_is_installed_already(project, wheel):
    python = environment_with_wheel(project.parent, wheel)
    (project / "requirements.txt").write_text("numpy>=1\n")
    answer = script("setup.sh", project, NNBENCH_PYTHON=str(python), PIP_NO_INDEX="1")
    assert answer.returncode == 0, answer.stderr
    assert outputs(project) == {"python": str(python)}
    (project / "requirements.txt").unlink()
    command = "python -c 'import sys; print(sys.prefix)' > prefix.txt"
    answer = script("setup.sh", project, NNBENCH_PYTHON=str(python), NNBENCH_INSTALL=command)
    assert answer.returncode == 0, answer.stderr
    assert Path((project / "prefix.txt").read_text().strip()) == python.parents[1]


POETRY = '[tool.poetry]\nname = "mine"\n[build-system]\nrequires = ["poetry-core"]\n'
BUILT = '[build-system]\nrequires = ["setuptools"]\n'
SETTINGS = "[metadata]\nname = mine\n[options]\ninstall_requires =\n    numpy>=1\n    keras\n"
RECORDER = """
import pathlib, sys
asked = [pathlib.Path(one).read_text() if one.endswith(".txt") else one for one in sys.argv[1:]]
pathlib.Path("asked.txt").write_text(" ".join(" ".join(asked).split()))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("files", "asked"),
    [
        ({"pyproject.toml": POETRY}, "-e ."),
        ({"pyproject.toml": BUILT, "setup.cfg": SETTINGS}, "-e ."),
        ({"setup.cfg": SETTINGS}, "-r numpy>=1 keras"),
        ({"pyproject.toml": "[tool.ruff]\n", "setup.cfg": "[flake8]\n"}, None),
    ],
)
def test_a_project_is_installed_however_it_says_what_it_asks_for(project, files, asked):
    """What pip is called with: no network is needed to see that."""
    (project / "requirements.txt").unlink()
    for name, text in files.items():
        (project / name).write_text(text)
    pip = project.parent / "beside" / "pip"
    pip.mkdir(parents=True)
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(RECORDER)
    before = f"{pip.parent}{os.pathsep}{ROOT}"
    answer = script("setup.sh", project, PYTHONPATH=before)
    assert answer.returncode == 0, answer.stderr
    called = project / "asked.txt"
    assert called.exists() == (asked is not None)
    if asked is not None:
        assert called.read_text() == f"install --quiet --disable-pip-version-check {asked}"


@pytest.mark.long
def test_a_pull_request_that_makes_training_slower_fails(project):
    # A step of the wider network takes tens of times as long: no other test's load hides that.
    small = "--launches=3\n  --blocks=1\n --epochs=2\n\n--batch=32\n--no-numbers"
    main = git(project, "rev-parse", "HEAD^1")
    answer = script(
        *("compare.sh", project),
        NNBENCH_BACKEND="jax",
        NNBENCH_PHASE="step",
        NNBENCH_OPTIONS=small,
        NNBENCH_TARGET=main,
        NNBENCH_NUMBER="12",
    )
    assert answer.returncode == 1, answer.stderr
    told = outputs(project)
    report = Path(told["report"])
    assert told["status"] == "1"
    assert Path(told["comment"]).read_text() == left(project, "summary.md")
    assert "slower" in left(project, "summary.md").splitlines()[0]
    assert "<failure" in (report / "junit.xml").read_text()
    assert (report / "number.txt").read_text() == "12\n"
    assert list(report.glob("results/*/compare.html"))
    annotation = answer.stdout.splitlines()[-1]
    assert annotation.startswith("::error title=Training time::")
    assert "slower: train.py:build step +" in annotation
