"""Every block of README and docs is run, as it stands there, or says why it is not.

What stands on several pages is run once. Long commands are shortened by options added to their end,
or by what stands in a clone; what they do stays the same.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from blocks import ROOT, blocks, pages
from projects import LIMIT_S, commit_all, git, nnbench_in
from runs import make_run

SHORT_RUN = "--launches 1 --blocks 1 --epochs 3 --quiet"
ADDED = {
    "make run": f"ARGS='{SHORT_RUN} --results {{folder}}'",
    "make": "-n",
    "nnbench run": SHORT_RUN,
    "nnbench explain 100x2 6x5 --run": "",
    "nnbench explain": f"{SHORT_RUN} --launches 2",
    "nnbench calibrate": "--budget 1s --quiet --families dense",
    "nnbench layers": "--launches 1 --budget 1s --quiet",
    "nnbench tune": "--budget 1s --keep backend,path,batch,threads,source --quiet",
    "nnbench race": "--seeds 2 --epochs 10 --quiet",
    "nnbench history record": "--launches 1 --epochs 3 --no-numbers --quiet",
    "nnbench train": "--epochs 20 --quiet",
    "nnbench scale": "--launches 1 --blocks 1 --epochs 3 --quiet",
    "nnbench doctor": "--no-measure",
    "python -m pytest benchmarks": "--benchmark-disable",
    "nnbench drift record": "--epochs 3",
    "nnbench drift check": "",
    "nnbench drift": (
        "--epochs 3 --seeds 1 --policies numpy,keras --conditions 'new process' --no-remedy --quiet"
    ),
    "nnbench compare --against": (
        "--no-numbers --launches 2 --blocks 1 --epochs 3 --quiet --architectures 4"
    ),
}
LESS = (("nnbench/measure/schedule.py", "SWEEPS = 30", "SWEEPS = 4"),)
"""What no option shortens: in the clone that the commands run in."""

QUICK = (
    *("make test", "make docs", "nnbench report", "nnbench show 6x5", "nnbench data"),
    *("nnbench explain 100x2 6x5 --run", "nnbench doctor"),
)
"""Commands that train nothing and need nothing of those before them; all others are long."""

IN_PROCESS = re.compile(
    r"nnbench (?:run|report|explain|layers|tune|race|scale|calibrate|predict|advise|data|doctor"
    r"|drift|train|show)[^|$<>]*$"
)
"""Commands that need no shell: they run in this process, or in a fork that has a backend."""

FILE = re.compile(r"# (\w+\.py)\n")
"""How a block of Python begins that is a file: the commands of the pages use it."""


def commands():
    """Each command that is not marked, once; the backend that tests take is JAX, named or not."""
    typed = [
        line for one in blocks() if one.language == "sh" and not one.reason for line in one.commands
    ]
    assert len(typed) > 30
    return [
        pytest.param(line, marks=() if line.startswith(QUICK) else pytest.mark.long)
        for line in {one.replace(" --backend jax", ""): one for one in typed}.values()
    ]


def pythons():
    """Each block of Python that is not marked, once."""
    texts = {one.text: one.page for one in blocks() if one.language == "python" and not one.reason}
    assert len(texts) > 2
    return [pytest.param(text, id=page, marks=pytest.mark.long) for text, page in texts.items()]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone with two commits, a CSV, the pages' model and data, the sample, two runs."""
    folder = tmp_path_factory.mktemp("documentation") / "project"
    ignored = shutil.ignore_patterns(
        *(".git", ".venv", "__pycache__", ".*_cache", "20*", ".nnbench", "_build", "_runs", "_made")
    )
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    rows = "".join(f"{i % 9},{i * i % 7},{i % 2}\n" for i in range(60))
    (folder / "my.csv").write_text("width,height,fake\n" + rows)
    own = folder / "my_project"
    own.mkdir()
    written = {FILE.match(one.text)[1]: one.text for one in blocks() if FILE.match(one.text)}
    assert written.keys() == {"train.py", "data.py"}
    for name, also in (("train.py", "models.py"), ("data.py", "data.py")):
        (folder / name).write_text(written[name])
        (own / also).write_text(written[name])
    (study,) = [one.text for one in blocks() if one.language == "toml"]
    (folder / "study.toml").write_text(study)
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
    """Run a command in a shell, as it stands."""
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
def test_a_command_does_what_it_says(command, project, tmp_path, request):
    if command.startswith("nnbench calibrate"):
        # It goes on with what other tests have begun.
        shutil.copytree(request.getfixturevalue("calibration"), project, dirs_exist_ok=True)
    short = shortened(command, tmp_path)
    if command.startswith("make"):
        # In place: the environment that runs this test is the one that make would set up.
        if not (ROOT / ".venv" / "test.stamp").exists():
            short = f"{short} -n"
        answer = call(f"cd '{ROOT}' && {short}", project)
    elif IN_PROCESS.match(command):
        answer = nnbench_in(project, *shlex.split(short)[1:])
    else:
        answer = call(short, project)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout


def shortened(command, folder):
    if command.startswith("nnbench layers"):
        # As many pieces are compiled as it has layers.
        command = command.replace("conv:32x4", "conv:4x1")
    found = [added for start, added in ADDED.items() if command.startswith(start)]
    return " ".join([command, *found[:1]]).format(folder=folder)


@pytest.mark.parametrize("text", pythons())
def test_a_block_of_python_runs(text, project, in_backend):
    if "def test_" in text:
        (project / "test_it.py").write_text(text)
        # One launch of one block, which says nothing of how times relate.
        command = "python -m pytest -q -p no:cacheprovider --benchmark-disable test_it.py"
    elif "TrainingSuite" in text:
        # What asv then measures is what tests/suites does.
        (project / "suite.py").write_text(text)
        command = "python -c 'import suite; print(suite.Training().study())'"
    else:
        # What only defines functions prints nothing.
        assert in_backend("jax", text) or "def " in text
        return
    answer = call(command, project)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout


def test_every_block_is_run_or_says_why_not():
    bare = re.compile(r"^(?:```$\n|    )(?:\w+=\S+ )*(?:nnbench|python|pip|make|asv) .*", re.M)
    found = {
        f"{page.relative_to(ROOT)}: {line}"
        for page in pages()
        for line in bare.findall(outside_blocks(page.read_text()))
    }
    assert found == set(), "commands in blocks that no test runs: say ```sh"
    assert all(one.reason is None or len(one.reason) > 8 for one in blocks())


def outside_blocks(text):
    """A page without the blocks that have a language."""
    return re.sub(r"^```\S.*?^```$", "", text, flags=re.M | re.S)
