"""What a run leaves open follows from a first look: plans from made step times, and real ones."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from runs import FINGERPRINT, TIMES_S, make_run

from nnbench.measure import effort, trial
from nnbench.measure import run as measuring
from nnbench.measure.effort import Look
from nnbench.measure.schedule import SWEEPS
from nnbench.show import progress, units
from nnbench.store import runs
from nnbench.workload.study import Study

OWN = """
import keras

def build():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model
"""


@pytest.fixture(scope="module")
def data():
    return Study.of(["conv:8x1"]).load()


def planned(data, epoch_s, steps=63, sides=1, once_s=1.0, networks=("conv:8x1",), **options):
    """The plan of a study whose networks all take as long as is made up here."""
    study = Study.of(networks, backend="jax", **options)
    cases = study.cases(data)
    look = Look(start_s=4.0, once_s=once_s, step_s=epoch_s / steps, epoch_s=epoch_s)
    looks = {effort.usual_key(case): look for case in cases}
    return effort.plan(study, cases, looks, sides)


def test_cheap_networks_are_measured_as_ever(data):
    made = planned(data, epoch_s=0.05)
    assert (made.epochs, made.launches, made.blocks, made.sweeps) == (30, 5, 2, SWEEPS)
    assert (made.limit_s, made.reason) == (120.0, "")
    assert trial.turn(0.04) == (2, trial.SAMPLES_IN_A_TURN)
    assert trial.epoch_samples(0.15) == trial.EPOCH_SAMPLES


@pytest.mark.parametrize(("epoch_s", "epochs"), [(0.19, 30), (0.5, 10), (1.9, 3), (60.0, 3)])
def test_as_many_epochs_as_a_training_of_seconds_has(data, epoch_s, epochs):
    made = planned(data, epoch_s)
    assert made.epochs == epochs
    assert (f"{epochs} epochs instead of 30" in made.reason) == (epochs < 30)


def test_a_network_of_slow_steps_is_measured_in_minutes(data):
    made = planned(data, epoch_s=6.3, path="fit,compiled")
    assert made.epochs == 3
    assert made.launches >= effort.FEWEST_LAUNCHES
    assert made.total_s < 600
    assert made.limit_s >= 2 * 3 * 6.3


def test_what_is_asked_for_is_obeyed_and_goes_unexplained(data):
    made = planned(data, 6.3, epochs=30, launches=5, blocks=2, limit=50.0)
    assert (made.epochs, made.launches, made.blocks) == (30, 5, 2)
    assert (made.limit_s, made.reason) == (50.0, "")


def test_the_limit_leaves_room_for_what_the_plan_asks(data):
    made = planned(data, 100.0, epochs=30)
    assert made.limit_s > 30 * 100


def test_the_slowest_decides_for_all(data):
    study = Study.of(["conv:8x1", "conv:8x2"], backend="jax,torch", path="fit,compiled")
    cases = study.cases(data)
    looks = {effort.usual_key(case): Look(4.0, 1.0, 0.001, 0.05) for case in cases}
    slow = cases[-1]
    looks[effort.usual_key(slow)] = Look(4.0, 1.0, 0.03, 2.0)
    made = effort.plan(study, cases, looks)
    assert made.epochs == 3
    assert f"an epoch of {slow.label} takes about 2.00 s ({slow.context})" in made.reason
    assert {case.cold_epochs for case in made.of(study).cases(data)} == {3}


def test_the_time_told_is_that_of_the_trials(data):
    """The arithmetic, on steps of 0.1 s: every trial of a round by hand."""
    made = planned(data, 6.3, launches=3, blocks=1)
    cold_s = phases_s = 1.0 + 3 * 6.3
    turn_s = 2 * 0.1
    by_hand_s = 4.0 + 3 * 0.1 + cold_s + phases_s + made.sweeps * turn_s
    assert made.round_s == pytest.approx(by_hand_s, rel=0.02)
    twice = planned(data, 6.3, launches=3, blocks=1, sides=2)
    assert twice.round_s == pytest.approx(2 * by_hand_s - 4.0, rel=0.02)
    assert made.sweeps == int(effort.STEPS_S / turn_s)


def test_slow_steps_have_fewer_samples_but_never_none():
    assert trial.turn(0.1) == (1, 1)
    assert trial.turn(5.0) == (0, 1)
    assert trial.epoch_samples(0.5) == 4
    assert trial.epoch_samples(60.0) == 2


def test_cheap_networks_are_not_looked_at():
    study = Study.of(["6,6", "100,100", "6x5"], backend="jax,torch")
    assert not effort.needs_look(study, study.cases(study.load()))
    deep = Study.of(["2000x5"], backend="jax")
    assert effort.needs_look(deep, deep.cases(deep.load()))
    once = Study.of(["2000x5"], backend="jax", epochs=2, launches=1, blocks=1)
    assert not effort.needs_look(once, once.cases(once.load()))


def test_a_time_that_was_not_looked_at_is_told_as_usual_of_a_quiet_machine():
    study = Study.of(["6x5"], backend="jax")
    (line,) = effort.settle(study, study.load()).told(5)
    assert re.search(r"5 launches of 2 blocks, usually about \d+ s on a quiet machine$", line)


def test_a_plan_is_kept_for_the_same_cases_on_the_same_host(data, tmp_path, monkeypatch):
    monkeypatch.setattr(effort.fingerprint, "take", lambda: FINGERPRINT)
    monkeypatch.setattr(effort, "looked", lambda *_: pytest.fail("looked at again"))
    study = Study.of(["conv:8x1"], backend="jax")
    looks = {effort.usual_key(case): Look(4.0, 1.0, 0.03, 2.0) for case in study.cases(data)}
    first = effort.Settled(study, [], effort.plan(study, study.cases(data), looks), looks)
    asked = first.plan.of(study)
    wanted = measuring.specification(
        asked, asked.cases(data), sweeps=first.plan.sweeps, looked=first.record
    )
    runs.create(tmp_path, "before", wanted, FINGERPRINT)
    again = effort.settle(study, data, effort.folders(tmp_path))
    assert (again.plan, again.record) == (first.plan, first.record)
    more = effort.settle(replace_epochs(study, 30), data, effort.folders(tmp_path))
    assert {case.cold_epochs for case in more.cases} == {30}
    with pytest.raises(pytest.fail.Exception, match="looked at again"):
        effort.settle(Study.of(["conv:8x2"], backend="jax"), data, effort.folders(tmp_path))


def test_an_edited_model_is_looked_at_again(tmp_path, monkeypatch):
    monkeypatch.setattr(effort.fingerprint, "take", lambda: FINGERPRINT)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    cases = Study.of(["own.py:build"], backend="jax").cases(Study.of(["6,6"]).load())
    looks = {effort.usual_key(cases[0]): Look(4.0, 1.0, 0.03, 2.0)}
    looked = {"look": {key: asdict(look) for key, look in looks.items()}}
    study = Study.of(["own.py:build"], backend="jax")
    wanted = measuring.specification(study, cases, looked=looked)
    runs.create(tmp_path, "before", wanted, FINGERPRINT)
    assert effort.seen(effort.folders(tmp_path), cases) == looks
    (tmp_path / "own.py").write_text(OWN.replace("Dense(1)", "Dense(2000)"))
    assert effort.seen(effort.folders(tmp_path), cases) is None


def test_what_cannot_be_trained_is_passed_over_by_a_look(data, monkeypatch):
    class Refusing:
        def __init__(self, case, arrays, log):
            self.case = case

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait_until_ready(self, limit_s):
            pass

        def ask(self, case, limit_s, **_):
            if case.path == "compiled":
                return {"outcome": "failed", "message": "refused"}
            return {"outcome": "ok", "once_s": 1.0, "step_s": 0.1, "epoch_s": 0.5}

    monkeypatch.setattr(effort, "Worker", Refusing)
    cases = Study.of(["conv:8x1"], backend="jax", path="fit,compiled").cases(data)
    found = effort.looked(data, cases, 10.0)
    assert list(found) == [effort.usual_key(cases[0])]


LOOK = """
import json
from nnbench.measure import first_look
from nnbench.workload import datasets
from nnbench.workload.datasets.arrays import make_stream
from nnbench.workload.study import Study

