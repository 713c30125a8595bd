"""Every command of the README is run, in order, as it stands there.

Long ones are shortened by options added to their end, or by what stands in a clone; what they do
stays the same.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
from projects import LIMIT_S, ROOT, commit_all, git
from runs import make_run

FENCED = re.compile(r"```sh\n(.*?)```", re.S)
SHORT_RUN = "--launches 1 --blocks 1 --epochs 3 --quiet"
ADDED = {
    "make run": f"ARGS='{SHORT_RUN} --results {{folder}}'",
    "make test": "-n",
    "nnbench run": SHORT_RUN,
    "nnbench explain": f"{SHORT_RUN} --launches 2",
    "nnbench calibrate": "--budget 1s --quiet --families dense",
    "nnbench layers": "--launches 1 --budget 2s --quiet",
    "nnbench tune": "--budget 1s --keep backend --quiet",
    "nnbench race": "--seeds 2 --epochs 10 --quiet",
    "nnbench history record": "--launches 1 --epochs 3 --no-numbers --quiet",
    "nnbench train": "--epochs 20 --quiet",
    "nnbench scale": "--launches 1 --blocks 1 --epochs 3 --quiet",
    "python -m pytest benchmarks": "--benchmark-disable",
    "nnbench drift record": "--epochs 3",
    "nnbench drift check": "",
    "nnbench drift": (
        "--epochs 3 --seeds 1 --policies numpy,keras --conditions 'new process' --no-remedy --quiet"
    ),
    "nnbench compare --against": "--launches 2 --blocks 1 --epochs 3 --quiet --architectures 4",
}
LESS = (
    ("nnbench/measure/schedule.py", "SWEEPS = 30", "SWEEPS = 4"),
    ("nnbench/scale/axes.py", '"depth": (1, 2, 4, 8, 16, 32, 64, 128)', '"depth": (1, 2, 4, 8)'),
)
"""What no option shortens: in the clone that the commands run in."""

QUICK = (
    *("make test", "nnbench report", "nnbench show", "nnbench data"),
    *("nnbench explain 100x2 6x5 --run",),
)
"""Commands that train nothing and need nothing of those before them; all others are long."""

MODEL = """def build(depth=2, width=8):
    import keras

    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(depth)]
    model = keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model
"""
DATA = """import numpy as np


def load():
    x = np.random.default_rng(0).normal(size=(64, 3))
    return x, x.sum(axis=1, keepdims=True)
"""


def commands():
    blocks = FENCED.findall((ROOT / "README.md").read_text())
    lines = [line for block in blocks for line in block.splitlines() if line]
    assert len(lines) > 15
    return [
        pytest.param(line, marks=() if line.startswith(QUICK) else pytest.mark.long)
        for line in lines
        if not line.startswith(".")
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone with two commits, a CSV, a model with its data, the sample, two runs to compare."""
    folder = tmp_path_factory.mktemp("readme") / "project"
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "20*", ".nnbench")
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    rows = "".join(f"{i % 9},{i * i % 7},{i % 2}\n" for i in range(60))
    (folder / "my.csv").write_text("width,height,fake\n" + rows)
    (folder / "train.py").write_text(MODEL)
    (folder / "data.py").write_text(DATA)
    for seed, name in enumerate(("before", "after")):
        run = make_run(folder / "made" / name, {"4": {}}, seed=seed)
        shutil.move(run.folder, folder / "results" / name)
    for name, usual, less in LESS:
        text = (folder / name).read_text()
        assert usual in text
        (folder / name).write_text(text.replace(usual, less))
    git(folder, "init", "-q")
    commit_all(folder, "one")
    commit_all(folder, "two")
    return folder


def call(command, folder):
    environment = {**os.environ, "NNBENCH_CACHE": str(folder / "cache"), "PYTHONPATH": str(folder)}
    environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment['PATH']}"
    (folder / "bin").mkdir(exist_ok=True)
    # asv keeps its machine file at home, and drops PYTHONPATH unless it is meant for it.
    environment |= {"HOME": str(folder), "ASV_PYTHONPATH": str(folder)}
    for name, module in (("nnbench", "-m nnbench"), ("asv", "-m asv"), ("python", "")):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        script.chmod(0o755)
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("command", commands())
def test_the_readme_is_true(command, project, tmp_path, request):
    if command.startswith("make"):
        # In place: the environment that runs this test is the one that make would set up.
        if not (ROOT / ".venv" / "test.stamp").exists():
            command = f"{command} -n"
        answer = call(f"cd '{ROOT}' && {shortened(command, tmp_path)}", project)
    else:
        if command.startswith("nnbench calibrate"):
            # It goes on with what other tests have begun.
            begun = request.getfixturevalue("calibration")
            shutil.copytree(begun, project, dirs_exist_ok=True)
        answer = call(shortened(command, tmp_path), project)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout


def shortened(command, folder):
    found = [added for start, added in ADDED.items() if command.startswith(start)]
    return " ".join([command, *found[:1]]).format(folder=folder)
