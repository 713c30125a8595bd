import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from trajectories import made

from nnbench.drift import diagnosis, metrics, trajectory, words
from nnbench.drift.trajectory import drift
from nnbench.errors import UserError

FLOATS = st.sampled_from([np.float16, np.float32, np.float64])
NUMBERS = st.floats(width=32, allow_nan=False)


def single(value, dtype=np.float32):
    return np.array([value], dtype)


@given(NUMBERS, NUMBERS)
def test_ulp_distance_is_symmetric_and_zero_only_for_equal_numbers(a, b):
    there = metrics.ulp_distance(single(a), single(b))[0]
    assert there == metrics.ulp_distance(single(b), single(a))[0]
    assert (there == 0) == (a == b)
    if metrics.bitwise_equal(single(a), single(b)):
        assert there == 0
    elif a != 0:
        assert there > 0


@given(NUMBERS, FLOATS)
def test_neighbours_are_one_ulp_apart(a, dtype):
    with np.errstate(over="ignore"):
        first = single(a, dtype)
    if not np.isfinite(first[0]):
        return
    after = np.nextafter(first, dtype(np.inf))
    assert metrics.ulp_distance(first, after)[0] == 1


@given(NUMBERS, NUMBERS, NUMBERS)
def test_ulp_distances_add_up_along_the_line(a, b, c):
    low, middle, high = (single(x) for x in sorted((a, b, c)))
    whole = metrics.ulp_distance(low, high)[0]
    parts = metrics.ulp_distance(low, middle)[0] + metrics.ulp_distance(middle, high)[0]
    assert whole == parts


def test_ulps_are_counted_across_zero():
    tiny = np.nextafter(np.float32(0), np.float32(1))
    assert metrics.ulp_distance(single(-tiny), single(tiny))[0] == 2
    assert metrics.ulp_distance(single(-0.0), single(0.0))[0] == 0
    assert not metrics.bitwise_equal(single(-0.0), single(0.0))


@given(NUMBERS)
def test_a_nan_is_infinitely_far_from_all_but_itself(a):
    nan = single(np.nan)
    assert metrics.ulp_distance(nan, single(a))[0] == math.inf
    assert metrics.ulp_distance(single(a), nan)[0] == math.inf
    assert metrics.ulp_distance(nan, nan.copy())[0] == 0
    assert metrics.relative_l2([single(a)], [nan]) == math.inf
    assert metrics.relative_l2([nan], [nan.copy()]) == 0


def test_unlike_arrays_have_no_distance():
    with pytest.raises(ValueError, match="no distance"):
        metrics.ulp_distance(np.zeros(2, np.float32), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="no distance"):
        metrics.ulp_distance(np.zeros(2, np.float32), np.zeros(2))


ARRAYS = hnp.arrays(np.float32, (3,), elements=st.floats(-100, 100, width=32))


@given(ARRAYS, ARRAYS)
def test_digests_are_equal_exactly_when_the_bits_are(a, b):
    assert (metrics.digest([a]) == metrics.digest([b])) == metrics.bitwise_equal(a, b)
    number = metrics.digest_number(metrics.digest([a]))
    assert number == int(number)
    assert 0 <= number < 2**48


def test_a_digest_knows_shapes_and_types():
    flat = np.arange(6, dtype=np.float32)
    digests = {
        metrics.digest(arrays)
        for arrays in ([flat], [flat.reshape(2, 3)], [flat[:3], flat[3:]], [flat.astype(np.int32)])
    }
    assert len(digests) == 4


@given(st.floats(0.3, 20), st.floats(1e-9, 1e-6))
def test_the_doubling_time_of_a_made_series_is_recovered(doubling, start):
    epochs = np.arange(0, 60)
    distances = np.minimum(start * 2 ** (epochs / doubling), 1.5)
    assert metrics.doubling_epochs(epochs, distances) == pytest.approx(doubling, rel=0.12)


