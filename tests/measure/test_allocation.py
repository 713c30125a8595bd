"""How many turns a launch of steps alone has: of runs whose costs are known."""

import json
from dataclasses import replace

import pytest
from runs import make_run

from nnbench.measure import allocation, trial
from nnbench.measure import run as measuring
from nnbench.store.trials import Trials


def launched(folder, turn_s, network_s, sweeps=10, start_s=1.0):
    """A run of steps alone: two sides, two blocks a launch, with these seconds of wall-clock."""
    run = make_run(folder, {"6,6": {}}, sides=("a", "b"), launches=6, blocks=2)
    trials = [
        one | {"sweep": sweep, "wall_s": turn_s + network_s * (sweep == 0)}
        for one in run.trials
        if one["trial_kind"] == "step" and one["sweep"] == 0
        for sweep in range(sweeps)
    ]
    trials = [one | {"trial": number} for number, one in enumerate(trials)]
    launches = [one | {"import_s": start_s, "first_use_s": 0.0} for one in run.launches]
    wanted = run.specification | {"kinds": [], "sweeps": 45, "blocks": 2}
    return replace(run, trials=Trials(trials), launches=launches, specification=wanted)


@pytest.mark.parametrize(
    ("turn_s", "network_s", "expected"),
    [(0.05, 1.0, 25), (0.001, 1.0, 45), (5.0, 1.0, 10), (0.05, 0.5, 15)],
    ids=["as long as the rest", "the most", "the least", "cheap networks"],
)
def test_turns_take_about_as_long_as_the_rest(tmp_path, turn_s, network_s, expected):
    # Of a round two sides make two networks each and start in a second: of each block, for both.
    assert allocation.sweeps(launched(tmp_path, turn_s, network_s)) == pytest.approx(
        expected, abs=1
    )


def test_what_took_long_in_the_first_round_is_taken_seldom_from_then_on(tmp_path):
    run = launched(tmp_path, turn_s=5.0, network_s=1.0)
    assert allocation.sweeps(run.before_round(0)) == allocation.LEAST_SWEEPS
    for number, turns in ((0, 10), (1, 10)):
        (plan,) = measuring.planned(run, number, list(run.cases.values()))
        assert len(plan) == 2 * 2 * turns


def test_a_run_that_asks_for_few_has_no_more(tmp_path):
    run = launched(tmp_path, turn_s=0.001, network_s=1.0)
    few = replace(run, specification=run.specification | {"sweeps": 5})
    assert allocation.sweeps(few) == 5
    assert allocation.sweeps(few.before_round(0)) == 5


def test_runs_of_more_than_steps_keep_their_sweeps(tmp_path):
    run = make_run(tmp_path, {"6,6": {}}, sides=("a", "b"), launches=2, blocks=1)
    (plan,) = measuring.planned(run, 1, list(run.cases.values()))
    assert sum(one.kind == "step" for one in plan) == 2 * measuring.SWEEPS


TURNS = """
import json
from nnbench.measure import serve, timed_trials
from nnbench.workload import datasets
from nnbench.workload.study import Study

data = datasets.load("banknotes")
(case,) = Study.of(["6,6"], backend="torch").cases(data)
started = serve.Started(case, {"banknotes": data.training_data}, False, 0.0, 0.0)
answer = timed_trials._trials(started)
asked = {"case": case.to_json(), "kind": "step", "seed": 0}
print(json.dumps([answer(asked), answer(asked | {"anew": True}), answer(asked)]))
"""


def test_turns_of_steps_alone_are_short_with_equally_many_samples_each(in_backend):
    usual, anew, next_turn = json.loads(in_backend("torch", TURNS))
    assert len(usual["samples_s"]["step"]) == trial.SAMPLES_IN_A_TURN
    for fine in (anew, next_turn):
        assert len(fine["samples_s"]["step"]) == trial.FINE_SAMPLES
        assert fine["steps_per_sample"] <= usual["steps_per_sample"]
