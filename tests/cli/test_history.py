import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from histories import asv_files, interleaved, noise, repository
from projects import git
from runs import TIMES_S, make_run

from nnbench.store import runs

MODEL = """import keras

LAYERS = {layers}


def build():
    layers = [keras.layers.Dense(4, activation="relu") for _ in range(LAYERS)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1, "sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model
"""


@pytest.fixture
def measured(tmp_path):
    """A repository of 12 commits, recorded, with 8 % more from number 5 on."""
    commits = repository(tmp_path, 12)
    interleaved(tmp_path / "results", commits, [1] * 5 + [1.08] * 7, shared=0.2)
    return commits


def test_table_export_and_json(nnbench, tmp_path, measured):
    shown = nnbench("history")
    assert shown.returncode == 0, shown.stderr
    assert "12 rows, 12 commits, 1 series" in shown.stdout
    written = nnbench("history", "export", "out.parquet")
    assert written.returncode == 0, written.stderr
    assert pd.read_parquet(tmp_path / "out.parquet")["commit"].tolist() == measured
    rows = json.loads(nnbench("history", "--json", "--match", "step").stdout)
    assert [row["commit"] for row in rows] == measured
    assert rows[0]["low"] < rows[0]["value"] < rows[0]["high"]


def test_check_fails_on_an_alarm_until_it_is_acknowledged(nnbench, tmp_path, measured):
    failed = nnbench("history", "check", "--markdown", "comment.md")
    assert failed.returncode == 1, failed.stderr
    assert f"{measured[5][:9]} Change number 5" in failed.stdout
    comment = (tmp_path / "comment.md").read_text()
    assert "**slower**" in comment
    assert "1 alarm" in comment
    assert nnbench("history", "annotate", "HEAD~6", "wanted").returncode == 0
    passed = nnbench("history", "check", "--json")
    assert passed.returncode == 0, passed.stderr
    assert json.loads(passed.stdout)["found"][0]["acknowledged"] == "wanted"


def test_check_leaves_a_noisy_history_alone(nnbench, tmp_path):
    commits = repository(tmp_path, 60)
    rng = np.random.default_rng(0)
    levels = {f"suite.time_{name}": np.exp(noise(rng, 60, 0.05)) for name in "abcdef"}
    asv_files(tmp_path / ".asv" / "results", commits, levels)
    passed = nnbench("history", "check")
    assert passed.returncode == 0, passed.stdout
    assert "no alarms in 6 series over 60 commits" in passed.stdout


def test_page_and_charts(nnbench, tmp_path, measured):
    drawn = nnbench("history", "chart", "page")
    assert drawn.returncode == 0, drawn.stderr
    page = (tmp_path / "page" / "history.html").read_text()
    assert "Change number 5" in page
    assert page.count('<svg class="chart') == len(
        list((tmp_path / "page" / "history-charts").glob("*.svg"))
    )


def test_report_of_a_run_with_its_networks_over_commits(nnbench, tmp_path, measured):
    run = make_run(tmp_path, {"6,6": TIMES_S})
    written = nnbench("report", run.folder, "--history", "results")
    assert written.returncode == 0, written.stderr
    page = (run.folder / "report.html").read_text()
    assert "Over commits" in page
    assert "Change number 5" in page
    assert len(list((run.folder / "history-charts").glob("*.svg"))) == 2
    # A run over commits needs no option: its own are what there is to see.
    recorded = next((tmp_path / "results").iterdir())
    assert nnbench("report", recorded).returncode == 0
    own = (recorded / "report.html").read_text()
    assert "Change number 5" in own
    assert "12 commits were measured in turn" in own
    # Without it nothing is said of commits, and another network's history is none of this one's.
    assert nnbench("report", run.folder).returncode == 0
    assert "Over commits" not in (run.folder / "report.html").read_text()
    other = make_run(tmp_path / "other", {"6": TIMES_S})
    refused = nnbench("report", other.folder, "--history", "results")
    assert refused.returncode == 2
    assert "nothing in results was measured" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check"], "there is none of .asv, .benchmarks, results here"),
        (["check", "--in", "nowhere"], "nowhere is no folder"),
        (["--in", "."], "no results of commits in ."),
        (["annotate", "nothing", "text"], "'nothing' is no commit"),
        (["annotate", "--", "--output=stolen", "text"], "'--output=stolen' is no commit"),
        (["--in", "x" * 300], "is no folder"),
        (["--in", ".git", "--branch=--output=stolen"], "'--output=stolen' names no commits"),
        (["--in", ".git", "--branch", "gone"], "'gone' names no commits"),
        (["--in", ".git", "--repository", ".git/refs/x"], "names no commits of a git repository"),
        (["check", "--in", ".git", "--since=--output=stolen"], "no results"),
        (["record", "--", "--output=stolen..HEAD"], "'--output=stolen' is no commit"),
        (["bisect", "--", "--output=stolen"], "'--output=stolen' is no commit"),
        (["bisect", "HEAD", "--phase", "sleep"], "unknown phase 'sleep'"),
        (["bisect", "HEAD"], "there are no commits after HEAD"),
        (["record", "HEAD"], "at least two commits"),
        (["record", "HEAD", "--optimizer", "adamw"], "'adamw'"),
        (["record", "HEAD", "--dtype", "int8"], "'int8'"),
    ],
)
def test_mistakes_are_one_line_and_status_2(nnbench, tmp_path, arguments, told):
    repository(tmp_path, 1)
    answer = nnbench("history", *arguments)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.glob("**/*stolen*"))