def test_the_doubling_time_is_exact_before_it_saturates_and_none_without_growth():
    epochs = np.array([0, 1, 2, 4, 8, 16, 32])
    distances = 1e-8 * 2 ** (epochs / 4)
    assert metrics.doubling_epochs(epochs, distances) == pytest.approx(4)
    assert metrics.doubling_epochs(epochs, np.zeros(7)) is None
    assert metrics.doubling_epochs(epochs, np.full(7, 1.4)) is None
    assert metrics.doubling_epochs(epochs, distances[::-1]) is None


def test_losses_differ_by_their_largest_gap():
    assert metrics.loss_difference([1, 0.5, 0.2], [1, 0.75, 0.25]) == 0.25
    assert metrics.loss_difference([1, math.nan], [1, math.nan]) == 0
    assert metrics.loss_difference([1, math.nan], [1, 0.5]) == math.inf


def test_disagreement_is_of_answers_not_of_numbers():
    first = np.array([[0.2], [0.49], [0.9], [0.6]])
    assert metrics.disagreement(first, first + 0.02, classes=True) == 0.25
    assert metrics.disagreement(first, first + 0.0001, classes=False) == 0
    assert metrics.disagreement(first, first + 0.02, classes=False) == 1
    several = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert metrics.disagreement(several, several[:, ::-1], classes=True) == 1


WEIGHTS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


def moved(epoch, steps=1):
    other = WEIGHTS.copy()
    for _ in range(steps):
        other[epoch:] = np.nextafter(other[epoch:], np.float32(9))
    return other


def test_a_drift_says_from_when_and_how_far():
    far = drift(made(WEIGHTS), made(moved(2, 3)))
    assert (far.first_epoch, far.before_epoch) == (2, 1)
    assert (far.max_ulp, far.median_ulp) == (3, 3)
    assert far.initial_equal
    assert not far.bitwise
    assert far.ulps == (0, 0, 3, 3)
    same = drift(made(WEIGHTS), made(WEIGHTS.copy()))
    assert same.bitwise
    assert (same.first_epoch, same.max_ulp, same.relative_l2) == (None, 0, 0)


def test_other_shapes_are_not_compared():
    far = drift(made(WEIGHTS), made(WEIGHTS[:, :2]))
    assert not far.comparable
    assert diagnosis.explain(made(WEIGHTS), made(WEIGHTS[:, :2])).sources == ("shapes",)


def test_the_sources_are_distinguishable():
    plain = made(WEIGHTS)

    def sources(second, first=plain):
        return diagnosis.explain(first, second).sources

    assert sources(made(WEIGHTS)) == ()
    assert sources(made(moved(0))) == ("initial weights",)
    assert sources(made(moved(1), order="abc")) == ("order of rows",)
    seed = np.array([1, 0], np.uint32)
    assert sources(made(moved(1), draws=[seed]), made(WEIGHTS, draws=[seed + 1])) == (
        "random layers",
    )
    assert sources(made(moved(1))) == ("arithmetic",)


def test_arithmetic_is_placed_by_outputs_else_by_the_weights_nearest_to_the_output():
    ones = np.ones((2, 3), np.float32)
    up = np.nextafter(ones, np.float32(2))
    first = made(WEIGHTS, WEIGHTS, outputs=(ones, ones))
    forward = diagnosis.explain(first, made(moved(1), moved(1), outputs=(ones, up)))
    assert (forward.layer, forward.layer_ulp, forward.forward) == ("2 Dense", 1, True)
    backward = diagnosis.explain(first, made(moved(2), WEIGHTS, outputs=(ones, ones)))
    assert (backward.layer, backward.forward) == ("1 Dense", False)
    assert "from epoch 2 on" in words.difference(backward)


def test_a_trajectory_is_read_back_as_it_was(tmp_path):
    whole = made(WEIGHTS, outputs=(WEIGHTS,), draws=[np.array([3, 0], np.uint32)], order="abc")
    name = trajectory.keep(whole, tmp_path)
    back = trajectory.read(tmp_path / name)
    assert back.digest == whole.digest
    assert trajectory.keep(made(WEIGHTS), tmp_path) != name
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(UserError, match="missing"):
        trajectory.read(tmp_path / "other.npz")
