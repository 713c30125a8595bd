"""The notation of networks, as typed at the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnbench.errors import UserError
from nnbench.workload import architecture as arch
from nnbench.workload import networks, user_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.families import FAMILIES

CODE = """
raise RuntimeError("a file that is only read")

def build(depth=4, width: int = 64, rate: float = 0.1, norm=False, act="relu", *, seed: int = 0):
    ...

def plain():
    ...

def needs(depth: int):
    ...

def anything(**kwargs):
    ...
"""


@pytest.fixture
def train(tmp_path, monkeypatch):
    (tmp_path / "train.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


def labels(*texts):
    return [one.label for one in networks.parse(texts)]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("dense:64x4", "64x4"),
        ("conv:32x4", "conv:32x4"),
        ("conv: 32, 64 (kernel=5, norm=on)", "conv:32,64(kernel=5, norm=on)"),
        ("conv:32,32(kernel=3)", "conv:32x2"),
        ("transformer:64x4(heads=8)", "transformer:64x4(heads=8)"),
        ("lstm:[16, 16]", "lstm:16x2"),
    ],
)
def test_a_family_and_its_settings_are_named(text, label):
    assert arch.parse(text).label == label


@given(st.sampled_from(sorted(FAMILIES)), st.lists(st.integers(1, 99), min_size=1, max_size=4))
def test_the_label_of_any_family_reads_back(family, widths):
    one = Architecture(tuple(4 * width for width in widths), family)
    assert arch.parse(one.label) == one


def test_grids_go_over_settings_and_parameters(train):
    assert labels("lstm", "depth=1,2", "width=8,16") == [
        "lstm:8x1", "lstm:16x1", "lstm:8x2", "lstm:16x2",
    ]  # fmt: skip
    assert labels("conv width=8 depth=2 kernel=3,5") == ["conv:8x2", "conv:8x2(kernel=5)"]
    assert labels("train.py:build depth=2,4 width=8..9")[1:3] == [
        "train.py:build(depth=2, width=9)",
        "train.py:build(depth=4, width=8)",
    ]
    assert labels("train.py:build(seed=3) depth=1,2") == [
        "train.py:build(seed=3, depth=1)",
        "train.py:build(seed=3, depth=2)",
    ]
    assert labels("6,6", "depth=1 width=4", "train.py:plain", "gru:8") == [
        "6x2", "4x1", "train.py:plain", "gru:8x1",
    ]  # fmt: skip


def test_arguments_have_the_types_of_their_parameters(train):
    made = user_model.parse("train.py:build(depth=2, rate=1, norm=true, act='tanh')")
    assert made.arguments == (("depth", 2), ("rate", 1.0), ("norm", True), ("act", "tanh"))
    assert user_model.parse(made.label) == made


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["train.py:build(dept=2)"], "no parameter 'dept'"),
        (["train.py:build(depth=two)"], "depth=two of train.py:build is no int"),
        (["train.py:build(norm=2)"], "is no bool"),
        (["train.py:build(depth)"], "'depth'"),
        (["train.py:build(depth=2"], "closing bracket"),
        (["train.py:needs"], "needs depth"),
        (["train.py:plain", "depth=2"], "no parameters"),
        (["absent.py:build"], "absent.py is not there"),
        (["absent.keras"], "absent.keras is not there"),
        (["conv:32x4(kernal=5)"], "no setting 'kernal'"),
        (["conv:32x4(kernel=big)"], "a whole number"),
        (["conv:32x4(kernel=0)"], "out of range"),
        (["conv:32x4(norm=maybe)"], "on or off"),
        (["convolution:32x4"], "'convolution'"),
        (["conv:x"], "not understood at 'x': write conv:8,8 or conv:8x5 (five layers of 8)"),
        (["transformer:build(depth=2)"], "not understood at 'build'"),
        (["transformer:30x2"], "does not divide into 4 heads"),
        (["lstm"], "'lstm'"),
        (["lstm depth=1"], "width= is missing"),
        (["lstm depth=1 width=4 kernel=3"], "kernel=3"),
        (["depth=1..9999 width=1..9999"], "99,980,001 networks"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(train, texts, told):
    with pytest.raises(UserError, match=None) as caught:
        networks.parse(texts)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_knows_what_was_typed_and_is_the_same_network():
    long, short = networks.parse_one("100,100"), networks.parse_one("100x2")
    assert (long.name, long.label, short.name) == ("100,100", "100x2", "100x2")
    assert long == short
    assert len({long, short}) == 1
    assert networks.typed(["100x2", "100,100", "[6, 6]"]) == {"6x2": "[6,6]"}
    assert networks.typed(["100,100", "depth=2 width=6"]) == {"100x2": "100,100"}
