"""Races: who gets to a loss first, on made curves; and one small race for real."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from races import NETWORKS, ONCE_S, make_race

from nnbench.errors import UserError
from nnbench.race import charts, page, tables, words
from nnbench.race.goal import Goal
from nnbench.race.time_to_loss import COLD, TRAINED, Curve, Race
from nnbench.show.plain import plain
from nnbench.stats.median import median
from nnbench.store.folder import ASKED


@pytest.fixture
def race(tmp_path):
    return Race.of(make_race(tmp_path, NETWORKS))[0]


def to(race, target):
    return replace(race, target=target)


def test_a_time_is_when_the_epoch_with_that_loss_ended():
    curve = Curve(0, np.array([0.9, 0.5, 0.2, 0.1]), np.array([1.0, 1.1, 1.2, 1.3]))
    assert curve.time_to(0.5, COLD) == pytest.approx(1.1)
    assert curve.time_to(0.5, TRAINED) == pytest.approx(0.2)
    assert curve.time_to(0.05, COLD) == math.inf
    assert curve.loss_at(np.array([0.0, 1.15, 9.0]), COLD).tolist() == [0.9, 0.5, 0.1]


def test_what_is_paid_once_counts_from_cold_only(race):
    small = race.racers[0]
    trained, cold = small.time_to(0.2, TRAINED), small.time_to(0.2, COLD)
    assert cold.value - trained.value == pytest.approx(ONCE_S, abs=0.01)


def test_the_order_depends_on_the_target(race):
    small, large, _ = race.racers
    assert small.time_to(0.3).value < large.time_to(0.3).value
    assert not small.time_to(0.05).reached
    assert large.time_to(0.05).reached
    assert small.time_to(0.05).censored == 6
    assert "100x2 is first at a loss of 0.05" in words.sentences(to(race, 0.05))[0]
    assert any("2x1" in one and "not get there" in one for one in words.sentences(to(race, 0.05)))


def test_with_more_time_another_network_leads(race):
    leaders = [one.name for _, one in race.leaders]
    assert leaders[0] != "100x2"
    assert leaders[-1] == "100x2"


def test_the_front_holds_those_that_none_beats_in_both(tmp_path):
    networks = {**NETWORKS, "50,50": (0.006, 0.05, 10, 0)}
    race = Race.of(make_race(tmp_path, networks))[0]
    assert [one.name for one in race.front()] == ["2x1", "6x2", "100x2"]
    told = plain(tables.as_json(to(race, 0.2)))
    on_front = {one["architecture"]: one["on_pareto_front"] for one in told["networks"]}
    assert on_front == {"2x1": True, "6x2": True, "100x2": True, "50x2": False}
    json.dumps(told, allow_nan=False)


def test_a_few_seeds_that_never_get_there_leave_a_median(tmp_path):
    race = Race.of(make_race(tmp_path, {"6": (0.001, 0.1, 20, 2), "7": (0.001, 0.1, 20, 4)}))[0]
    few, most = (one.time_to(0.2) for one in race.racers)
    assert few.reached
    assert (few.censored, few.count) == (2, 6)
    assert few.high == math.inf
    assert not most.reached
    rows = tables.table(to(race, 0.2)).rows
    assert rows[0][4].text == "4 of 6"
    assert rows[1][2].text == "not reached"
    told = plain(tables.as_json(to(race, 0.2)))
    assert told["networks"][1]["time_to_target_s"][TRAINED]["value"] is None


def test_names_are_those_that_were_typed_in_brackets_where_they_are_listed(tmp_path):
    run = make_race(tmp_path, NETWORKS)
    run = replace(run, specification=run.specification | {ASKED: {"typed": {"6x2": "6,6"}}})
    (race,) = Race.of(run)
    assert "6,6" in [row[0].text for row in tables.table(race).rows]
    said = " ".join(words.sentences(race))
    assert "[6,6]" in said
    assert "6x2" not in said


def test_ratios_are_of_the_same_seed(race):
    ratio = race.racers[1].ratio(race.racers[0], 0.3)
    base = race.racers[0].curves
    pairs = [
        curve.time_to(0.3, TRAINED) / base[position].time_to(0.3, TRAINED)
        for position, curve in enumerate(race.racers[1].curves)
    ]
    assert ratio.value == pytest.approx(np.median(pairs))
    assert race.racers[2].ratio(race.racers[0], 0.001) is None


def test_few_seeds_are_said_to_give_less_than_95_percent(tmp_path):
    race = Race.of(make_race(tmp_path, NETWORKS, seeds=3))[0]
    assert race.racers[0].whole().confidence == pytest.approx(0.75)
    assert "75 %" in words.warnings(race)[0]


@given(
    st.lists(st.floats(1e-6, 1e6) | st.just(math.inf), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_a_median_lies_in_its_interval_whatever_the_order(values, random):
    found = median(values)
    assert found.low <= found.value <= found.high
    shuffled = list(values)
    random.shuffle(shuffled)
    assert median(shuffled) == found
    assert found.reached == (sum(map(math.isfinite, values)) * 2 > len(values))
    assert found.confidence >= 0.95 or len(values) < 6


def test_the_interval_of_a_median_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for count in (6, 9, 20):
        covered = [
            found.low <= 1 <= found.high
            for found in (median(np.exp(rng.normal(0, 1, count))) for _ in range(1500))
        ]
        assert np.mean(covered) >= median(np.ones(count)).confidence - 0.02


def test_the_page_of_a_race_is_one_file(tmp_path):
    run = make_race(tmp_path, NETWORKS)
    path = page.write(run, Race.of(run, 0.2))
    text = path.read_text()
    assert "6x2" in text
    assert text.count('<svg class="chart"') == 2
    assert "https://" not in text


@pytest.mark.parametrize(
    ("text", "name", "rises", "value"),
    [
        ("loss<0.05", "loss", False, 0.05),
        ("val_loss <= 3e-1", "val_loss", False, 0.3),
        ("val_accuracy>0.9", "val_accuracy", True, 0.9),
        ("val_accuracy", "val_accuracy", True, None),
        ("mean_absolute_error", "mean_absolute_error", False, None),
        ("mae<2", "mae", False, 2.0),
    ],
)
def test_goals_are_read(text, name, rises, value):
    assert Goal.parse(text) == (Goal(name, rises), value)


@pytest.mark.parametrize("text", ["", "<1", "loss=1", "loss<", "loss<x", "loss<nan", "a b<1"])
def test_what_is_no_goal_is_told_with_one_that_is(text):
    with pytest.raises(UserError, match="is no goal: write"):
        Goal.parse(text)


def accuracies(losses):
    return {"val_accuracy": (1 - losses).tolist(), "val_loss": (losses + 1).tolist()}


def test_a_metric_that_rises_is_raced_to_as_a_loss_that_falls(tmp_path):
    watched = {"held_out": 0.2, "metric": "accuracy"}
    run = make_race(tmp_path, NETWORKS, logs=accuracies, **watched)
    (falling,), (rising,) = (
        Race.of(run, *goal) for goal in ((0.2, Goal()), (0.8, Goal("val_accuracy", True)))
    )
    first, second = plain(tables.as_json(falling)), plain(tables.as_json(rising))
    assert (second["goal"], second["target_loss"]) == ("val_accuracy", 0.8)
    for one, other in zip(first["networks"], second["networks"], strict=True):
        assert other["time_to_target_s"] == one["time_to_target_s"]
        assert other["on_pareto_front"] == one["on_pareto_front"]
        for end, opposite in (("value", "value"), ("low", "high"), ("high", "low")):
            assert other["final_loss"][end] == pytest.approx(1 - one["final_loss"][opposite])
    said = words.sentences(rising)
    assert "is first at a val_accuracy of 0.8," in said[0]
    assert any("the highest val_accuracy has" in one for one in said)
    noted = " ".join(words.warnings(rising))
    assert "274 of 1,372 rows, drawn with seed 0, are held out" in noted
    assert "trained on" not in noted
    # As it is shown, accuracy rises: the best curve ends highest.
    lines = charts.loss_against_time(rising).axes[0].get_lines()
    (best,) = [line for line in lines if line.get_label() == "100x2"]
    assert best.get_ydata()[-1] == pytest.approx(0.99, abs=0.01)
    # What a race was for is known again where nobody says it.
    assert Race.of(run)[0].goal == Goal("val_accuracy", True)
    assert "val_accuracy" in page.write(run, [rising]).read_text()


def test_what_was_not_recorded_is_named(race, tmp_path):
    run = make_race(tmp_path / "other", NETWORKS, logs=accuracies, held_out=0.2)
    with pytest.raises(UserError, match="holds no val_auc: it holds loss, val_accuracy, val_loss"):
        Race.of(run, 0.9, Goal("val_auc", True))


OWN = """
import keras

