import json
import shutil

import numpy as np
import pytest
from projects import nnbench_in

MODEL = """
import keras

def small():
    return made(4)

def wide():
    return made(32)

def made(width):
    model = keras.Sequential(
        [keras.Input((3, 2)), keras.layers.Flatten(), keras.layers.Dense(width, "tanh"),
         keras.layers.Dropout(0.1), keras.layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

def forgotten():
    return keras.Sequential([keras.Input((3, 2)), keras.layers.Dense(1)])

def text():
    return "a model"

def data():
    import numpy as np
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 3, 2)).astype("float32"), rng.integers(0, 3, 60)
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


RUN = (
    *("run", "--model", "mine.py:small", "--model", "mine.py:wide", "--data", "mine.py:data"),
    *("--backend", "jax", "--path", "fit,compiled", "--launches", "1", "--blocks", "1"),
    *("--epochs", "3", "--batch", "20", "--name", "once", "--json"),
)


@pytest.fixture
def measured(once, tmp_path):
    """A run of one's own models that stands in the test's own folder; what it told."""

    def make(folder):
        (folder / "mine.py").write_text(MODEL)
        answer = nnbench_in(folder, *RUN)
        assert answer.returncode == 0, answer.stderr
        (folder / "told.json").write_text(answer.stdout)

    shutil.copytree(once("user-code", make), tmp_path, dirs_exist_ok=True)
    return json.loads((tmp_path / "told.json").read_text())


def test_ones_own_models_and_data_are_measured_on_both_paths(measured, tmp_path):
    found = {(case["model"], case["path"]): case for case in measured["cases"]}
    assert len(found) == 4
    small = found["mine.py:small", "fit"]
    assert small["parameters"] == 6 * 4 + 4 + 4 * 3 + 3
    assert small["peak_host_bytes"] > 10 << 20
    assert {"build", "cold", "step", "epoch", "trace", "compile"} <= set(small["times_s"])
    page = (tmp_path / measured["report"]).read_text()
    assert "mine.py:wide" in page


def test_an_edited_model_is_another_run(nnbench, measured, tmp_path):
    (tmp_path / "mine.py").write_text(MODEL.replace("made(4)", "made(5)"))
    answer = nnbench(*RUN)
    assert answer.returncode == 2
    assert "another run" in answer.stderr


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("model", "data", "word"),
    [
        ("mine.py:nothing", "mine.py:data", "no function 'nothing'"),
        ("mine.py:forgotten", "mine.py:data", "cannot be trained on mine.py:data"),
        pytest.param(
            "mine.py:text", "mine.py:data", "returned a str, not a Keras model", marks=LONG
        ),
        pytest.param("other.py:small", "mine.py:data", "other.py is not there", marks=LONG),
        pytest.param("mine.py", "mine.py:data", "names no function", marks=LONG),
        pytest.param("mine.py:small", "banknotes", "cannot be trained on banknotes", marks=LONG),
        pytest.param("mine.py:small", "mine.py:text", "did not return a pair", marks=LONG),
        ("mine.py:small", "arrays.npz", "needs the arrays x and y"),
    ],
)
def test_a_mistake_in_ones_own_code_is_one_line(nnbench, code, model, data, word):
    np.savez(code / "arrays.npz", a=np.zeros(3))
    answer = nnbench("run", "--model", model, "--data", data, "--backend", "jax", "--quiet")
    assert answer.returncode == 2
    assert word in answer.stderr
    assert "Traceback" not in answer.stderr
    said = answer.stderr.strip().splitlines()
    # How labels are taken is said before.
    assert (
        len([line for line in said if not line.endswith("--as regression takes the numbers")]) == 1
    )


def test_arrays_with_nan_are_refused(nnbench, code):
    np.savez(code / "arrays.npz", x=np.array([[1.0], [np.nan]]), y=np.zeros(2))
    answer = nnbench("data", "show", "arrays.npz")
    assert answer.returncode == 2
    assert "NaN" in answer.stderr
