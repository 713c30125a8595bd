"""The real asv over three commits of a clone, in an environment that it makes itself.

Only the frameworks are not installed anew: the environment borrows them, so that no test waits
for hundreds of megabytes.
"""

import json
import re
import sys

import pytest
from projects import (
    BEFORE_THE_MOVE,
    BORROWED,
    ROOT,
    call,
    commit_all,
    copy_of_this_project,
    git,
    tree_of,
)

from nnbench.history import table

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

SETTINGS = {"NNBENCH_ASV_QUICK": "1"}
CHOSEN = r"MiniBatches.track_(step|compile|host_memory|disturbed|pace)\b"
BORROW = "import sysconfig, pathlib; place = pathlib.Path(sysconfig.get_path('purelib')); "


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Three commits of this project, the last of which makes every hidden layer far wider."""
    folder = copy_of_this_project(tmp_path_factory.mktemp("asv") / "project")
    configuration = folder / "asv.conf.json"
    text = configuration.read_text()
    text = re.sub(r'"req": \{"keras".*?\}', '"req": {}', text, count=1)
    text = text.replace("--quiet -c {conf_dir}/constraints.txt", "--quiet --no-deps")
    assert '"req": {}' in text
    assert "--no-deps {wheel_file}" in text
    write = f"{BORROW}(place / 'borrowed.pth').write_text('{BORROWED}\\\\n')"
    text = text.replace(
        '{wheel_file}"\n    ]', f'{{wheel_file}}",\n "python -c \\"{write}\\""\n    ]'
    )
    configuration.write_text(text)
    schedule = folder / "nnbench" / "measure" / "schedule.py"
    usual = schedule.read_text()
    assert "SWEEPS = 30" in usual
    schedule.write_text(usual.replace("SWEEPS = 30", "SWEEPS = 10"))
    commit_all(folder, "one, which installs no framework and takes fewer samples of steps")
    commit_all(folder, "two, the same code")
    network = folder / "nnbench" / "workload" / "keras_model.py"
    slow = network.read_text().replace(
        "keras.layers.Dense(width,", "keras.layers.Dense(width * 100,"
    )
    network.write_text(slow)
    commit_all(folder, "three, slower")
    asv(folder, "machine", "--yes", "--machine", "here")
    return folder


def asv(folder, *arguments, check=True):
    command = [sys.executable, "-m", "asv", *arguments]
    return call(command, folder, check=check, HOME=str(folder), **SETTINGS)


@pytest.fixture(scope="module")
def measured(clone):
    """The folder, and what `asv run` said."""
    answer = asv(clone, "run", "HEAD~3..HEAD", "--bench", CHOSEN, "--show-stderr")
    return clone, answer.stdout


def results_of(folder, commit):
    (file,) = (folder / "results" / "asv" / "here").glob(f"{commit[:8]}-*.json")
    return json.loads(file.read_text())["results"]


def test_three_commits_are_measured_in_one_environment(measured):
    folder, told = measured
    commits = git(folder, "log", "--format=%H", "-3").split()
    steps = [results_of(folder, one)["training.MiniBatches.track_step"] for one in commits]
    for values, params, *_ in steps:
        assert params == [["6x2"], ["jax"], ["fit", "compiled"], ["cpu"]]
        assert all(seconds > 0 for seconds in values)
    assert told.count("Creating virtualenv") <= 1
    assert len(list((folder / ".asv" / "env").iterdir())) == 1
    runs = list((folder / "results" / "asv_runs").iterdir())
    said = {json.loads((run / "run.json").read_text())["fingerprint"]["commit"] for run in runs}
    assert said == set(commits), "each commit's study is kept as a run that names it"


def test_what_the_machine_did_stands_beside_each_commit(measured):
    folder, _ = measured
    found = table.read([folder / "results" / "asv"], folder).table
    assert found["benchmark"].str.endswith(("track_step", "track_compile", "memory")).all()
    assert found["noisy"].between(0, 1).all()
    assert (found["pace_s"] > 0).all()


def test_compare_shows_the_slower_commit(measured):
    folder, _ = measured
    told = asv(folder, "compare", "HEAD~1", "HEAD", "--factor", "2").stdout
    ratios = re.findall(r"([\d.]+)\s*\|\s*training\.MiniBatches\.track_step\((.*?)\)", told)
    assert len(ratios) == 2, told
    assert any("compiled" in case for _, case in ratios)
    assert min(float(ratio) for ratio, _ in ratios) > 2, told


def test_publish_shows_readable_parameters(measured):
    folder, _ = measured
    asv(folder, "publish")
    index = json.loads((folder / "results" / "asv_html" / "index.json").read_text())
    step = index["benchmarks"]["training.MiniBatches.track_step"]
    assert step["param_names"] == ["architecture", "backend", "path", "device"]
    assert step["params"][2] == ["fit", "compiled"]
    assert step["unit"] == "seconds"
    graphs = list((folder / "results" / "asv_html" / "graphs").rglob("*track_step.json"))
    assert any(len(json.loads(graph.read_text())) == 3 for graph in graphs)


def test_the_whole_suite_is_well_formed(measured):
    folder, _ = measured
    asv(folder, "check")
    known = json.loads((folder / "results" / "asv" / "benchmarks.json").read_text())
    known.pop("version")
    kinds = {benchmark["type"] for benchmark in known.values()}
    assert kinds == {"time", "track", "peakmemory"}
    for name, benchmark in known.items():
        assert benchmark["version"] == "1", f"an edit of {name} would orphan its history"
        assert benchmark["unit"] != "unit", f"{name} has no unit"
        assert not any(param.startswith("param") for param in benchmark["param_names"])


RUN_THE_SUITE = """
import importlib.util, subprocess, sys
import nnbench
from asv_suite import cold, grid, training

assert nnbench.__file__.startswith(sys.argv[1]), nnbench.__file__
assert [list(axis) for axis in training.Training().params][:2] == [["6x2", "100x2", "6x5"], ["jax"]]
start, backend = cold.Start(), cold.StartBackend()
codes = [start.timeraw_import_nnbench(), backend.timeraw_import_keras("jax")]
if "typer" not in open(f"{sys.argv[1]}/nnbench/cli/__init__.py").read():
    codes.append(start.timeraw_help())
else:  # It needs what today's environment does not have: that it is there is all that can be told.
    assert importlib.util.find_spec(start.timeraw_help().split()[-1])
for code in codes:
    subprocess.run([sys.executable, "-c", code], check=True)
for path in ("fit", "compiled"):
    whole = cold.Whole()
    whole.setup("6x2", "jax", path, "cpu")
    whole.time_training("6x2", "jax", path, "cpu")
"""


@pytest.mark.parametrize("commit", [BEFORE_THE_MOVE, None])
def test_the_suite_of_today_runs_with_the_package_of_before_the_move(commit, tmp_path):
    package = ROOT if commit is None else tree_of(commit, tmp_path)
    path = f"{package}:{ROOT / 'benchmarks'}"
    call([sys.executable, "-c", RUN_THE_SUITE, package], tmp_path, PYTHONPATH=path)
