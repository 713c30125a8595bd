"""The shipped files are what their script writes, and look as their description says."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from projects import ROOT

DATA = ROOT / "data"


def imported(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return imported("make_data")


def test_making_the_data_again_gives_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    for made in script.make(tmp_path):
        assert made.read_bytes() == (DATA / made.name).read_bytes()


def test_the_script_needs_no_package(script: ModuleType) -> None:
    used = {getattr(value, "__module__", None) for value in vars(script).values()} - {None}
    roots = {name.partition(".")[0] for name in used} - {"make_data"}
    assert roots <= set(sys.stdlib_module_names)


def test_cholesky_factor_gives_the_matrix_back(script: ModuleType) -> None:
    matrix = [[4.0, 2.0, 0.4], [2.0, 5.0, -1.0], [0.4, -1.0, 3.0]]
    lower = np.array(script.cholesky(matrix))
    assert lower @ lower.T == pytest.approx(np.array(matrix))


def test_drawn_moments_are_those_of_the_original(script: ModuleType) -> None:
    drawn = np.loadtxt(DATA / "bank_note.csv", delimiter=",", skiprows=1)
    # Four standard errors of a mean, and of a standard deviation, of 1372 rows.
    assert abs(drawn[:, :4].mean(axis=0)).max() < 4 / 1372**0.5
    assert abs(drawn[:, :4].std(axis=0) - 1).max() < 4 / (2 * 1372) ** 0.5


def test_normal_draws_are_normal(script: ModuleType) -> None:
    draws = script.Draws(1)
    values = np.array([draws.normal() for _ in range(20_000)])
    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 1) < 0.03
    assert abs(np.mean(abs(values) < 1) - 0.6827) < 0.015


ARRAYS = {"digits": ((1000, 16, 16, 1), np.uint8, 10), "waves": ((800, 48, 1), np.int8, 4)}


def test_making_the_arrays_again_gives_the_same(tmp_path: Path) -> None:
    # Array by array: how a zip file packs them is another matter in another version of zlib.
    for made in imported("make_arrays").make(tmp_path):
        shape, kind, classes = ARRAYS[made.stem]
        with np.load(made) as new, np.load(DATA / made.name) as old:
            assert {*new} == {*old} == {"x", "y"}
            assert (old["x"].shape, old["x"].dtype) == (shape, kind)
            assert np.unique(old["y"], return_counts=True)[1].tolist() == [shape[0] / classes] * (
                classes
            )
            for name in old:
                assert new[name].dtype == old[name].dtype
                assert np.array_equal(new[name], old[name])


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "network", "epochs", "least"),
    [("digits", "conv:16x2", 12, 0.25), ("waves", "lstm:16", 40, 0.4)],
)
def test_small_networks_learn_the_arrays_above_chance(
    in_backend: Callable[[str, str], str], name: str, network: str, epochs: int, least: float
) -> None:
    """Chance is 1 in 10 and 1 in 4; told on rows that were not trained on."""
    code = f"""
import keras
from nnbench.workload import architecture, datasets, keras_model
from nnbench.workload.case import Training

data = datasets.load("{name}")
keras.utils.set_random_seed(1)
model = keras_model.build(architecture.parse("{network}"), Training(task=data.task), data.shape)
cut = data.rows * 4 // 5
model.fit(data.features[:cut], data.labels[:cut], epochs={epochs}, batch_size=32, verbose=0)
found = model.predict(data.features[cut:], verbose=0).argmax(axis=1)
print((found == data.labels[cut:, 0]).mean())
"""
    assert float(in_backend("jax", code)) > least
