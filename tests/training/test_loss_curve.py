import math

import numpy as np
import pytest

from nnbench.training.loss_curve import judge

epochs = np.arange(2000)


@pytest.mark.parametrize(
    ("losses", "kind"),
    [
        (0.1 + np.exp(-epochs / 100), "converged"),
        (1 - epochs / 4000, "still falling"),
        (np.exp(-epochs / 1000), "still falling"),
        (np.concatenate([np.linspace(1, 0.2, 1000), np.linspace(0.2, 0.6, 1000)]), "rising"),
        (np.linspace(1, 3, 100), "diverged"),
        ([0.5, math.nan, 0.2], "diverged"),
        ([0.5, 0.4, math.inf], "diverged"),
    ],
)
def test_the_kind_follows_from_the_curve(losses, kind):
    verdict = judge(list(losses))
    assert verdict.kind == kind
    assert verdict.text.startswith(kind)


def test_a_slow_fall_after_a_long_one_is_still_a_fall():
    losses = list(12 + 900 * np.exp(-epochs / 100) - epochs / 500)
    assert judge(losses).kind == "still falling"


def test_jitter_of_mini_batches_does_not_decide():
    rng = np.random.default_rng(0)
    flat = 0.1 + np.exp(-epochs / 100) + 0.02 * rng.normal(size=2000)
    assert judge(list(flat)).kind == "converged"


def test_the_text_names_the_epoch_of_a_nan():
    assert "epoch 2" in judge([0.5, math.nan]).text


def test_one_epoch_can_be_judged_and_none_cannot():
    assert judge([0.5]).kind == "converged"
    with pytest.raises(ValueError, match="at least one"):
        judge([])