def build(width: int = 4, measured=True):
    layers = [keras.layers.Dense(width, "relu"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"] if measured else [])
    return model
"""


@pytest.mark.parametrize(
    ("backend", "path"),
    [
        ("jax", "fit"),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in (("jax", "compiled"), ("torch", "compiled"), ("tensorflow", "fit"))
        ),
    ],
)
def test_a_race_to_a_metric_of_rows_held_out(nnbench, tmp_path, backend, path):
    (tmp_path / "m.py").write_text(OWN)
    small = ("--data", "synthetic:rows=50", "--seeds", "1", "--epochs", "3", "--batch", "16")
    networks = ("2", "m.py:build(width=3)", "m.py:build(measured=off)")
    where = ("--backend", backend, "--path", path, "--name", "r", "--json", "--quiet")
    answer = nnbench("race", *networks, "--to", "val_accuracy>0.01", *small, *where)
    assert answer.returncode == 1, answer.stderr
    assert "m.py:build(measured=False) measures no accuracy: it has" in answer.stderr
    (told,) = json.loads(answer.stdout)["races"]
    assert told["goal"] == "val_accuracy"
    assert [one["architecture"] for one in told["networks"]] == ["2x1", "m.py:build(width=3)"]
    for one in told["networks"]:
        assert 0 <= one["final_loss"]["value"] <= 1
    assert any("10 of 50 rows, drawn with seed 0, are held out" in one for one in told["warnings"])
    records = (tmp_path / "results" / "races" / "r" / "trials.jsonl").read_text().splitlines()
    trials = [one for one in map(json.loads, records) if one.get("outcome") == "ok"]
    assert {len(one["logs"]["val_loss"]) for one in trials} == {3}
    assert all(one["losses"] != one["logs"]["val_loss"] for one in trials)


@pytest.mark.long
def test_rows_held_out_are_the_same_on_both_paths(nnbench, tmp_path):
    small = ("--data", "synthetic:images=4x4x1,rows=40", "--seeds", "1", "--epochs", "3")
    asked = ("race", "conv:2x1", "--to", "val_loss", "--held-out", "25%", "--backend", "jax")
    answer = nnbench(*asked, *small, "--path", "fit,compiled", "--name", "r", "--quiet")
    assert answer.returncode == 0, answer.stderr
    records = (tmp_path / "results" / "races" / "r" / "trials.jsonl").read_text().splitlines()
    fit, compiled = (one for one in map(json.loads, records) if "logs" in one)
    assert compiled["logs"]["val_loss"][0] == pytest.approx(fit["logs"]["val_loss"][0], rel=0.05)


@pytest.mark.long
def test_a_race_for_real_is_resumed_and_answers_another_target(nnbench, tmp_path):
    race = ("race", "4", "16", "--seeds", "1", "--epochs", "40", "--name", "r", "--backend", "jax")
    first = nnbench(*race, "--json", "--quiet")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)["races"][0]
    assert {one["architecture"] for one in told["networks"]} == {"4x1", "16x1"}
    for one in told["networks"]:
        assert one["time_to_target_s"][TRAINED]["value"] < one["time_to_target_s"][COLD]["value"]
        assert one["final_loss"]["value"] < 1
    records = tmp_path / "results" / "races" / "r" / "trials.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    trials = [json.loads(line) for line in lines if b'"curve"' in line]
    assert all(len(one["losses"]) == len(one["ended_s"]) == 40 for one in trials)
    assert all(np.all(np.diff(one["ended_s"]) > 0) for one in trials)
    by_seed = {(one["case"], one["seed"]): one["losses"] for one in trials}
    assert len(by_seed) == 2
    # Killed in the last training: its line was never finished.
    records.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    again = nnbench(*race, "--target-loss", "0.0001", "--quiet")
    assert again.returncode == 0, again.stderr
    assert "No network gets to a loss of 0.0001" in again.stdout
    after = [json.loads(line) for line in records.read_text().splitlines()]
    again_by_seed = {
        (one["case"], one["seed"]): one["losses"]
        for one in after
        if one.get("trial_kind") == "curve"
    }
    # The same seed is the same training, in another process too.
    assert again_by_seed.keys() == by_seed.keys()
    for key, losses in by_seed.items():
        assert again_by_seed[key] == pytest.approx(losses, rel=1e-3)


def test_the_report_of_a_race_is_its_page(nnbench, tmp_path):
    make_race(tmp_path, NETWORKS)
    answer = nnbench("report", tmp_path / "race")
    assert answer.returncode == 0, answer.stderr
    assert "is first at a loss of" in answer.stdout.partition("to target")[0]
    assert (tmp_path / "race" / "race.html").is_file()
    refused = nnbench("report", tmp_path / "race", "--markdown", tmp_path / "race.md")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "holds a race: --history and --markdown are for other runs" in refused.stderr
    assert not (tmp_path / "race.md").exists()


def test_mistakes_are_one_line(nnbench):
    of_numbers = ("6", "--data", "instagram")
    for arguments in (
        *(("6", "--seeds", "0"), ("6y",), ("6", "--path", "quick"), ("6", "--to", "val_loss=1")),
        *(("6", "--to", "val_loss", "--target-loss", "1"), ("6", "--held-out", "200%")),
        (*of_numbers, "--to", "val_accuracy>0.9"),
    ):
        answer = nnbench("race", *arguments, "--backend", "jax")
        assert answer.returncode == 2
        assert len(answer.stderr.strip().splitlines()) == 1