data = datasets.load("own_models.py:{load}")
case, = Study.of(["own_models.py:build_streamed"], epochs=3, backend="{backend}").cases(data)
print(json.dumps([case.steps_per_epoch, first_look.measure(case, make_stream(data.name))]))
"""


@pytest.mark.parametrize(
    ("backend", "load"),
    [
        ("torch", "load_loader"),
        pytest.param("torch", "load_batches", marks=pytest.mark.long),
        pytest.param("jax", "load_batches", marks=pytest.mark.long),
        pytest.param("tensorflow", "load_tfdata", marks=pytest.mark.long),
    ],
)
def test_a_stream_is_looked_at_by_its_first_batches(in_backend, tmp_path, backend, load):
    shutil.copy(Path(__file__).parents[1] / "own_models.py", tmp_path)
    steps, look = json.loads(in_backend(backend, LOOK.format(load=load, backend=backend)))
    assert (steps, look["outcome"]) == (3, "ok")
    assert look["step_s"] > 0
    assert look["epoch_s"] == pytest.approx(3 * look["step_s"])


def replace_epochs(study, epochs):
    return replace(study, training=replace(study.training, epochs=epochs))


def test_what_a_run_says_of_its_plan_is_checked_where_it_is_read(tmp_path):
    folder = make_run(tmp_path, {"6,6": TIMES_S}).folder
    plain = json.loads((folder / "run.json").read_text())
    for look in ({"key": {"start_s": "soon"}}, {"key": asdict(Look(1, 1, 1, -1))}, ["look"]):
        plain["specification"]["look"] = look
        (folder / "run.json").write_text(json.dumps(plain))
        with pytest.raises(Exception, match=r"damaged .*look"):
            runs.read(folder)


def test_a_pipe_gets_a_line_a_launch_and_never_many(capsys, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    with progress.Bar(0, "trials") as bar:
        for launch in range(1, 6):
            for done in range(10):
                bar.show(10 * launch + done, "torch step", 60, f"launch {launch} of 5")
                now_s += 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"launch {n} of 5" for n in range(1, 6)]
    with progress.Bar(0, "trials") as bar:
        for done in range(3600):
            bar.show(done, "torch step", 3600, f"launch {done // 10}")
            now_s += 1
    assert 40 <= len(capsys.readouterr().err.splitlines()) <= 50


def test_nothing_is_said_of_the_time_left_before_a_tenth_is_done(capsys, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    with progress.Bar(72, "trials") as bar:
        bar.show(0, "torch step")
        for done in (1, 7, 8):
            now_s += 20
            bar.show(done, "torch step")
    # The first of them waited for a backend's start: it says nothing of those that follow.
    told = ["left" in line for line in capsys.readouterr().err.splitlines()]
    assert told == [False, False, True]


def test_durations_are_told_roughly():
    told = [units.about(seconds) for seconds in (0.2, 7.4, 44, 94, 200, 5000, 9000)]
    assert told == ["1 s", "7 s", "40 s", "90 s", "3 min", "83 min", "2.5 h"]


@pytest.mark.long
def test_a_network_is_looked_at_and_the_plan_told_in_a_pipe(nnbench, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    command = ("run", "--model", "own.py:build", "--backend", "jax", "--batch", "200")
    answer = nnbench(*command, "--launches", "1", "--path", "fit")
    assert answer.returncode == 0, answer.stderr
    first, plan, *lines = [line for line in answer.stderr.splitlines() if "Warning" not in line]
    assert first == "a first look at 1 training: how long does a step take?"
    assert plan.startswith("1 network on jax; cpu; fit: ")
    assert "about " in plan
    assert sum(line.startswith("launch 1 of 1 (jax, cpu): ") for line in lines) == 1
    (found,) = (tmp_path / "results").glob("2*/run.json")
    assert len(json.loads(found.read_text())["specification"]["look"]) == 1
    again = nnbench(*command, "--launches", "1", "--path", "fit", "--json")
    assert "first look" not in again.stderr
    (case,) = json.loads(again.stdout)["cases"]
    step = case["times_s"]["step"]["value"]
    assert case["rows_per_s"]["value"] == pytest.approx(200 / step)
