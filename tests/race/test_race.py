"""Races: who gets to a loss first, on made curves; and one small race for real."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from races import NETWORKS, ONCE_S, make_race

from nnbench.race import page, tables, words
from nnbench.race.time_to_loss import COLD, TRAINED, Curve, Race
from nnbench.show.plain import plain
from nnbench.stats.median import median


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
    leaders = [one.label for _, one in race.leaders]
    assert leaders[0] != "100x2"
    assert leaders[-1] == "100x2"


def test_the_front_holds_those_that_none_beats_in_both(tmp_path):
    networks = {**NETWORKS, "50,50": (0.006, 0.05, 10, 0)}
    race = Race.of(make_race(tmp_path, networks))[0]
    assert [one.label for one in race.front()] == ["2x1", "6x2", "100x2"]
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
    assert text.count("data:image/png") == 2
    assert "https://" not in text


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
    assert "is first at a loss of" in answer.stdout
    assert (tmp_path / "race" / "race.html").is_file()


def test_mistakes_are_one_line(nnbench):
    for arguments in (("6", "--seeds", "0"), ("6y",), ("6", "--path", "quick")):
        answer = nnbench("race", *arguments, "--backend", "jax")
        assert answer.returncode == 2
        assert len(answer.stderr.strip().splitlines()) == 1
