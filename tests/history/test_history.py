import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from asv import util as asv_util
from asv.results import Results
from asv.runner import BenchmarkResult
from histories import asv_files, interleaved, pytest_benchmark_file, repository
from runs import case

from nnbench.errors import UserError
from nnbench.history import bisect, check, record, series, table, words
from nnbench.history.annotations import Annotation, add
from nnbench.history.annotations import read as read_annotations
from nnbench.history.commits import Commit, chosen, log
from nnbench.store import runs
from nnbench.workload.study import Effort, Study


def test_one_table_of_three_tools(tmp_path):
    commits = repository(tmp_path / "repo", 4)
    asv_files(tmp_path / "asv", commits, {"b.time_step": [1, 1.1, 1.2, 1.3]})
    for number, commit in enumerate(commits):
        pytest_benchmark_file(
            tmp_path / ".benchmarks",
            commit,
            0.5,
            number=number,
            extra={"disturbed": 0.25, "pace_s": 0.02},
        )
    interleaved(tmp_path / "results", commits, [1, 1, 1, 1.08])
    history = table.read([tmp_path], tmp_path / "repo")
    assert list(history.table.columns) == table.COLUMNS
    assert history.table.groupby("source").size().to_dict() == {
        "asv": 4,
        "nnbench": 4,
        "pytest-benchmark": 4,
    }
    asv = history.table[history.table["source"] == "asv"]
    assert asv["value"].tolist() == [1, 1.1, 1.2, 1.3]
    assert asv["order"].tolist() == [0, 1, 2, 3]
    assert asv["case"].unique().tolist() == ["network=6x2"]
    assert (asv["low"] < asv["value"]).all()
    # asv gives 99 %: at 95 % they are narrower than what it wrote.
    assert (asv["low"] > 0.98 * asv["value"]).all()
    assert asv["samples"].tolist() == [10] * 4
    saved = history.table[history.table["source"] == "pytest-benchmark"]
    assert saved["benchmark"].unique().tolist() == ["test_speed.py::test_step"]
    assert saved["samples"].tolist() == [25] * 4
    assert saved[["noisy", "pace_s"]].to_numpy().tolist() == [[0.25, 0.02]] * 4
    ours = history.table[history.table["source"] == "nnbench"]
    assert ours["launches"].tolist() == [5] * 4
    assert ours["interleaved"].all()
    assert history.skipped == []


