from dataclasses import replace

import numpy as np
import pytest
from runs import make_run

from nnbench.stats.blocks import Blocks, ratio_of_turns
from nnbench.stats.estimate import nested_difference, nested_estimate
from nnbench.stats.summary import BLOCK, block_values
from nnbench.store.trials import Trials

TIMES_S = {"6,6": {}, "100,100": {"step": 0.004}, "6x5": {"trace": 1.0}}


@pytest.mark.parametrize("launches", [1, 5, 8])
def test_all_ratios_are_those_of_each_pair(tmp_path, launches):
    run = make_run(tmp_path, TIMES_S, launches=launches)
    values, cases = Blocks.of(run), list(run.cases.values())
    for phase in ("cold", "step"):
        found = values.all_ratios(cases, phase)
        for row, mine in enumerate(cases):
            for column, base in enumerate(cases):
                if row == column:
                    assert found.value[row, column] == 1
                    continue
                pair = values.ratios(mine, base)[phase]
                told = [float(one[row, column]) for one in found]
                assert told == pytest.approx([pair.value, pair.low, pair.high], rel=1e-9)


def test_networks_that_share_no_block_have_no_ratio(tmp_path):
    run = make_run(tmp_path, TIMES_S, launches=2, blocks=1)
    first, second, _ = run.cases
    gone = {first: 0, second: 1}
    kept = [one for one in run.trials if one["launch"] != gone.get(one["case"])]
    run = replace(run, trials=Trials(kept))
    found = Blocks.of(run).all_ratios(list(run.cases.values()), "cold")
    assert np.isnan(found.value[0, 1])
    assert np.isfinite(found.value[0, 2])


def test_arrays_and_table_reduce_samples_alike(tmp_path):
    run = make_run(tmp_path, TIMES_S, backends=("tensorflow", "jax"), launches=2)
    values = Blocks.of(run)
    table = block_values(run.samples()).set_index(BLOCK)
    known = 0
    for phase, seconds in values.seconds.items():
        for row, column in zip(*np.nonzero(np.isfinite(seconds)), strict=True):
            key = (values.keys[row], phase, *values.units[column])
            assert table.loc[key, "seconds"] == pytest.approx(seconds[row, column])
            assert table.loc[key, "samples"] == values.counts[phase][row, column]
            known += 1
    assert known == len(table)


def test_contexts_are_compared_by_rounds(tmp_path):
    run = make_run(tmp_path, TIMES_S, backends=("tensorflow", "jax"), spread=1e-6)
    values, cases = Blocks.of(run), list(run.cases.values())
    mine = [one for one in cases if one.backend == "jax"]
    base = [one for one in cases if one.backend == "tensorflow"]
    assert values.between(mine, base)["cold"].value == pytest.approx(1, abs=1e-3)
    assert values.between(mine, base)["cold"].launches == 5
    assert values.difference(mine, base, "epoch").value == pytest.approx(0, abs=1e-4)
    slow, fast = cases[1:2], cases[:1]
    assert values.difference(slow, fast, "step").value == pytest.approx(0.003, rel=1e-3)


def test_a_difference_has_the_interval_of_its_launches():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = nested_difference(values - 3, np.arange(5))
    assert found.value == pytest.approx(0)
    assert found.low == pytest.approx(-found.high)
    small = nested_estimate(np.exp(values / 1000), np.arange(5))
    assert found.high == pytest.approx(1000 * np.log(small.high / small.value), rel=1e-6)


def changed(run, change):
    """The run with each trial's steps as `change` makes them."""
    trials = [
        one | {"samples_s": {"step": change(one, one["samples_s"]["step"])}}
        if one["trial_kind"] == "step"
        else one
        for one in run.trials
    ]
    return replace(run, trials=Trials(trials))


def test_a_machine_that_is_slow_for_a_while_changes_no_ratio_of_sides_that_take_turns(tmp_path):
    options = {"sides": ("a", "b"), "slower": 1.1, "launches": 4, "blocks": 1, "spread": 0.0}
    run = make_run(tmp_path, {"6,6": {}}, **options)

    def slow(trial, steps_s):
        # From the second turn on, a turn later in each round, and one more on the second side.
        begins = trial["round"] + 1 + (trial["side"] == "b")
        return [value * (3.0 if trial["sweep"] >= begins else 1.0) for value in steps_s]

    (case,) = run.cases.values()
    plain = Blocks.of(run).between_sides(case, "a", "b")["step"]
    slowed = Blocks.of(changed(run, slow)).between_sides(case, "a", "b")["step"]
    assert slowed.value == pytest.approx(plain.value, rel=1e-3)
    assert slowed.value == pytest.approx(1.1, rel=0.02)


def test_sides_of_other_numbers_of_turns_are_compared_by_their_lowest_tenths(tmp_path):
    options = {"sides": ("a", "b"), "slower": 1.1, "launches": 4, "blocks": 1, "spread": 0.0}
    run = make_run(tmp_path, {"6,6": {}}, **options)
    trials = [one for one in run.trials if one["side"] == "a" or one["sweep"] != 7]
    (case,) = run.cases.values()
    found = Blocks.of(replace(run, trials=Trials(trials))).between_sides(case, "a", "b")["step"]
    assert found.value == pytest.approx(1.1, rel=0.03)


def test_half_of_the_turns_make_the_ratio():
    above_s = np.array([1.1, 1.1, 50.0, 1.1, 0.01, 1.1, 1.1, 1.1])
    assert ratio_of_turns(above_s, np.ones(8)) == pytest.approx(1.1)
