"""Arrays by name and by place: what load() returns, on its way to a worker and in a case."""

import json

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.workload import datasets
from nnbench.workload.architecture import parse
from nnbench.workload.case import Case
from nnbench.workload.datasets import arrays, nest
from nnbench.workload.datasets.nest import TrainingData
from nnbench.workload.study import Study

A, B = np.arange(24.0).reshape(12, 2), np.arange(12)
Y = np.arange(12) % 2

NESTS = {
    "dict": {"num": A, "cat": B},
    "list": [A, A],
    "tuple": (A, B),
    "nested": {"left": [A, B], "right": {"a/b": A}},
    "one": A,
    "none": None,
}


def same(one, other):
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and all(map(same, one, other)) and len(one) == len(other)
    return one is other is None or np.array_equal(one, other)


@pytest.mark.parametrize("y", ["list", "one", "none"])
@pytest.mark.parametrize("x", [name for name in NESTS if name != "none"])
def test_nests_come_back_from_a_file_as_they_were(tmp_path, x, y):
    packed = nest.pack(TrainingData(NESTS[x], NESTS[y], None if y == "list" else B))
    np.savez(tmp_path / "a.npz", **packed)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        found = nest.unpack(read)
    assert same(NESTS[x], found.x)
    assert same(NESTS[y], found.y)
    assert same(None if y == "list" else B, found.sample_weight)


def given(made):
    """The data set of what a function returns."""
    return arrays._data_set(
        arrays._plain_parts("mine.py:load", *made), name="mine.py:load", source="", task=None
    )


def test_inputs_and_outputs_by_name_keep_their_kinds():
    data = given(({"num": A, "cat": B}, {"cls": Y, "reg": A[:, :1]}, {"cls": B, "reg": B}))
    assert data.features["num"].dtype == np.float32
    assert data.features["cat"].dtype.kind == "i"
    assert (data.rows, data.task, data.kind) == (12, "own", "arrays")
    assert data.parts == (
        "x num 2, x cat int64, y cls int64, y reg 1, sample_weight cls, sample_weight reg"
    )


def test_a_list_of_equal_arrays_is_several_inputs_and_a_list_of_rows_is_one():
    assert isinstance(given(([A, A], Y)).features, list)
    rows = given((list(A), Y))
    assert np.array_equal(rows.features, A)
    assert rows.is_plain


def test_weights_and_no_targets():
    weighted = given((A, Y, B / 12))
    assert weighted.task == "classification"
    assert weighted.parts == "x 2, y int64, sample_weight"
    alone = given((A, None))
    assert (alone.labels, alone.task, alone.parts) == (None, "own", "x 2")


def test_every_part_counts_for_the_digest_and_plain_data_keep_theirs():
    plain, two = given((A, Y)), given((A.copy(), Y))
    assert plain.digest == two.digest
    others = [(A, Y, B), (A, None), ([A, A], Y), ({"a": A, "b": A}, Y), ({"b": A, "a": A}, Y)]
    digests = {given(one).digest for one in others}
    assert len(digests | {plain.digest}) == 6


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (({"num": A, "cat": B[:5]}, Y), "12 rows of x num and 5 of x cat and 12 of y"),
        (({"num": A * np.nan}, Y), "x num of mine.py:load holds NaN"),
        (({"num": A.astype(str)}, Y), "x num of mine.py:load holds no numbers by rows: text"),
        (([A, A[:, :0]], Y), "rows of no numbers: x 1 has shape"),
        ((A, {"a": Y, "b": object()}), "y b of mine.py:load, a object, holds no numbers"),
    ],
)
def test_what_is_wrong_is_told_of_the_array_by_its_name(made, message):
    with pytest.raises(UserError, match=message):
        given(made)


def test_an_npz_may_hold_several_inputs(tmp_path):
    file = tmp_path / "mine.npz"
    np.savez(file, **{"x/num": A, "x/cat": B, "y/0": Y, "y/1": A, "sample_weight": B, "other": [1]})
    data = datasets.load(str(file))
    assert list(data.features) == ["num", "cat"]
    assert [one.shape for one in data.labels] == [(12,), (12, 2)]
    assert data.weights.dtype == np.float32


def test_a_case_says_what_was_trained_and_older_ones_keep_their_keys():
    plain = Case(parse("6x5"), Study().training.training("classification"), "d", "e", 12, 2)
    assert "parts" not in plain.to_json()
    case = Case(None, plain.training, "d", "e", 12, 2, model="mine.py:build", parts="x num 2")
    assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case


def test_an_architecture_takes_no_nests():
    with pytest.raises(UserError, match=r"6x5 cannot be trained on mine.py:load \(x a 2, y int64"):
        given(({"a": A}, Y)).check_takes(parse("6x5"))


def test_a_nest_is_described_by_its_parts():
    told = datasets.describe(given(({"num": A, "cat": B}, [Y, A], B)))
    assert [(one.name, one.role) for one in told.columns] == [
        *(("num (2)", "feature"), ("cat", "feature"), ("0", "label"), ("1 (2)", "label")),
        ("sample_weight", "weight"),
    ]
