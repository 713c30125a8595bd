"""Recording a training and holding later ones against it, as a project's CI would."""

import json
import shutil

import numpy as np
import pytest
from projects import nnbench_in
from runs import FINGERPRINT, case
from trajectories import made

from nnbench.drift import diagnosis, golden, trajectory, words
from nnbench.errors import UserError
from nnbench.workload.study import Data

MODEL = """
import keras

class Summed(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.units), name="kernel")

    def call(self, x):
        return ORDER

def build():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="tanh"),
            Summed(8),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="sgd", loss="binary_crossentropy")
    return model
"""
ONE_WAY = "sum(x[:, i, None] * self.kernel[i] for i in range(8))"
OTHER_WAY = "sum(x[:, i, None] * self.kernel[i] for i in reversed(range(8)))"
OWN = ("--model", "mine.py:build")
RECORD = (*OWN, "--data", "mine.csv", "--label", "label")
RECORD = (*RECORD, "--features", "a,b,c,d", "--standardise", "--backend", "jax", "--epochs", "4")


def write_data(path):
    """A CSV with one column more than the model takes."""
    rows = np.random.default_rng(0).normal(size=(200, 5))
    lines = [",".join(f"{x:.4f}" for x in row) + f",{int(row.sum() > 0)}" for row in rows]
    # The last row misses its numbers: it is left out, and that is said.
    path.write_text("\n".join(["a,b,c,d,unused,label", *lines, ",,,,,1"]) + "\n")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a model and its recorded training."""
    folder = tmp_path_factory.mktemp("golden")
    (folder / "mine.py").write_text(MODEL.replace("ORDER", ONE_WAY))
    write_data(folder / "mine.csv")
    answer = nnbench_in(folder, "drift", "record", "kept", *RECORD)
    assert answer.returncode == 0, answer.stderr
    assert "agreed in every bit" in answer.stdout
    return folder


@pytest.fixture
def project(recorded, tmp_path):
    """A copy to change at will, in the folder where `nnbench` runs."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def damage(project, name, change):
    path = project / "kept" / "trajectory.npz"
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    arrays[name] = change(arrays[name].copy())
    np.savez(path, **arrays)


def test_the_same_code_passes(nnbench, project):
    answer = nnbench("drift", "check", "kept", *OWN)
    assert answer.returncode == 0, answer.stderr
    assert "mine.csv: " in answer.stderr
    assert "as recorded" in answer.stdout


PLANTED = "from pathlib import Path\nPath('planted').touch()\n"


@pytest.mark.parametrize(
    ("place", "option"), [("model", "--model"), ("data", "--data"), ("both", "--model")]
)
def test_a_record_runs_no_code_that_is_not_named(nnbench, project, place, option):
    (project / "evil.py").write_text(PLANTED)
    path = project / "kept" / "golden.json"
    plain = json.loads(path.read_text())
    if place != "data":
        plain["case"]["model"] = "evil.py:build"
    if place != "model":
        plain["data"] = {"data": "evil.py:load"}
    path.write_text(json.dumps(plain))
    named = {"model": (), "data": OWN, "both": ("--data", "evil.py:load")}[place]
    answer = nnbench("drift", "check", "kept", *named)
    assert answer.returncode == 2
    assert f"add {option} evil.py:" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert not (project / "planted").exists()


def test_another_model_than_the_recorded_one_is_refused(nnbench, project):
    answer = nnbench("drift", "check", "kept", "--model", "other.py:build")
    assert answer.returncode == 2
    assert "is of mine.py:build, not of other.py:build" in answer.stderr


def test_what_data_were_chosen_is_recorded(project):
    kept = golden.read(project / "kept")
    assert kept.data == Data("mine.csv", "a,b,c,d", "label", standardise=True)
    path = project / "kept" / "golden.json"
    plain = json.loads(path.read_text())
    del plain["data"]
    path.write_text(json.dumps(plain))
    # As it was recorded before columns could be chosen.
    assert golden.read(project / "kept").data == Data("mine.csv")


def test_a_planted_order_of_summation_is_found_and_named(nnbench, project):
    (project / "mine.py").write_text(MODEL.replace("ORDER", OTHER_WAY))
    answer = nnbench("drift", "check", "kept", *OWN, "--json")
    assert answer.returncode == 1, answer.stderr
    told = json.loads(answer.stdout)
    difference = told["difference"]
    assert difference["sources"] == ["arithmetic"]
    assert difference["layer"] == "2 Summed"
    assert difference["forward"]
    assert difference["initial_equal"]
    assert difference["first_epoch"] in (1, 2)
    assert difference["layer_ulp"] >= 1
    assert difference["relative_l2"] < 1e-4
    assert told["changed"] == ["mine.py was edited"]
    assert "arithmetic differs" in difference["text"]


@pytest.mark.long
def test_across_versions_the_stated_bounds_hold(nnbench, project):
    (project / "mine.py").write_text(MODEL.replace("ORDER", OTHER_WAY))
    path = project / "kept" / "golden.json"
    plain = json.loads(path.read_text())
    plain["fingerprint"]["versions"]["jax"] = "0.0.1"
    path.write_text(json.dumps(plain))
    answer = nnbench("drift", "check", "kept", *OWN)
    assert answer.returncode == 0, answer.stdout
    assert "jax 0.0.1 and" in answer.stdout
    assert "within 1.0e-04 relative" in answer.stdout


