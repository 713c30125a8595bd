"""Comparing saved runs, and real commits of a real project, through the command line."""

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from projects import LIMIT_S, ROOT, commit_all, copy_of_this_project
from runs import make_run

from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED
from nnbench.store import runs

NOTEBOOK = {"6,6": {}, "6x5": {"trace": 1.0}}


def verdicts(answer, status=0):
    assert answer.returncode == status, answer.stderr
    return {one["label"]: one["verdict"] for one in json.loads(answer.stdout)["comparisons"]}


def test_two_saved_runs_are_compared_phase_by_phase(nnbench, tmp_path):
    slow = {text: {"trace": 2.0, "step": 0.001} for text in NOTEBOOK}
    before = make_run(tmp_path / "a", NOTEBOOK, launches=8, spread=0.005)
    after = make_run(tmp_path / "b", slow, launches=8, spread=0.005, seed=1)
    folders = before.folder, after.folder
    found = verdicts(nnbench("compare", *folders, "--phase", "all", "--json"), status=1)
    assert found["tensorflow, cpu, fit: 6x2 trace"] == DIFFERENT
    assert found["tensorflow, cpu, fit: 6x2 step"] in (EQUIVALENT, UNDECIDED)
    assert len(found) == 16
    of_one = verdicts(nnbench("compare", *folders, "--phase", "step", "--json"))
    assert list(of_one) == ["tensorflow, cpu, fit: 6x2 step", "tensorflow, cpu, fit: 6x5 step"]


def test_what_was_not_asked_for_is_told_and_not_judged(nnbench, tmp_path):
    """What is slower is traced only, and no phase was asked for: step, epoch and cold count."""
    slow = {"6,6": {"trace": 0.404, "cold": 1.44}}
    before = make_run(tmp_path / "a", {"6,6": {"cold": 1.44}}, launches=8, spread=0.002)
    after = make_run(tmp_path / "b", slow, launches=8, spread=0.002, seed=1)
    answer = nnbench("compare", before.folder, after.folder, "--json")
    told = json.loads(answer.stdout)
    assert (answer.returncode, told["outcome"]) == (0, "equivalent")
    phases = [one["label"].rpartition(" ")[2] for one in told["comparisons"]]
    assert phases == ["step", "epoch", "cold"]
    assert "tensorflow, cpu, fit: 6x2 trace" in told["others"]
    lines = nnbench("compare", before.folder, after.folder).stdout.splitlines()
    assert lines[0].startswith("equivalent: all 3 comparisons are within 2.0 %")
    assert any(line.startswith("not judged: build, prepare, trace") for line in lines)


def test_a_check_has_an_exit_status_and_files_for_others(nnbench, tmp_path):
    before = make_run(tmp_path / "a", NOTEBOOK, launches=8, spread=0.002)
    after = make_run(tmp_path / "b", NOTEBOOK, launches=8, spread=0.002, seed=1, slower=1.0)
    slower = {text: {"step": 0.0011} for text in NOTEBOOK}
    worse = make_run(tmp_path / "c", slower, launches=8, spread=0.002, seed=2)
    noisy = make_run(tmp_path / "d", NOTEBOOK, launches=3, spread=0.1, seed=3)
    files = ("--markdown", tmp_path / "said" / "comment.md", "--junit", tmp_path / "junit.xml")
    answer = nnbench("compare", before.folder, worse.folder, "--phase", "step", *files)
    assert answer.returncode == 1, answer.stderr
    assert answer.stdout.startswith("slower: 6x")
    comment = (tmp_path / "said" / "comment.md").read_text()
    assert comment.splitlines()[0].startswith("### Training time: slower: ")
    assert "<details>" in comment
    suite = ElementTree.fromstring((tmp_path / "junit.xml").read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    assert nnbench("compare", worse.folder, before.folder, "--phase", "step").returncode == 0
    required = ("compare", before.folder, noisy.folder, "--require-decision")
    assert nnbench(*required).returncode == 3
    assert nnbench(*required[:-1]).returncode == 0
    assert nnbench("compare", before.folder, after.folder, "--phase", "rest").returncode == 2


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
    told = nnbench("compare", before.folder, after.folder, "--unlike", "--phase", "all")
    lines = [line for line in told.stdout.splitlines() if line.startswith("tensorflow, cpu, fit: ")]
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


@pytest.mark.long
def test_a_slower_commit_is_found_before_the_budget_is_spent_and_fails_the_check(project):
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "nnbench", "compare", "--against", "HEAD~1", "--json"),
            *("--backend", "jax", "--budget", "4min", "--phase", "step", "--blocks", "2"),
            *("--architectures", "16,16", "--quiet", "--junit", "junit.xml"),
        ],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert answer.returncode == 1, answer.stderr
    told = json.loads(answer.stdout)
    assert told["first"].startswith("HEAD~1")
    assert told["second"] == "now"
    (step,) = told["comparisons"]
    assert step["label"].endswith(" step")
    assert step["verdict"] == DIFFERENT
    assert step["ratio"]["value"] > 1.2
    assert told["spent"]["early"]
    assert told["spent"]["rounds"] in told["looks"]
    # The layer adds variables that no seed changes: initial weights and losses stay.
    assert told["other_numbers"] == []
    assert told["others"] == {}
    suite = ElementTree.fromstring((project / "junit.xml").read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert (project / ".nnbench" / "worktrees").is_dir()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=project, capture_output=True, text=True, check=True
    )
    assert ".nnbench" not in status.stdout
