"""The rule of a tuning on simulated times: it finds the fastest, in its time, whatever fails."""

import math
import sys
from contextlib import closing

import numpy as np
import pytest
from projects import ROOT
from tunings import BACKENDS, READY_S, START_S, everything, new, present, simulated

from nnbench.store.folder import Writer
from nnbench.tune import execution, halving, words
from nnbench.tune.finding import Finding, named
from nnbench.tune.halving import COMBINED, HALVED, LAST_TURNS, SINGLE


def apart(case):
    """Factors that act on their own, but for backend and path: compiled JAX is the fastest."""
    where = {"tensorflow": (1.0, 0.2), "jax": (0.7, 0.05), "torch": (1.5, 0.4)}
    time_s = 0.02 * where[case.backend][case.path == "compiled"]
    training = case.training
    time_s *= {"auto": 1.0, "on": 0.8, "off": 1.1}[training.jit]
    time_s *= 1 - 0.05 * math.log2(training.steps_per_execution or 1)
    time_s *= {None: 1.0, "tf.data": 1.3, "pydataset": 0.9}[training.source]
    time_s *= 0.85 if case.threads == 1 else 1.0
    time_s *= 1.2 if training.precision != "float32" else 1.0
    return time_s * (32 / case.batch_rows) ** 0.3


def best(tuning, epoch_s, *, keeping):
    return min(
        epoch_s(one) for one in everything(tuning.space) if keeps(tuning, one) or not keeping
    )


def keeps(tuning, case):
    return tuning.space.keeps_training(case)


@pytest.fixture(scope="module")
def tuned():
    return simulated(new(), apart)


def test_the_fastest_of_each_kind_is_found_among_many_hundreds(tuned):
    assert len(everything(tuned.space)) > 800
    same, changing = named(tuned)
    assert keeps(tuned, same)
    assert not keeps(tuned, changing)
    assert apart(same) <= 1.05 * best(tuned, apart, keeping=True)
    assert apart(changing) <= 1.05 * best(tuned, apart, keeping=False)


def test_single_changes_come_first_then_combinations_then_halving(tuned):
    stages = [rung.stage for rung in tuned.rungs]
    assert stages[0] == SINGLE
    assert stages == sorted(stages, key=[SINGLE, COMBINED, HALVED].index)
    sizes = [len(rung.cases) for rung in tuned.rungs if rung.stage == HALVED]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]
    first = tuned.rungs[0].cases
    assert {(case.backend, case.path) for case in first} == {
        (backend, path) for backend in BACKENDS for path in ("fit", "compiled")
    }
    assert all(rung.cases[0] == tuned.present for rung in tuned.rungs)


def test_the_budget_holds_and_what_is_told_was_timed_in_several_launches(tuned):
    assert tuned.spent_s + tuned.reserve_s <= 1.05 * tuned.budget_s
    launches = {launch for launch, _ in tuned.ratios(named(tuned)[0].key)}
    assert len(launches) >= 3


@pytest.mark.parametrize("budget_s", [1.0, 30.0, 120.0])
def test_a_small_budget_tries_less_and_still_tells_more_than_one_launch(budget_s):
    tuning = simulated(new(budget_s=budget_s), apart)
    assert len(tuning.cases) < 30
    assert tuning.rungs[-1].stage == HALVED
    assert len({launch for launch, _ in tuning.ratios(named(tuning)[0].key)}) >= 2
    # Whatever the budget: the present setting and two others, in two rungs.
    least = 2 * (3 * (START_S + READY_S) + LAST_TURNS)
    assert tuning.spent_s <= max(least, 1.05 * budget_s)


def test_a_small_budget_starts_no_backend_that_it_cannot_pay():
    first = halving.next_rung(new(budget_s=20.0))
    assert len(first.cases) == halving.LEAST_TRIED
    assert {case.worker for case in first.cases} == {present().worker}


def test_what_the_budget_leaves_no_time_for_is_not_trained_but_told(tmp_path):
    tuning = simulated(new(budget_s=30.0, folder=tmp_path), apart)
    (tmp_path / "trials.jsonl").touch()
    with closing(Writer(tmp_path)) as writer:
        late = execution._Execution(tuning, writer, None, lambda *_: None, halving.next_rung)
        late.tuning = tuning.plus({"kind": "end", "rung": 99, "wall_s": 20.0})
        late.train()
        assert late.tuning.is_complete
        assert late.tuning.spent_s == tuning.spent_s + 20.0
        found = Finding.of(late.tuning)
    assert found.same is not None
    assert "budget left no time" in found.same.trained.problem
    assert any("is not known: the budget left no time" in said for said in words.sentences(found))


def test_a_rung_in_the_process_of_the_look_and_the_next_one_are_two_launches():
    one = {"launch": 1, "case": "any", "outcome": "ok"}
    start = {"kind": "start", "launch": 0, "backend": "jax"}
    tuning = new().plus(start, {"kind": "ready", **one}, {"kind": "time", **one, "turn": 0})
    running = execution._Execution(tuning, None, None, lambda *_: None, halving.next_rung)
    assert running._new_launch == 2


def test_the_grid_that_answers_are_held_against_is_whole_and_times_its_fastest_again():
    sys.path.insert(0, str(ROOT))
    from benchmarks.tune import __main__ as grids

    asked = grids.Asked(ROOT, (), every=False)
    tuning = new(backends=("jax",), keep=("backend",))
    grid = grids.grid_of(tuning, asked)
    assert {*grid, tuning.present} == {
        one for one in everything(tuning.space) if keeps(tuning, one)
    }
    answer = grid[-1]
    rule = grids.plan_of(grid, answer, asked)
    found = simulated(tuning, apart, noise=0.02, rule=rule)
    assert {*grid} <= found.tried
    last = found.rungs[-grids.LAUNCHES :]
    assert all(rung.cases == last[0].cases for rung in last)
    assert answer in last[0].cases
    assert min(map(apart, last[0].cases)) == best(found, apart, keeping=True)