def test_bounds_are_of_relative_distance_and_of_ulps():
    weights = np.ones((2, 3), np.float32)
    moved = weights.copy()
    moved[1, 0] = np.nextafter(np.float32(1), np.float32(2))
    difference = diagnosis.explain(made(weights), made(moved))
    assert difference.drift.max_ulp == 1
    assert golden.Bounds().holds(difference)
    assert golden.Bounds(relative=1e-3, ulp=1).holds(difference)
    assert not golden.Bounds(relative=1e-3, ulp=0).holds(difference)
    assert not golden.Bounds(relative=1e-9).holds(difference)


def test_a_changed_weight_is_found_and_named(nnbench, project):
    def nudge(kernel):
        kernel[0, 3, 5] = np.nextafter(kernel[0, 3, 5], np.float32(np.inf))
        return kernel

    names = np.load(project / "kept" / "trajectory.npz", allow_pickle=False)["names"]
    position = [str(name) for name in names].index("2 Summed kernel")
    damage(project, f"weights_{position}", nudge)
    answer = nnbench("drift", "check", "kept", *OWN)
    assert answer.returncode == 1
    assert "Initial weights differ (first in 2 Summed)" in answer.stdout
    assert "2 Summed kernel: 1 ULP after epoch 0" in answer.stdout


@pytest.mark.parametrize(
    ("break_it", "word"),
    [
        (lambda kept: (kept / "trajectory.npz").write_bytes(b"PK nonsense"), "damaged"),
        (lambda kept: (kept / "trajectory.npz").unlink(), "missing"),
        (lambda kept: (kept / "golden.json").write_text("{}"), "damaged"),
        (lambda kept: (kept / "golden.json").unlink(), "no recorded training"),
        (
            lambda kept: np.savez(kept / "trajectory.npz", names=np.array([{}], dtype=object)),
            "damaged",
        ),
    ],
)
def test_a_damaged_record_is_named(project, break_it, word):
    break_it(project / "kept")
    with pytest.raises(UserError, match=word):
        golden.read(project / "kept")


def test_a_damaged_record_is_one_line(nnbench, project):
    whole = (project / "kept" / "trajectory.npz").read_bytes()
    (project / "kept" / "trajectory.npz").write_bytes(whole[: len(whole) // 2])
    answer = nnbench("drift", "check", "kept")
    assert answer.returncode == 2
    assert "damaged" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.long
def test_what_does_not_reproduce_cannot_be_recorded(nnbench, project):
    answer = nnbench("drift", "record", "other", *RECORD, "--policy", "nothing")
    assert answer.returncode == 2
    assert "nothing to guard" in answer.stderr
    assert "Initial weights differ" in answer.stderr
    assert not (project / "other").exists()


def test_what_is_recorded_is_told_by_the_name_that_was_typed(tmp_path, monkeypatch):
    trained = made(np.zeros((3, 2, 2))), FINGERPRINT
    monkeypatch.setattr(golden, "_train", lambda *_: trained)
    how = {"policy": "keras", "seed": 1, "bounds": golden.Bounds()}
    kept = golden.record(tmp_path, case("6,6"), Data(), None, **how)
    assert words.recorded(kept).startswith("Recorded 6,6 on tensorflow, cpu, fit")


def test_a_record_is_not_overwritten(nnbench, project):
    answer = nnbench("drift", "record", "kept", *RECORD)
    assert answer.returncode == 2
    assert "already" in answer.stderr


BY_NAME = """
import keras
import numpy as np

class Own(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.inner, self.outer = keras.layers.Dense(width), keras.layers.Dense(1)

    def call(self, named):
        return self.outer(self.inner(named["a"]))

def own(width: int = 2):
    model = Own(width)
    model.compile("adam", "mean_squared_error")
    return model

def graph(width: int = 2):
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    both = keras.layers.Concatenate()([keras.layers.Dense(width)(a), b])
    model = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(both))
    model.compile("sgd", "mean_squared_error")
    return model

def load():
    x = np.random.default_rng(0).normal(size=(30, 5)).astype("float32")
    return {"a": x[:, :3], "b": x[:, 3:]}, x[:, :1]
"""


@pytest.mark.long
@pytest.mark.parametrize("function", ["own", "graph"])
def test_ones_own_model_on_arrays_by_name_is_guarded(nnbench, tmp_path, function):
    (tmp_path / "m.py").write_text(BY_NAME)
    asked = ("--data", "m.py:load", "--backend", "jax", "--epochs", "2")
    answer = nnbench("drift", "record", "g", "--model", f"m.py:{function}(width=3)", *asked)
    assert answer.returncode == 0, answer.stderr
    kept = trajectory.read(tmp_path / "g" / "trajectory.npz")
    assert kept.weights[0].shape[-2:] == (3, 3)
    assert len(kept.layers) == (3 if function == "graph" else 0)
    # However it is typed, it is the same model.
    again = ("--model", f"m.py:{function}( width = 3 )", "--data", "m.py:load")
    answer = nnbench("drift", "check", "g", *again)
    assert answer.returncode == 0, answer.stderr
    assert "as recorded" in answer.stdout