def disturb(run, round_, factors):
    """Multiply the times of one round by a factor of each side."""
    lines = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    for line in lines:
        if line["kind"] == "trial" and line["round"] == round_:
            line["samples_s"]["step"][0] *= factors[line["side"]]
    (run / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_restless_round_hides_no_step(tmp_path):
    commits = repository(tmp_path / "repo", 12)
    exact = 0
    for seed in range(12):
        folder = tmp_path / str(seed)
        levels = [1.0] * 3 + [1.05] * 9
        run = interleaved(folder, commits, levels, spread=0.03, seed=seed)
        factors = np.exp(np.random.default_rng(seed).normal(0, 0.3, 12))
        names = [commit[:9] for commit in commits]
        disturb(run, 2, dict(zip(names, factors, strict=True)))
        found = check.run(table.read([folder], tmp_path / "repo")).alarms
        exact += [one.alarm.commit for one in found] == [commits[3]]
    assert exact >= 11


def test_what_asv_tracks_of_the_machine_is_said_of_all_beside_it(tmp_path):
    commits = repository(tmp_path / "repo", 14)
    slow = [1.0] * 7 + [1.5] * 7
    wobble = 1 + 0.01 * np.random.default_rng(0).standard_normal(14)
    asv_files(
        tmp_path / "asv",
        commits,
        {
            "training.One.track_step": slow * wobble,
            "training.One.track_disturbed": [0.0] * 7 + [0.5] * 7,
            "training.One.track_pace": [0.02] * 14,
            "cold.Whole.time_training": slow * wobble,
        },
        units={"training.One.track_disturbed": "share of blocks"},
    )
    history = table.read([tmp_path], tmp_path / "repo")
    found = history.table.groupby("benchmark")["noisy"].apply(list).to_dict()
    assert found == {
        "training.One.track_step": [0.0] * 7 + [0.5] * 7,
        "cold.Whole.time_training": [0.0] * 7 + [0.5] * 7,
    }
    assert (history.table["pace_s"] == 0.02).all()
    done = check.run(history)
    assert not done.alarms
    assert {one.alarm.kind for one in done.found} == {"unconfirmed"}
    told = words.tell(done).lines[0].sentence
    assert "noisy since then" in told
    assert f"nnbench history record {commits[6][:9]}..{commits[7][:9]}" in told


def test_what_asv_itself_writes_is_read(tmp_path):
    commits = repository(tmp_path / "repo", 2)
    benchmark = {
        "name": "steps.Fit.time_step",
        "version": "1",
        "unit": "seconds",
        "type": "time",
        "params": [["'6x2'", "'6x5'"]],
        "param_names": ["network"],
        "code": "",
    }
    stored = tmp_path / "results"
    (stored / "here").mkdir(parents=True)
    asv_util.write_json(str(stored / "benchmarks.json"), {benchmark["name"]: benchmark}, 2)
    machine = {"machine": "here", "cpu": "A CPU"}
    asv_util.write_json(str(stored / "here" / "machine.json"), machine, 1)
    for place, commit in enumerate(commits):
        written = Results(machine, {"keras": "3.15"}, commit, 1000 * place, "3.11", "env", {})
        samples = [0.010, 0.011, 0.012, 0.0115, 0.0105, 0.011 + place]
        measured = BenchmarkResult(
            *([0.011, None], [samples, None], [1, None]), errcode=0, stderr="", profile=None
        )
        written.add_result(benchmark, measured, record_samples=True)
        written.save(str(stored))
    history = table.read([stored], tmp_path / "repo")
    assert history.skipped == []
    rows = history.table
    assert rows["case"].tolist() == ["network=6x2"] * 2
    assert rows["value"].tolist() == pytest.approx([0.011, 0.01125])
    assert rows["samples"].tolist() == [6] * 2
    assert (rows["host"].iloc[0], rows["unit"].iloc[0]) == ("here", "s")
    assert "keras 3.15" in rows["environment"].iloc[0]


def test_what_pytest_benchmark_itself_writes_is_read(tmp_path):
    commits = repository(tmp_path, 1)
    (tmp_path / "test_speed.py").write_text(
        "import pytest\n\n\n@pytest.mark.parametrize('rows', [10])\n"
        "def test_sum(benchmark, rows):\n    benchmark.pedantic(sum, (range(rows),), rounds=5)\n"
    )
    plugin = ["-p", "pytest_benchmark.plugin"]
    # pytest-benchmark takes itself for a worker of xdist where this is set, and does nothing.
    outside = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "test_speed.py", "--benchmark-autosave"],
        cwd=tmp_path,
        env={**outside, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=True,
        capture_output=True,
    )
    rows = table.read([tmp_path], tmp_path).table
    assert rows["commit"].tolist() == commits
    assert rows["case"].tolist() == ["10"]
    assert rows["samples"].tolist() == [5]
    assert rows["value"].between(1e-9, 1).all()


def test_hosts_versions_and_environments_are_never_one_series(tmp_path):
    commits = repository(tmp_path / "repo", 2)
    asv_files(tmp_path / "a", commits, {"time_x": [1, 1]})
    asv_files(tmp_path / "b", commits, {"time_x": [9, 9]}, machine="other")
    asv_files(tmp_path / "c", commits, {"time_x": [8, 8]}, python="3.12")
    asv_files(tmp_path / "d", commits, {"time_x": [7, 7]}, version="2")
    history = table.read([tmp_path], tmp_path / "repo")
    values = sorted(one.raw.tolist() for one in series.all_of(history))
    assert values == [[1, 1], [7, 7], [8, 8], [9, 9]]


