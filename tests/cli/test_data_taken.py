"""Commands take data as their networks take them, and the data that is usual for these."""

import importlib

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.report import comparison


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """What a command would measure on, which ends there."""
    found = []
    np.savez(tmp_path / "plain.npz", x=np.arange(3200, dtype=np.uint8).reshape(50, 8, 8), y=LABELS)
    np.savez(tmp_path / "whole.npz", x=np.arange(200).reshape(50, 4), y=LABELS)

    def seen(command, name):
        def end(*arguments, **_):
            found.append(next(one for one in arguments if hasattr(one, "features")))
            raise UserError("seen")

        monkeypatch.setattr(importlib.import_module(command), name, end)
        return found

    return seen


LABELS = np.arange(50) % 2


def test_sides_are_compared_on_the_usual_data_of_the_networks(measured, nnbench, monkeypatch):
    found = measured("nnbench.cli.compare", "measure")
    monkeypatch.setattr("nnbench.measure.checkout.find", lambda _: None)
    monkeypatch.setattr(comparison, "compare", lambda names, run, **_: run({}))
    asked = ("compare", "one", "other", "--architectures", "conv:4x1", "--backend", "jax")
    assert nnbench(*asked).stderr == "nnbench: seen\n"
    assert found[0].kind == "images"


def test_an_axis_takes_images_as_its_network_does(measured, nnbench):
    found = measured("nnbench.cli.scale", "measure")
    asked = ("scale", "width=4,8", "--network", "conv:4x1", "--data", "plain.npz")
    assert nnbench(*asked, "--backend", "jax").stderr == "nnbench: seen\n"
    assert (found[0].kind, found[0].shape) == ("images", (8, 8, 1))
    assert float(found[0].features.max()) <= 1


def test_a_noise_floor_takes_whole_numbers_as_numbers(measured, nnbench):
    found = measured("nnbench.doctor.noise_floor", "measure")
    answer = nnbench("doctor", "--data", "whole.npz", "--backend", "jax", "--quiet")
    assert answer.stderr == "nnbench: seen\n"
    assert found[0].features.dtype == np.float32