def test_none_of_equal_settings_is_slower_than_the_best_of_the_grid_by_its_bad_luck():
    sys.path.insert(0, str(ROOT))
    from benchmarks.tune import __main__ as grids

    asked = grids.Asked(ROOT, (), every=False)
    tuning = new(backends=("jax",), keep=("backend",))
    grid = grids.grid_of(tuning, asked)
    rule = grids.plan_of(grid, grid[0], asked)
    fair, naive = [], []
    for seed in range(10):
        found = simulated(tuning, lambda _: 0.02, noise=0.1, seed=seed, rule=rule)
        last = found.rungs[-1].cases
        fair.append(math.log(grids.over_best(found, grid[0], last).value))
        naive.append(max(math.log(found.ratio(grid[0].key, one.key).value) for one in last))
    # A standard error of 0.02: of the answer's six launches and of the best's, over ten grids.
    assert abs(np.mean(fair)) < 0.05
    assert np.mean(naive) > 0.05


def test_slow_starts_and_compilations_are_learnt_and_kept_within_the_budget():
    tuning = simulated(new(), apart, ready_s=8.0)
    assert len(tuning.cases) < 30
    # The first rung is planned by what is typical; none after it is.
    assert tuning.spent_s <= 1.3 * tuning.budget_s


def test_where_all_are_equal_nothing_is_named():
    assert named(simulated(new(budget_s=120), lambda case: 0.02)) == []


def test_what_is_faster_in_every_turn_is_named_where_two_launches_differ_much():
    pace = iter([1.0, 0.1])

    def uneven(case):
        return 0.02 if case.path == "fit" else 0.002 * next(pace)

    kept = ("backend", "jit", "steps", "source", "threads", "batch", "precision")
    tuning = simulated(new(budget_s=16, backends=("jax",), keep=kept), uneven)
    (same,) = named(tuning)
    ratio = tuning.ratio(same.key)
    assert ratio.launches == 2
    assert ratio.value < 0.2
    assert ratio.high > 1


def test_of_equal_ones_the_setting_of_fewest_changes_is_named():
    def tied(case):
        return 0.02 if case.backend == "tensorflow" else 0.01

    tuning = simulated(new(keep=("batch", "precision")), tied, noise=0.002)
    (same,) = named(tuning)
    assert list(tuning.space.changes(same)) == ["backend"]


@pytest.mark.parametrize("lost", ["jax", "torch"])
def test_what_fails_is_left_behind(lost):
    def failing(case):
        return None if case.backend == lost else apart(case)

    tuning = simulated(new(), failing)
    same = named(tuning)[0]
    others = [one for one in everything(tuning.space) if one.backend != lost and keeps(tuning, one)]
    assert apart(same) <= 1.05 * min(map(apart, others))
    failed = set(tuning.failed)
    assert failed
    assert {tuning.cases[key].backend for key in failed} == {lost}
    assert not any(case.key in failed for case in tuning.rungs[-1].cases)


def test_where_everything_else_fails_nothing_is_named():
    now = present()
    tuning = simulated(new(now), lambda case: 0.02 if case == now else None)
    assert named(tuning) == []
    assert len(tuning.rungs) == 1


def test_batches_are_not_named_where_they_win_nothing():
    def same_everywhere(case):
        return 0.5 * apart(case) * (case.batch_rows / 32) ** 0.3

    (same,) = named(simulated(new(), same_everywhere))
    assert same.training.batch_size == 32


def test_noise_of_a_launch_does_not_choose():
    found = 0
    for seed in range(3):
        tuning = simulated(new(), apart, noise=0.05, seed=seed)
        found += apart(named(tuning)[0]) <= 1.1 * best(tuning, apart, keeping=True)
    assert found == 3


def test_what_a_rung_holds_follows_from_the_records_alone(tuned):
    for number, rung in enumerate(tuned.rungs):
        at = next(
            place
            for place, one in enumerate(tuned.records)
            if one["kind"] == "rung" and one["rung"] == number
        )
        before = type(tuned)(*("", "", tuned.specification, {}), tuned.records[:at])
        again = halving.next_rung(before)
        assert [one.key for one in again.cases] == [one.key for one in rung.cases]
        assert (again.stage, again.turns) == (rung.stage, rung.turns)


def test_an_epoch_has_no_fewer_steps_than_are_executed_at_once():
    space = new(present(batch=16, rows=400)).space
    grid = everything(space)
    assert space.present in grid
    assert len(grid) == len({one.key for one in grid})
    steps = {one.training.steps_per_execution for one in grid}
    assert steps == {None, 8, 25, 7, 2}
    for one in grid:
        assert (one.training.steps_per_execution or 1) <= one.steps_per_epoch


def test_only_what_can_be_is_tried():
    for case in everything(new().space):
        if case.path == "compiled":
            assert case.training.steps_per_execution is case.training.source is None
        if case.backend == "torch":
            assert case.training.steps_per_execution is None
        assert not (case.backend == "jax" and case.training.jit == "off")


@pytest.mark.parametrize("kept", ["path", "backend", "batch"])
def test_what_is_kept_is_in_no_setting(kept):
    space = new(keep=(kept,)).space
    assert not any(kept in space.changes(case) for case in everything(space))
