"""Comparing saved runs, and real commits of a real project, through the command line."""

import json
import os
import subprocess
import sys

import pytest
from projects import LIMIT_S, ROOT, commit_all, copy_of_this_project
from runs import make_run

from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED
from nnbench.store import runs

NOTEBOOK = {"6,6": {}, "6x5": {"trace": 1.0}}


def verdicts(answer):
    assert answer.returncode == 0, answer.stderr
    return {one["label"]: one["verdict"] for one in json.loads(answer.stdout)["comparisons"]}


def test_two_saved_runs_are_compared_phase_by_phase(nnbench, tmp_path):
    slow = {text: {"trace": 2.0, "step": 0.001} for text in NOTEBOOK}
    before = make_run(tmp_path / "a", NOTEBOOK, launches=8, spread=0.005)
    after = make_run(tmp_path / "b", slow, launches=8, spread=0.005, seed=1)
    found = verdicts(nnbench("compare", before.folder, after.folder, "--json"))
    assert found["tensorflow, cpu: 6x2 trace"] == DIFFERENT
    assert found["tensorflow, cpu: 6x2 step"] in (EQUIVALENT, UNDECIDED)


def test_noise_is_not_taken_for_a_difference(nnbench, tmp_path):
    before = make_run(tmp_path / "a", NOTEBOOK, spread=0.1)
    after = make_run(tmp_path / "b", NOTEBOOK, spread=0.1, seed=1)
    found = verdicts(nnbench("compare", before.folder, after.folder, "--json"))
    assert set(found.values()) == {UNDECIDED}
    told = nnbench("compare", before.folder, after.folder).stdout
    assert "more launches on each side would" in told


def change_fingerprint(run, **changes):
    path = run.folder / runs.RUN_FILE
    plain = json.loads(path.read_text())
    plain["fingerprint"] |= changes
    path.write_text(json.dumps(plain))


def test_unlike_hosts_and_versions_are_refused_and_named_on_every_line(nnbench, tmp_path):
    before = make_run(tmp_path / "a", NOTEBOOK)
    after = make_run(tmp_path / "b", NOTEBOOK, seed=1)
    change_fingerprint(after, host="elsewhere", versions={"keras": "3.14.0"})
    refused = nnbench("compare", before.folder, after.folder)
    assert refused.returncode == 2
    assert "elsewhere" in refused.stderr
    assert "3.14.0" in refused.stderr
    assert refused.stdout == ""
    told = nnbench("compare", before.folder, after.folder, "--unlike")
    lines = [line for line in told.stdout.splitlines() if line.startswith("tensorflow, cpu: ")]
    assert len(lines) == 16
    assert all("elsewhere" in line for line in lines)


def test_saved_runs_need_no_backend(nnbench, tmp_path):
    before = make_run(tmp_path / "a", NOTEBOOK)
    after = make_run(tmp_path / "b", NOTEBOOK, seed=1)
    folders = before.folder, after.folder
    of_one = ("6,6", "6x5", "--run", before.folder)
    for command in (("compare", *folders), ("explain", *folders), ("explain", *of_one)):
        answer = nnbench(*command, KERAS_BACKEND="foo")
        assert answer.returncode == 0, answer.stderr


def test_what_failed_in_a_saved_run_is_no_failure_now(nnbench, tmp_path):
    run = make_run(tmp_path, {**NOTEBOOK, "20": {}}, outcomes={"20": "failed"})
    assert nnbench("explain", "6,6", "6x5", "--run", run.folder).returncode == 0


def test_what_is_damaged_is_told_in_one_way(nnbench, tmp_path):
    before = make_run(tmp_path / "a", NOTEBOOK)
    after = make_run(tmp_path / "b", NOTEBOOK, seed=1)
    file = before.folder / runs.TRIALS_FILE
    first, *lines = file.read_text().splitlines()
    file.write_text("\n".join([first, "{", *lines, lines[0], ""]))
    damage = [
        f"skipped {file}: line 2 cannot be read (line 2: Expecting",
        f"skipped {file}: line {len(lines) + 3} repeats line 3",
    ]
    folders = before.folder, after.folder
    for command in (("compare", *folders), ("explain", *folders), ("report", folders[0])):
        answer = nnbench(*command)
        assert answer.returncode == 0, answer.stderr
        told = [one for one in answer.stderr.splitlines() if one.startswith("skipped")]
        assert len(told) == 2, answer.stderr
        assert str(file) not in answer.stdout
        for line, expected in zip(told, damage, strict=True):
            assert line.startswith(expected.partition(" (")[0])
    assert "repeats line 3" in (before.folder / "report.html").read_text()


def test_two_commits_of_one_host_are_alike(nnbench, tmp_path):
    before = make_run(tmp_path / "a", NOTEBOOK)
    after = make_run(tmp_path / "b", NOTEBOOK, seed=1)
    change_fingerprint(after, commit="another")
    assert nnbench("compare", before.folder, after.folder).returncode == 0


@pytest.fixture
def project(tmp_path):
    """A repository that holds the package; its last commit makes every step do more."""
    folder = copy_of_this_project(tmp_path / "project")
    sys.path.insert(0, str(ROOT / "benchmarks" / "calibration"))
    try:
        from planted import PATCH
    finally:
        sys.path.pop(0)
    network = folder / "nnbench" / "workload" / "keras_model.py"
    patch = PATCH.replace("{size}", "128").replace("{repeats}", "40")
    network.write_text(network.read_text() + patch)
    commit_all(folder, "more work in every step")
    return folder


@pytest.mark.alone
def test_a_commit_is_measured_against_the_present_and_a_real_slowdown_is_found(project):
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "nnbench", "compare", "--against", "HEAD~1", "--json"),
            *("--backend", "jax", "--launches", "4", "--architectures", "16,16"),
            *("--epochs", "3", "--blocks", "1", "--quiet"),
        ],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert told["first"].startswith("HEAD~1")
    assert told["second"] == "now"
    step = next(one for one in told["comparisons"] if one["label"].endswith(" step"))
    assert step["verdict"] == DIFFERENT
    assert step["ratio"]["value"] > 1.2
    assert (project / ".nnbench" / "worktrees").is_dir()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=project, capture_output=True, text=True, check=True
    )
    assert ".nnbench" not in status.stdout