def test_damaged_and_foreign_files_are_named_and_skipped(tmp_path):
    commits = repository(tmp_path / "repo", 3)
    asv_files(tmp_path / "asv", commits, {"time_x": [1, 2, 3]})
    damaged = next((tmp_path / "asv" / "host").glob(f"{commits[1][:8]}*"))
    damaged.write_text(damaged.read_text()[:100])
    (tmp_path / "asv" / "host" / "notes.json").write_text('{"my": "notes"}')
    old = json.loads(next((tmp_path / "asv" / "host").glob(f"{commits[2][:8]}*")).read_text())
    (tmp_path / "asv" / "host" / "old.json").write_text(json.dumps({**old, "version": 7}))
    broken = {**old, "results": {"time_x": [[4.0, None]], "time_y": 7}}
    (tmp_path / "asv" / "host" / "broken.json").write_text(json.dumps(broken))
    storage = tmp_path / ".benchmarks" / "here"
    storage.mkdir(parents=True)
    (storage / "0001_x.json").write_text("[1, 2]")
    pytest_benchmark_file(tmp_path / ".benchmarks", commits[0], 0.5, number=2, dirty=True)
    run = interleaved(tmp_path / "results", commits[:2], [1, 1])
    with (run / "trials.jsonl").open("a") as file:
        file.write("not json\n")
    (tmp_path / "results" / "empty").mkdir()
    (tmp_path / "results" / "empty" / "run.json").write_text("{}")
    history = table.read([tmp_path], tmp_path / "repo")
    told = {one.place.rpartition("/")[2]: one.reason for one in history.skipped}
    assert damaged.name in told
    assert "notes.json" in told
    assert "version 7" in told["old.json"]
    assert "damaged" in told["broken.json, time_y"]
    assert "0001_x.json" in told
    assert any("changes that" in reason for reason in told.values())
    assert "cannot be read" in told["trials.jsonl"]
    good = history.table[history.table["case"] == "network=6x2"]
    good = good[good["source"] == "asv"]
    assert good["commit"].tolist() == [commits[0], commits[2]]
    assert len(history.table[history.table["source"] == "nnbench"]) == 2


def test_a_pipe_is_skipped_and_not_waited_for(tmp_path):
    commits = repository(tmp_path / "repo", 2)
    asv_files(tmp_path / "asv", commits, {"b.time_step": [1, 1.1]})
    os.mkfifo(tmp_path / "asv" / "pipe.json")
    found = table.read([tmp_path / "asv"])
    assert len(found.table) == 2
    assert [(one.place, one.reason) for one in found.skipped] == [
        (str(tmp_path / "asv" / "pipe.json"), "it is no file")
    ]


def test_commits_of_other_branches_are_left_out_and_without_git_dates_order(tmp_path):
    commits = repository(tmp_path / "repo", 2)
    strange = "f" * 40
    asv_files(tmp_path / "asv", [*commits, strange], {"time_x": [1, 2, 3]})
    history = table.read([tmp_path / "asv"], tmp_path / "repo")
    assert history.table["commit"].tolist() == commits
    assert [one.reason for one in history.skipped] == ["it is not on this branch"]
    alone = table.read([tmp_path / "asv"], None)
    assert alone.table["commit"].tolist() == [*commits, strange]


def test_sessions_of_one_commit_become_one_row(tmp_path):
    commits = repository(tmp_path / "repo", 2)
    for number, median in enumerate([1.0, 1.1, 1.2]):
        pytest_benchmark_file(tmp_path / ".benchmarks", commits[0], median, number=number)
    row = table.read([tmp_path], tmp_path / "repo").table.iloc[0]
    assert row["value"] == pytest.approx(1.1, rel=0.01)
    assert (row["launches"], row["samples"]) == (3, 75)
    assert row["low"] < row["value"] < row["high"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_export_holds_the_table(tmp_path, ending):
    commits = repository(tmp_path / "repo", 3)
    asv_files(tmp_path / "asv", commits, {"time_x": [1, 2, 3]})
    history = table.read([tmp_path / "asv"], tmp_path / "repo")
    path = tmp_path / f"out.{ending}"
    table.export(history, path)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[ending](path)
    assert read["value"].tolist() == [1, 2, 3]
    assert read["commit"].tolist() == commits
    assert list(read.columns) == table.COLUMNS


def test_export_to_another_ending_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"\.csv, \.parquet, \.json"):
        table.export(table.read([tmp_path]), tmp_path / "out.xls")


