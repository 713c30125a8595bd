"""`nnbench show` of networks of each kind, as a person sees it and as a script reads it."""

import json
import os
import pty
import subprocess
import sys

import pytest
from forked import FORKS
from projects import nnbench_in

OWN = """
import numpy as np

def build(width: int = 8):
    import keras
    from keras import layers
    class Blur(layers.Layer):
        def call(self, x):
            return x * 0.5
    a, b = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    x = layers.Concatenate()([layers.Dense(width, activation="relu")(a), b])
    m = keras.Model({"left": a, "right": b}, layers.Dense(1)(Blur()(x)))
    m.compile("sgd", "mse")
    return m

def broken():
    raise ValueError("my mistake")

def load():
    r = np.random.default_rng(0)
    return {"left": r.random((40, 4)), "right": r.random((40, 3))}, r.random((40, 1))
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return "--data", "own.py:load", "--backend", "jax"


def forked(folder, *arguments):
    """`show` in a process that may start a backend."""
    return FORKS.run(folder, arguments, dict(os.environ))


def shown_at(folder, columns, *arguments):
    """What `nnbench show` writes to a terminal so wide, line by line."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nnbench", "show", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "dumb", "NO_COLOR": "1"},
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    text = b""
    try:
        while part := os.read(leader, 65536):
            text += part
    except OSError:
        pass  # So a terminal ends.
    os.close(leader)
    assert process.wait() == 0
    return text.decode().splitlines()


def test_own_models_are_shown_whole_with_what_is_not_counted(tmp_path, own):
    answer = forked(tmp_path, "show", "own.py:build", "own.py:build(width=16)", *own, "--json")
    assert answer.returncode == 0, answer.stderr
    narrow, wide = json.loads(answer.stdout)
    assert (narrow["parameters"], wide["parameters"]) == (4 * 8 + 8 + 12, 4 * 16 + 16 + 20)
    assert narrow["flops"] == sum(
        narrow[f"{one}_flops"] for one in ("forward", "backward", "update")
    )
    for name in ("weight_bytes", "forward_flops", "backward_flops", "parameters"):
        assert narrow[name] == sum(one[name] for one in narrow["layers"]), name
    assert [one.split(":")[0] for one in narrow["not_counted"]] == ["Blur blur"]
    assert narrow["optimizer"] == "SGD"


def test_a_failure_in_ones_own_function_is_told_and_the_rest_is_shown(tmp_path, own):
    answer = forked(tmp_path, "show", "own.py:build", "own.py:broken", *own)
    assert answer.returncode == 2
    assert "total" in answer.stdout
    assert "my mistake (own.py:" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_and_keeps_what_it_says(tmp_path, columns):
    lines = shown_at(tmp_path, columns, "300x50")
    table = [one for one in lines if "dense" in one or "total" in one]
    assert max(map(len, lines)) <= columns
    assert len(table) == 52
    assert "dense_49 " in table[49]
    assert "90,300" in table[49]
    assert "4,426,501" in table[51]
    assert "…" not in "".join(lines)


@pytest.mark.long
def test_a_run_of_any_network_tells_flops_and_their_share_of_the_machines_rate(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def build():\n"
        "    import keras\n"
        "    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation='softmax')]\n"
        "    model = keras.Sequential([keras.Input((16, 16, 1)), *layers])\n"
        "    model.compile('adam', 'sparse_categorical_crossentropy')\n"
        "    return model\n"
    )
    networks = ("conv:4x1", "lstm:4x1", "mine.py:build")
    options = ("--data", "digits", "--backend", "jax", "--batch", "128", "--json")
    few = ("--launches", "1", "--blocks", "1", "--epochs", "2", "--model", networks[-1])
    ran = nnbench_in(tmp_path, "run", *networks[:-1], *options, *few)
    assert ran.returncode == 0, ran.stderr
    counted = json.loads(forked(tmp_path, "show", *networks, *options).stdout)
    told = {one["architecture"] or one["model"]: one for one in json.loads(ran.stdout)["cases"]}
    for one in counted:
        case = told[one["architecture"]]
        assert case["flops_per_step"] == one["flops"] > 0
        assert 0 < case["utilisation"] < 1