def test_skipped_files_are_told_on_standard_error(nnbench, tmp_path, measured):
    machine = tmp_path / ".asv" / "results" / "host"
    machine.mkdir(parents=True)
    (machine / "machine.json").write_text('{"machine": "host", "version": 1}')
    (machine / "cut.json").write_text('{"commit_hash": "')
    answer = nnbench("history")
    assert answer.returncode == 0
    assert "cut.json: not a result file of asv" in answer.stderr


@pytest.fixture
def two_commits(tmp_path):
    """A project of one's own whose last commit has 30 layers for one; how it is measured."""
    repository(tmp_path, 1)
    for layers in (1, 30):
        (tmp_path / "model.py").write_text(MODEL.format(layers=layers))
        git(tmp_path, "add", "model.py")
        git(tmp_path, "commit", "-qm", f"{layers} layers")
    return ("--model", "model.py:build", "--backend", "jax", "--epochs", "3", "--quiet")


def test_a_project_of_ones_own_is_recorded(nnbench, tmp_path, two_commits):
    record = ("history", "record", "HEAD~1..HEAD", *two_commits, "--launches", "1")
    recorded = nnbench(*record)
    assert recorded.returncode == 0, recorded.stderr
    folder = tmp_path / recorded.stdout.strip()
    run = runs.read(folder)
    assert len(run.launches) == 2
    assert len({trial["side"] for trial in run.trials.records(run.good_rows())}) == 2
    again = nnbench(*record)
    assert again.returncode == 0, again.stderr
    assert len(runs.read(folder).trials) == len(run.trials)
    rows = json.loads(nnbench("history", "--json").stdout)
    assert {row["launches"] for row in rows} == {1}
    before, after = (row for row in rows if row["benchmark"] == "trace")
    assert before["digest"] != after["digest"]
    assert "" not in (before["digest"], after["digest"])
    # The digests differ: one launch is too few for times, but not for numbers.
    checked = nnbench("history", "check")
    assert checked.returncode == 1
    assert "computes other numbers" in checked.stdout


@pytest.mark.alone
def test_a_project_of_ones_own_is_bisected(nnbench, tmp_path, two_commits):
    found = nnbench(
        *("history", "bisect", "HEAD~1", "HEAD", *two_commits),
        *("--phase", "trace", "--launches", "2", "--json"),
    )
    assert found.returncode == 0, found.stderr
    outcome = json.loads(found.stdout)
    assert outcome["found"]
    assert outcome["subjects"] == ["30 layers"]
    assert outcome["ratio"] > 2
    rows = json.loads(nnbench("history", "--json").stdout)
    before, after = (row for row in rows if row["benchmark"] == "trace")
    assert after["value"] > 2 * before["value"]


ODD = ("", "a\u2028b\x0c\u0085c", "x|y <!-- @everyone -->", "\u202e" + "z" * 3000)


def test_commits_of_any_message_go_through_every_command(nnbench, tmp_path):
    repository(tmp_path, 1)
    for message in (*ODD, *ODD):
        subject = message.encode() + b"\xe9" if message else b""
        (tmp_path / "message").write_bytes(subject)
        git(tmp_path, "commit", "-q", "--allow-empty", "--allow-empty-message", "-F", "message")
    named = git(tmp_path, "log", "--reverse", "--format=%H").split()
    asv_files(tmp_path / ".asv", named, {"time_x": [1.0] * 4 + [2.0] * 5})
    for arguments in ([], ["export", "a.csv"], ["chart", "page"], ["annotate", "HEAD~2", "wanted"]):
        answer = nnbench("history", *arguments)
        assert answer.returncode == 0, answer.stderr
    checked = nnbench("history", "check", "--markdown", "a.md", "--json")
    assert checked.returncode in (0, 1), checked.stderr
    assert json.loads(checked.stdout)["found"][0]["commit"] in named


@pytest.mark.parametrize(
    "name", ["../../stolen", "/stolen", "..", "a/b", "a\\b", "x" * 300, "a\nb", "a\u202eb"]
)
def test_names_of_runs_are_names(nnbench, tmp_path, name):
    answer = nnbench("run", "6", "--data", "synthetic:rows=9", "--name", name)
    assert answer.returncode == 2
    assert "is no name" in answer.stderr
    assert "can be printed" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.glob("**/run.json"))


@pytest.mark.parametrize("file", ["", ".", "/", "gone/..", "folder"])
def test_files_that_cannot_be_written_are_one_line(nnbench, tmp_path, measured, file):
    (tmp_path / "folder").mkdir()
    answer = nnbench("history", "check", "--markdown", file)
    assert answer.returncode == 2
    assert "cannot be written" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.glob("**/*.partial"))


def test_what_is_no_file_of_its_own_is_written_through(nnbench, tmp_path, measured):
    (tmp_path / "there.md").touch()
    (tmp_path / "link.md").symlink_to("there.md")
    assert nnbench("history", "check", "--markdown", "link.md").returncode == 1
    assert (tmp_path / "link.md").is_symlink()
    assert "1 alarm" in (tmp_path / "there.md").read_text()
    assert nnbench("history", "check", "--markdown", os.devnull).returncode == 1
    assert Path(os.devnull).is_char_device()
