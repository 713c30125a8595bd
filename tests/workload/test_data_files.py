"""The shipped files are what their script writes, and look as their description says."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from projects import ROOT

DATA = ROOT / "data"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    found = importlib.util.spec_from_file_location("make_data", DATA / "make_data.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


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
