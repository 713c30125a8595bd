"""Runs that stop by precision or budget: what the next round consists of, given the records."""

from dataclasses import replace

import pytest
from runs import make_run

from nnbench.errors import UserError
from nnbench.measure import decision
from nnbench.measure import run as measuring
from nnbench.measure.schedule import SWEEPS
from nnbench.measure.trial import KINDS
from nnbench.store.trials import Trials
from nnbench.workload.study import Effort, Study


def planned(run, number, **wanted):
    asked = replace(run, specification={**run.specification, **wanted})
    plans = measuring.next_round(asked, number)
    return {trial.case.architecture.label for plan in plans for trial in plan}


def test_without_a_target_the_rounds_are_counted(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "8,8": {}}, launches=4)
    assert planned(run, 3) == {"6x2", "8x2"}
    assert planned(run, 4) == set()


def test_all_narrow_ends_the_run(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "8,8": {}}, launches=5, spread=0.001)
    assert planned(run, 5, precision=0.02) == set()


def test_a_case_that_is_narrow_gets_no_more_time_and_the_wide_one_does(tmp_path):
    quiet = make_run(tmp_path / "a", {"6,6": {}, "8,8": {}, "9,9": {}}, launches=5, spread=0.001)
    loud = make_run(tmp_path / "b", {"6,6": {}, "8,8": {}, "9,9": {}}, launches=5, spread=0.2)
    wide = next(key for key, case in loud.cases.items() if case.architecture.label == "9x2")
    trials = [trial for trial in quiet.trials if trial["case"] != wide]
    trials += [trial for trial in loud.trials if trial["case"] == wide]
    mixed = replace(quiet, trials=Trials(trials))
    # 6x2 stays as well: it is what the others are compared with.
    assert planned(mixed, 5, precision=0.02) == {"6x2", "9x2"}


def test_three_launches_are_made_before_an_interval_is_believed(tmp_path):
    run = make_run(tmp_path, {"6,6": {}}, launches=2, spread=0.0001)
    assert planned(run, 2, precision=0.5) == {"6x2"}


def test_a_spent_budget_ends_the_run_but_not_before_two_launches(tmp_path):
    run = make_run(tmp_path, {"6,6": {}}, launches=3)
    spent_s = decision.seconds_spent(run)
    assert planned(run, 3, budget_s=spent_s / 2) == set()
    assert planned(run, 3, budget_s=3 * spent_s) == {"6x2"}
    first = run.before_round(1)
    assert planned(first, 1, budget_s=0.001) == {"6x2"}


def test_a_case_that_keeps_failing_is_given_up(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "8,8": {}}, launches=3, outcomes={"8,8": "died"})
    assert planned(run, 2) == {"6x2"}


def test_a_complete_run_is_known_as_such(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "8,8": {}}, launches=2)
    assert measuring.is_complete(run)
    cut = replace(run, trials=Trials(list(run.trials)[:-1]))
    assert not measuring.is_complete(cut)
    assert len(run.trials) == 2 * 2 * 2 * (len(KINDS) + SWEEPS)


@pytest.mark.parametrize(
    "wanted",
    [{"launches": 0}, {"blocks": 0}, {"limit": 0}, {"precision": "150%"}, {"budget": "0s"}],
)
def test_numbers_that_make_no_run_are_refused(wanted):
    measuring.specification(Study(effort=Effort()), [])
    with pytest.raises(UserError):
        measuring.specification(Study(effort=Effort(**wanted)), [])


@pytest.mark.long
def test_a_real_run_stops_by_precision_and_by_budget(nnbench):
    import json

    common = (
        "--backend",
        "jax",
        "--threads",
        "1",
        "--blocks",
        "1",
        "--epochs",
        "4",
        "--json",
        "--quiet",
    )
    loose = nnbench("run", "4", "--precision", "99%", *common)
    assert loose.returncode == 0, loose.stderr
    assert json.loads(loose.stdout)["cases"][0]["times_s"]["cold"]["launches"] >= 3
    short = nnbench("run", "4", "--budget", "1ms", *common)
    assert json.loads(short.stdout)["cases"][0]["times_s"]["cold"]["launches"] == 2
