"""Damage of result folders: it is named with its file, and nothing else is lost for it."""

import itertools
import json
import os

import numpy as np
import pytest
from fuzz.damage import in_json
from fuzz.damage.values import raw
from races import NETWORKS, make_race
from runs import make_run

from nnbench.errors import UserError
from nnbench.measure.trial import KINDS
from nnbench.race.time_to_loss import Race
from nnbench.report.run_analysis import analyse
from nnbench.show.plain import plain
from nnbench.stats import summary
from nnbench.store import runs

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of two networks, small."""
    monkeypatch.setattr("runs.SWEEPS", 2)
    times_s = {"6,6": {}, "100,100": {"step": 0.002}}
    return make_run(tmp_path, times_s, launches=2, blocks=1, cold_epochs=3)


def refusal(folder, *, all_of_it=True):
    """How the run of a folder is refused; empty if it is read, and then it is analysed, too."""
    try:
        found = runs.read(folder)
    except UserError as mistake:
        return str(mistake)
    if not all_of_it:
        return ""
    told = analyse(found)
    assert json.dumps(plain(told.summaries), allow_nan=False)
    summary.ratios_between_runs(found, found)
    summary.widest_interval(found)
    return ""


def test_whatever_a_description_holds_it_is_read_or_refused_in_a_line(run):
    path, records = run.folder / runs.RUN_FILE, run.folder / runs.TRIALS_FILE
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[:4]))
    whole = path.read_bytes()
    refused = []
    for number, content in enumerate(in_json.all_of(whole)):
        path.write_bytes(content)
        refused += filter(None, [refusal(run.folder, all_of_it=number % 40 == 0)])
    assert len(refused) > 500
    assert all(str(path) in one and "\n" not in one and len(one) < 1000 for one in refused)
    path.write_bytes(whole)
    assert not refusal(run.folder)


@pytest.mark.parametrize(
    "kind", ["launch", "step", *(pytest.param(one, marks=pytest.mark.long) for one in KINDS)]
)
def test_a_record_that_cannot_be_is_named_and_the_others_count(run, kind):
    path = run.folder / runs.TRIALS_FILE
    first, *_, last = lines = path.read_bytes().splitlines()
    line = next(one for one in lines if f'"{kind}"'.encode() in one)
    others = [one for one in (first, last) if one != line]
    before, analysed = len(others) + 1, itertools.count()
    contents = list(in_json.all_of(line))
    for content in contents:
        path.write_bytes(b"\n".join([content, *others, b""]))
        found = runs.read(run.folder)
        left = len(found.launches) + len(found.trials)
        assert (left, len(found.damage)) in ((before, 0), (before - 1, 1)), content[:100]
        assert all("line 1 " in one for one in found.damage)
        # What stands there may be as good as what did: then it is as good to what reads it.
        if not found.damage and next(analysed) % 16 == 0:
            assert not refusal(run.folder)
    assert next(analysed) < len(contents) / 2


def test_a_duration_is_above_zero_and_below_thirty_years(run):
    path = run.folder / runs.TRIALS_FILE
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    for value in (0, -1, True, "1", None, 1e300, [1]):
        record["samples_s"] = {"cold": [value]}
        path.write_text("\n".join([lines[0], json.dumps(record), *lines[2:], ""]))
        assert len(runs.read(run.folder).damage) == 1


@pytest.mark.parametrize(
    "again", [json.dumps, lambda one: json.dumps(one, indent=None, separators=(",", ":"))]
)
def test_a_record_that_stands_there_twice_counts_once(run, again):
    path = run.folder / runs.TRIALS_FILE
    lines = path.read_text().splitlines()
    before = summary.summarise(run)
    twice = [*lines, *(again(json.loads(line)) for line in lines)]
    path.write_text("\n".join([*twice, ""]))
    found = runs.read(run.folder)
    assert plain(summary.summarise(found)) == plain(before)
    assert "line" in found.damage[0]
    assert all("repeats" in one or "already" in one or "more" in one for one in found.damage)


def test_of_two_records_of_one_trial_the_first_counts(run):
    path = run.folder / runs.TRIALS_FILE
    record = {**run.trials[0], "trial": 999, "samples_s": {"cold": [77.0]}}
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")
    found = runs.read(run.folder)
    assert list(found.trials) == list(run.trials)
    assert "there is a trial of this" in found.damage[0]


def test_runs_of_which_much_is_lost_are_still_analysed(run):
    """Whatever records are left: figures that hang on the others are missing, and no more."""
    path = run.folder / runs.TRIALS_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    rng = np.random.default_rng(0)
    for share in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8):
        kept = [line for line in lines if rng.random() < share]
        path.write_bytes(b"".join(kept))
        assert not refusal(run.folder)


def test_networks_that_share_no_block_any_more_are_analysed(tmp_path):
    times_s = {"6,6": {}, "8,8": {"step": 0.002}, "9,9": {"trace": 2.0, "step": 0.0005}}
    run = make_run(tmp_path, times_s, launches=2, blocks=1, spread=0.001)
    path = run.folder / runs.TRIALS_FILE
    keys = {key: launch for launch, key in enumerate(list(run.cases)[1:])}
    records = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [one for one in records if keys.get(one.get("case"), one["launch"]) == one["launch"]]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in kept))
    assert not refusal(run.folder)


def test_a_race_reads_what_its_curves_can_be(tmp_path):
    networks = {name: NETWORKS[name] for name in ("6,6", "100,100")}
    race = make_race(tmp_path, networks, seeds=2, epochs=4)
    path = race.folder / runs.TRIALS_FILE
    lines = path.read_text().splitlines()
    record = json.loads(lines[0])
    wrong = [json.loads(raw(value)) for value in in_json.EACH]
    for name in ("seed", "losses", "ended_s"):
        for value in (*wrong, [0.5], record["ended_s"][::-1], [*record["losses"][:-1], "x"]):
            path.write_text("\n".join([json.dumps({**record, name: value}), *lines[1:], ""]))
            found = runs.read(race.folder)
            assert len(found.trials) + len(found.damage) == len(lines)
    path.write_text(json.dumps({**record, "losses": [None] * 4}) + "\n")
    assert len(Race.of(runs.read(race.folder))) == 1


def test_what_is_no_file_is_not_waited_for(run):
    for name in (runs.RUN_FILE, runs.TRIALS_FILE):
        path = run.folder / name
        whole = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert refusal(run.folder)
        path.unlink()
        path.mkdir()
        assert refusal(run.folder)
        path.rmdir()
        path.write_bytes(whole)