def test_many_commits_and_benchmarks_all_become_rows(tmp_path):
    commits = [hashlib.sha1(bytes([number])).hexdigest() for number in range(100)]
    values = {f"b.time_{number}": np.full(100, 1.0 + number) for number in range(100)}
    asv_files(tmp_path, commits, values)
    history = table.read([tmp_path])
    assert len(history.table) == 100 * 100
    assert history.table.groupby("benchmark")["value"].nunique().eq(1).all()


def test_what_a_round_shares_cancels(tmp_path):
    commits = repository(tmp_path / "repo", 8)
    levels = [1.0] * 4 + [1.08] * 4
    interleaved(tmp_path / "results", commits, levels, rounds=6, spread=0.01, shared=0.3)
    one = next(series.all_of(table.read([tmp_path / "results"], tmp_path / "repo")))
    assert one.interleaved
    found = np.exp(one.logs[4:].mean() - one.logs[:4].mean())
    assert found == pytest.approx(1.08, abs=0.015)
    assert one.errors.max() < 0.01


def test_noisy_blocks_are_left_out_where_clean_ones_remain(tmp_path):
    commits = repository(tmp_path / "repo", 3)
    stolen = {"stolen_share": 0.5}
    interleaved(tmp_path / "results", commits, [1, 1, 1], seed=1)
    interleaved(
        tmp_path / "results", commits, [1, 3, 1], seed=2, name="bad", noise=stolen, rounds=3
    )
    history = table.read([tmp_path / "results"], tmp_path / "repo")
    one = next(series.all_of(history))
    assert np.exp(one.logs[1] - one.logs[0]) == pytest.approx(1, abs=0.03)
    assert history.table["noisy"].max() == pytest.approx(0.5)


def test_one_launch_in_turn_is_not_trusted_by_itself(tmp_path):
    commits = repository(tmp_path / "repo", 4)
    interleaved(tmp_path / "results", commits, [1, 1, 1.3, 1.3], rounds=1)
    history = table.read([tmp_path / "results"], tmp_path / "repo")
    assert check.run(history).alarms == []


def test_check_names_the_commit_and_annotations_acknowledge_it(tmp_path):
    commits = repository(tmp_path / "repo", 12)
    interleaved(
        tmp_path / "results",
        commits,
        [1] * 5 + [1.08] * 7,
        shared=0.2,
        digests=["a"] * 9 + ["b"] * 3,
    )
    history = table.read([tmp_path / "results"], tmp_path / "repo")
    found = check.run(history)
    assert {(one.alarm.kind, one.alarm.commit) for one in found.alarms} == {
        ("step", commits[5]),
        ("numbers", commits[9]),
    }
    text = words.markdown(words.tell(found))
    assert "2 alarms" in text
    assert "Change number 5" in text
    assert "other numbers" in text
    path = tmp_path / "remarks.json"
    add(path, Annotation(commits[5], "wanted"))
    add(path, Annotation(commits[9], "a new initialiser", match="no such case"))
    again = check.run(history, read_annotations(path))
    assert [one.alarm.kind for one in again.alarms] == ["numbers"]
    assert "wanted" in words.markdown(words.tell(again))
    assert check.run(history, since=commits[10]).found == []


def test_commits_that_were_not_measured_widen_the_range(tmp_path):
    commits = repository(tmp_path / "repo", 12)
    measured = commits[::3]
    interleaved(tmp_path / "results", measured, [1, 1, 1.2, 1.2], shared=0.2)
    found = check.run(table.read([tmp_path / "results"], tmp_path / "repo"))
    assert [one.range_size for one in found.alarms] == [3]
    told = words.tell(found).lines[0]
    assert told.advice.startswith(f"narrow: nnbench history bisect {commits[3][:9]}")


def test_ranges_hold_both_ends_and_unknown_commits_are_mistakes(tmp_path):
    commits = repository(tmp_path / "repo", 5)
    names = [one.name for one in chosen(tmp_path / "repo", ["HEAD~3..HEAD~1", "HEAD"])]
    assert names == commits[1:]
    with pytest.raises(UserError, match="'nowhere' is no commit"):
        chosen(tmp_path / "repo", ["nowhere"])
    with pytest.raises(UserError, match="no commits of a git repository"):
        log(tmp_path)


