import math

import numpy as np
import pytest

from nnbench.show.intervals import CHANGE
from nnbench.stats.estimate import nested_estimate, unpaired_ratio
from nnbench.stats.verdict import (
    DIFFERENT,
    EQUIVALENT,
    UNDECIDED,
    Look,
    judge,
    judge_looks,
    p_value,
    sentence,
)


def ratios(rng, truth, spread, launches=8):
    return nested_estimate(truth * np.exp(rng.normal(0, spread, launches)), np.arange(launches))


def verdict(estimate, **options):
    return judge({"step": estimate}, **options)[0]


def test_a_clear_slowdown_is_different_and_its_size_and_interval_are_told():
    found = verdict(ratios(np.random.default_rng(0), 1.10, 0.01))
    assert found.verdict == DIFFERENT
    assert found.more_launches == 0
    text = sentence(found, "before", "after")
    assert "after takes" in text
    assert "longer than before" in text
    assert "[+" in text


def test_a_clear_speedup_turns_the_sentence_round():
    found = verdict(ratios(np.random.default_rng(0), 0.90, 0.01))
    assert "less than before" in sentence(found, "before", "after")


def test_equal_and_precise_is_equivalent():
    found = verdict(ratios(np.random.default_rng(1), 1.0, 0.01))
    assert found.verdict == EQUIVALENT
    assert "within 2%" in sentence(found, "before", "after")


def test_equal_and_noisy_is_undecided_and_says_how_much_more_it_takes():
    found = verdict(ratios(np.random.default_rng(1), 1.0, 0.10))
    assert found.verdict == UNDECIDED
    assert found.more_launches > 8
    assert f"{found.more_launches} more launches" in sentence(found, "before", "after")


def test_a_wider_margin_needs_less_data():
    estimate = ratios(np.random.default_rng(1), 1.0, 0.05)
    assert verdict(estimate, margin=0.02).verdict == UNDECIDED
    assert verdict(estimate, margin=0.20).verdict == EQUIVALENT


def test_one_launch_decides_nothing():
    found = verdict(nested_estimate([1.5], [0]))
    assert found.verdict == UNDECIDED
    assert found.more_launches is None
    assert math.isnan(found.p_value)
    assert "at least 4 launches" in sentence(found, "before", "after")


@pytest.mark.parametrize(("launches", "is_told"), [(2, False), (3, False), (4, True)])
def test_of_very_few_launches_nobody_says_how_many_more_it_takes(launches, is_told):
    """An error known from two differences says next to nothing of that from ten."""
    found = verdict(ratios(np.random.default_rng(1), 1.0, 0.10, launches))
    assert found.verdict == UNDECIDED
    assert (found.more_launches is not None) == is_told
    text = sentence(found, "before", "after")
    assert ("would probably do" in text) == is_told
    assert ("at least 4 launches" in text) != is_told


def test_identical_values_are_equivalent_not_an_error():
    found = verdict(nested_estimate(np.ones(5), np.arange(5)))
    assert found.verdict == EQUIVALENT


def test_false_alarms_stay_below_one_in_a_hundred():
    rng = np.random.default_rng(5)
    alarms = sum(verdict(ratios(rng, 1.0, 0.05)).verdict == DIFFERENT for _ in range(1000))
    assert alarms <= 20


def test_p_values_are_uniform_when_nothing_differs():
    rng = np.random.default_rng(6)
    values = [p_value(ratios(rng, 1.0, 0.05)) for _ in range(600)]
    assert np.mean(np.array(values) < 0.5) == pytest.approx(0.5, abs=0.08)


def test_many_comparisons_at_once_do_not_raise_the_share_of_false_ones():
    rng = np.random.default_rng(7)
    false = real = 0
    for _ in range(30):
        named = {f"same {i}": ratios(rng, 1.0, 0.03) for i in range(40)}
        named |= {f"slow {i}": ratios(rng, 1.3, 0.03) for i in range(10)}
        for found in judge(named):
            if found.verdict == DIFFERENT:
                false += found.label.startswith("same")
                real += found.label.startswith("slow")
    assert real > 290
    assert false / (false + real) < 0.02


def test_separate_runs_are_compared_by_launch():
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(300):
        launch = np.repeat(np.arange(6), 3)
        first = np.exp(rng.normal(0, 0.05, 6)[launch] + rng.normal(0, 0.01, 18))
        second = 1.2 * np.exp(rng.normal(0, 0.05, 6)[launch] + rng.normal(0, 0.01, 18))
        found = unpaired_ratio(first, launch, second, launch)
        covered += found.low <= 1.2 <= found.high
    assert covered / 300 > 0.92


def test_separate_runs_of_one_launch_are_refused():
    with pytest.raises(ValueError, match="two launches"):
        unpaired_ratio([1.0, 1.1], [0, 0], [1.0, 1.2], [0, 1])


def looked_at(logs, often):
    """The verdict at each look at the first 4, 5, 6, ... of 20 launches; or at one at the end."""
    numbers = [4, 5, 6, 8, 10, 13, 17, 20] if often else [20]
    looks, before = [], 0
    for number in numbers:
        estimate = nested_estimate(np.exp(logs[:number]), np.arange(number))
        looks.append(Look((number - before) / numbers[-1], {"step": estimate}))
        before = number
    return [judge_looks(looks[: place + 1])[0].verdict for place in range(len(looks))]


def test_looking_often_raises_no_more_false_alarms_and_finds_what_differs():
    rng = np.random.default_rng(9)
    alarms = sum(DIFFERENT in looked_at(rng.normal(0, 0.03, 20), often=True) for _ in range(300))
    assert alarms <= 5
    found = [looked_at(rng.normal(0.05, 0.03, 20), often=True) for _ in range(60)]
    assert sum(DIFFERENT in one for one in found) >= 57
    assert sum(one.index(DIFFERENT) < 5 for one in found if DIFFERENT in one) > 30


def test_a_verdict_stays_however_often_it_is_looked_at_again():
    rng = np.random.default_rng(10)
    for effect in (0.0, 0.05):
        for _ in range(20):
            said = looked_at(rng.normal(effect, 0.01, 20), often=True)
            first = next((place for place, one in enumerate(said) if one == DIFFERENT), len(said))
            assert set(said[first:]) <= {DIFFERENT}


def test_an_interval_that_only_many_comparisons_keep_from_a_difference_is_told_so():
    launches = np.arange(8)
    slow = nested_estimate(np.exp(0.04 + 0.022 * np.linspace(-1.5, 1.5, 8)), launches)
    noise = np.random.default_rng(11).normal(0, 0.05, (7, 8))
    others = {f"phase {n}": nested_estimate(np.exp(one), launches) for n, one in enumerate(noise)}
    assert verdict(slow).verdict == DIFFERENT
    found = judge({"step": slow} | others)[0]
    assert found.ratio.excludes_one
    assert (found.verdict, found.is_probable) == (UNDECIDED, True)
    text = sentence(found, "before", "after")
    assert "after is probably slower" in text
    assert "8 were looked at, about" in text
    assert text.endswith("would probably settle it")


def test_an_interval_that_says_nothing_is_told_as_what_it_is():
    found = verdict(ratios(np.random.default_rng(1), 1.0, 4.0, launches=3))
    text = sentence(found, "before", "after")
    assert "not known well enough: " in text
    assert "times the time; nnbench doctor" in text
    assert "%" not in text
    assert CHANGE.span(0.9, 1.2) == "-10.0 %, +20.0 %"
    assert CHANGE.span(0.001, 642.0) == "0.00100–642×"
