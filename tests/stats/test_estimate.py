import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnbench.stats.estimate import (
    hodges_lehmann,
    nested_estimate,
    signed_rank_bounds,
    steady_from,
    steady_median,
)

positive = st.floats(1e-6, 1e3)


def nested_draw(rng, truth, launches, blocks, launch_spread, block_spread):
    launch = np.repeat(np.arange(launches), blocks)
    effect = rng.normal(0, launch_spread, launches)[launch]
    noise = rng.normal(0, block_spread, launches * blocks)
    return truth * np.exp(effect + noise), launch


@given(st.lists(positive, min_size=2, max_size=20), st.integers(1, 5))
def test_the_interval_holds_the_estimate_and_the_estimate_lies_among_the_values(values, launches):
    launch = np.arange(len(values)) % launches
    found = nested_estimate(values, launch)
    assert min(values) * (1 - 1e-9) <= found.value <= max(values) * (1 + 1e-9)
    if found.has_interval:
        assert found.low <= found.value <= found.high


@given(st.lists(positive, min_size=2, max_size=12), st.floats(1e-3, 1e3))
def test_another_unit_of_time_scales_everything_alike(values, factor):
    launch = np.arange(len(values))
    one = nested_estimate(values, launch)
    other = nested_estimate(np.array(values) * factor, launch)
    assert other.value == pytest.approx(one.value * factor)
    assert other.low == pytest.approx(one.low * factor)
    assert other.high == pytest.approx(one.high * factor)


@pytest.mark.parametrize(("launch_spread", "block_spread"), [(0.05, 0.02), (0.0, 0.1), (0.1, 0.1)])
@pytest.mark.parametrize("launches", [4, 6, 10])
def test_95_percent_intervals_cover_the_truth_about_95_times_in_100(
    launches, launch_spread, block_spread
):
    rng = np.random.default_rng(launches)
    covered = 0
    for _ in range(400):
        values, launch = nested_draw(rng, 0.01, launches, 4, launch_spread, block_spread)
        found = nested_estimate(values, launch)
        covered += found.low <= 0.01 <= found.high
    assert covered / 400 > 0.92


@pytest.mark.parametrize("launches", [6, 10])
@pytest.mark.parametrize("name", ["normal", "heavy", "bad launches", "bounded"])
def test_ratios_of_equal_sides_are_covered_95_times_in_100_whatever_their_tails(name, launches):
    rng = np.random.default_rng(7)
    logs = {
        "normal": lambda size: rng.normal(size=size),
        "heavy": lambda size: rng.standard_t(2, size=size),
        "bad launches": lambda size: rng.normal(size=size) * np.where(rng.random(size) < 0.2, 9, 1),
        "bounded": lambda size: rng.uniform(-1, 1, size=size),
    }[name]((1500, launches))
    covered = 0
    for row in 0.02 * logs:
        found = nested_estimate(np.exp(row), np.arange(launches))
        covered += found.low <= 1 <= found.high
    assert 0.93 <= covered / 1500 <= 0.97


def test_the_signed_rank_interval_is_that_of_the_test_it_comes_from():
    values = np.random.default_rng(1).normal(0.5, 1, 12)
    low, high = signed_rank_bounds(values)
    for end in (low, high):
        rejected = [
            stats.wilcoxon(values - shift, method="exact").pvalue < 0.05
            for shift in (end - 0.2, end + 0.2)
        ]
        assert sorted(rejected) == [False, True]
    assert signed_rank_bounds(values[:5]) is None


def test_spread_between_launches_is_not_hidden_by_many_blocks():
    rng = np.random.default_rng(0)
    values, launch = nested_draw(rng, 1.0, 5, 200, 0.10, 0.01)
    assert nested_estimate(values, launch).relative_half_width > 0.04


def test_one_bad_launch_hardly_moves_the_estimate():
    launch = np.arange(8)
    values = np.ones(8)
    values[3] = 10.0
    assert nested_estimate(values, launch).value == pytest.approx(1.0)


def test_one_value_has_no_interval():
    found = nested_estimate([0.5], [0])
    assert found.value == pytest.approx(0.5)
    assert math.isnan(found.low)
    assert not found.has_interval
    assert not found.excludes_one


@pytest.mark.parametrize("values", [[], [0.0, 1.0], [-1.0], [math.nan], [math.inf]])
def test_refuses_what_has_no_logarithm(values):
    with pytest.raises(ValueError, match="positive"):
        nested_estimate(values, list(range(len(values))))


def test_hodges_lehmann_is_the_median_of_pairwise_means():
    assert hodges_lehmann(np.array([1.0, 2.0, 10.0])) == pytest.approx(3.75)


def test_a_warm_up_is_cut_and_a_steady_series_is_not():
    rng = np.random.default_rng(3)
    steady = 1 + 0.01 * rng.normal(size=30)
    warming = steady.copy()
    warming[:4] += [2.0, 1.0, 0.5, 0.2]
    assert 3 <= steady_from(warming) <= 15
    assert steady_median(warming) == pytest.approx(1.0, abs=0.02)
    assert steady_median(steady) == pytest.approx(1.0, abs=0.02)


def test_one_late_hiccup_does_not_pass_for_a_warm_up():
    series = 1 + 1e-3 * (np.arange(30) % 2)
    series[10] = 5.0
    assert steady_median(series) == pytest.approx(1.0, abs=0.01)