def test_recording_more_commits_than_fit_mixes_them_anew_each_round(tmp_path):
    commits = log(tmp_path / "repo") if repository(tmp_path / "repo", 10) else []
    study, cases = Study(effort=Effort(launches=4)), [case("6,6")]
    parts = record.plan(commits, study, cases, together=4)
    assert all(2 <= len(part.commits) <= 4 for part in parts)
    for number in range(4):
        mine = [name for part in parts if part.round == number for name in part.commits.values()]
        assert sorted(mine) == sorted(one.name for one in commits)
    met = {frozenset(part.commits) for part in parts}
    assert len(met) > 6
    again = record.plan(commits, study, cases, together=4)
    assert [part.name for part in parts] == [part.name for part in again]
    (whole,) = record.plan(commits, study, cases, together=12)
    (typed,) = record.plan(commits, study, [case("6x2")], together=12)
    assert (typed.name, typed.wanted["cases"]) == (whole.name, whole.wanted["cases"])
    assert typed.wanted != whole.wanted, "what was typed is kept, and decides nothing"
    made = [part.folder(tmp_path / "kept") for part in (whole, typed)]
    assert made[0] == made[1], "one goes on with what the other began"
    assert whole.wanted["launches"] == 4
    assert {part.wanted["launches"] for part in parts} == {1}
    with pytest.raises(UserError, match="at least two commits"):
        record.plan(commits[:1], study, cases, together=4)
    precise = Study(effort=Effort(precision="2%"))
    assert len(record.plan(commits, precise, cases, together=12)) == 1
    with pytest.raises(UserError, match="measured in parts of 4"):
        record.plan(commits, precise, cases, together=4)


def bisected(tmp_path, levels, *, spread=0.01, phase="step"):
    names = repository(tmp_path / "repo", len(levels))
    commits = log(tmp_path / "repo")
    level = dict(zip(names, levels, strict=True))
    measured = []

    def measure(shown: list[Commit], attempt: int):
        measured.append([one.name for one in shown])
        folder = interleaved(
            tmp_path / "runs",
            [one.name for one in shown],
            [level[one.name] for one in shown],
            name=f"{len(measured)}-{attempt}",
            seed=len(measured),
            spread=spread,
            shared=0.2,
        )
        return runs.read(folder)

    return bisect.search(commits, phase, measure, lambda step: None), names, measured


@pytest.mark.parametrize("at", [1, 6, 15])
def test_bisecting_finds_the_commit_in_few_measurements(tmp_path, at):
    outcome, names, measured = bisected(tmp_path, [1.0] * at + [1.08] * (16 - at))
    assert outcome.found
    assert [one.name for one in outcome.commits] == [names[at]]
    assert outcome.change.ratio.value == pytest.approx(1.08, abs=0.02)
    assert len(measured) <= 8


def test_bisecting_faster_commits_works_alike(tmp_path):
    outcome, names, _ = bisected(tmp_path, [1.0] * 4 + [0.8] * 5)
    assert [one.name for one in outcome.commits] == [names[4]]


def test_bisecting_stops_where_the_ends_do_not_differ(tmp_path):
    outcome, _, measured = bisected(tmp_path, [1.0] * 8)
    assert not outcome.found
    assert outcome.reason == "the two ends do not differ"
    assert len(measured) <= bisect.MOST_TRIES


def test_bisecting_keeps_a_range_where_the_middle_is_neither(tmp_path):
    outcome, _, _ = bisected(tmp_path, [1.0, 1.0, 1.04, 1.04, 1.0816], spread=0.002)
    assert not outcome.found
    assert len(outcome.commits) > 1
    assert "lies between" in outcome.reason


def test_bisecting_a_phase_that_was_not_measured_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="'compile' was not measured"):
        bisected(tmp_path, [1.0, 1.1], phase="compile")


def test_reading_a_history_imports_no_framework():
    code = (
        "import sys\n"
        "from nnbench.history import bisect, check, record, table\n"
        "from nnbench.history import page\n"
        "sys.exit(bool({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
