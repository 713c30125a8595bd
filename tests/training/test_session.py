"""Trainings that were saved: read back whole, or refused in a line, and no code comes from them."""

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import asdict

import numpy as np
import pytest
from fuzz.damage import in_json
from projects import nnbench_process

from nnbench.errors import UserError
from nnbench.training import charts, session
from nnbench.workload.case import Training

TRAIN = ("train", "4", "--data", "synthetic:rows=60,features=3", "--backend", "jax")
TRAIN = (*TRAIN, "--epochs", "2", "--quiet")


@pytest.fixture
def kept(tmp_path):
    """A saved training, but for Keras' file of the model."""
    folder = tmp_path / "kept"
    folder.mkdir()
    description = {
        "schema": 1,
        "architecture": "4x1",
        "training": asdict(Training()),
        "data": "banknotes",
        "seed": 1,
        "losses": [0.7, 0.6],
    }
    (folder / session.DESCRIPTION).write_text(json.dumps(description))
    for name in (session.INITIAL, session.FINAL):
        np.savez(folder / name, np.ones((4, 1), np.float32), np.zeros(1, np.float32))
    return folder


def refusal(folder):
    try:
        found = session.read(folder)
    except UserError as mistake:
        return str(mistake)
    assert found.losses == list(map(float, found.losses))
    return ""


def test_whatever_a_description_holds_it_is_read_or_refused_in_a_line(kept):
    path = kept / session.DESCRIPTION
    refused = []
    for content in in_json.all_of(path.read_bytes()):
        path.write_bytes(content)
        refused += filter(None, [refusal(kept)])
    assert len(refused) > 100
    assert all(str(kept) in one and len(one) < 1000 for one in refused)


def test_the_losses_of_a_training_that_diverged_are_read(kept):
    path = kept / session.DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), "losses": [0.5, float("nan")]}))
    assert len(session.read(kept).losses) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"data": "a", "data": "b"}', "'data' stands twice"),
        (f'{{"data": {"[" * 200}{"]" * 200}}}', "nested too deep"),
    ],
)
def test_a_description_is_checked_as_every_file_is(kept, content, reason):
    (kept / session.DESCRIPTION).write_text(content)
    assert reason in refusal(kept)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ([np.full((3, 4), 1e300)], "holds something else than weights of float32"),
        ([np.array([{}], dtype=object)], "is of dtype |O"),
        (["text"], "holds something else than weights"),
    ],
)
def test_weights_are_of_float32(kept, arrays, reason):
    np.savez(kept / session.FINAL, *arrays)
    assert reason in refusal(kept)
    assert "pickle" not in refusal(kept)


@pytest.mark.parametrize("name", [session.DESCRIPTION, session.INITIAL, session.FINAL])
def test_what_is_missing_is_named(kept, name):
    (kept / name).unlink()
    assert f"holds no saved training: {name} is missing" in refusal(kept)


OWN = """
import keras
import numpy as np

class Own(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.inner, self.outer = keras.layers.Dense(width), keras.layers.Dense(1)

    def call(self, named):
        return self.outer(self.inner(named["a"]))

def build(width: int = 2):
    model = Own(width)
    model.compile("adam", "mean_squared_error", metrics=["mae"])
    return model

def load():
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    return {"a": x}, x[:, :1]
"""


@pytest.mark.long
def test_ones_own_model_is_trained_saved_and_gone_on_with(nnbench, tmp_path):
    (tmp_path / "m.py").write_text(OWN)
    own = ("--data", "m.py:load", "--backend", "jax", "--epochs", "2", "--quiet")
    answer = nnbench("train", "m.py:build(width=3)", *own, "--save", "kept", "--weights")
    assert answer.returncode == 0, answer.stderr
    assert "by the model's own metrics: mae" in answer.stdout
    assert "(3, 3)" in answer.stdout
    assert "Traceback" not in answer.stderr
    answer = nnbench("train", *own, "--go-on-from", "kept")
    assert answer.returncode == 2
    assert "holds a training of m.py:build(width=3): name that" in answer.stderr
    again = ("train", "m.py:build( width=3 )", *own, "--go-on-from", "kept", "--json")
    answer = nnbench(*again)
    assert answer.returncode == 0, answer.stderr
    before = json.loads((tmp_path / "kept" / session.DESCRIPTION).read_text())["losses"]
    assert json.loads(answer.stdout)["losses"][:2] == before


FAILING = """
import keras, numpy as np

class Fails(keras.Model):
    def __init__(self, whole):
        super().__init__()
        self.whole, self.outer = whole, keras.layers.Dense(1)

    def call(self, x, training=False):
        return self.outer(x if training or self.whole else missing(x))

    def get_metrics_result(self):
        found = super().get_metrics_result()
        return found if self.whole else {"total": found["loss"]}

def missing(x):
    return x.nothing

def build(whole=True):
    model = Fails(whole)
    model.compile("adam", "mean_squared_error")
    return model

def quiet():
    class Quiet(keras.Sequential):
        def get_metrics_result(self):
            return {"total": super().get_metrics_result()["loss"]}

    model = Quiet([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mean_squared_error")
    return model

def load():
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    return x, x[:, :1]

def batches():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, number):
            return [one[10 * number : 10 * number + 10] for one in load()]

    return Batches()
"""


@pytest.mark.long
def test_what_ones_own_model_raises_is_told_by_its_places(tmp_path):
    (tmp_path / "m.py").write_text(FAILING)
    own = ("--data", "m.py:load", "--backend", "jax", "--quiet")
    for command in (
        ("train", "m.py:build(whole=False)", *own),
        ("show", "m.py:build(whole=False)"),
    ):
        answer = nnbench_process(tmp_path, *command, *(own[:-1] if command[0] == "show" else ()))
        assert answer.returncode == 2
        assert "Traceback" not in answer.stderr
        assert "no attribute nothing" in answer.stderr
        by_nnbench = [line for line in answer.stderr.splitlines() if "m.py:build(whole" in line]
        assert len(by_nnbench) == 1, "told once"
        assert "in missing: return x.nothing" in answer.stderr


@pytest.mark.long
def test_a_model_without_a_loss_has_no_curve_and_that_is_told_at_once(nnbench, tmp_path):
    (tmp_path / "m.py").write_text(FAILING)
    own = ("m.py:quiet", "--data", "m.py:load", "--backend", "jax", "--quiet")
    answer = nnbench("train", *own, "--epochs", "1000000")
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1] == (
        "nnbench: m.py:quiet logs no loss: there is no curve to watch"
    )
    for path in ("fit", "compiled"):
        answer = nnbench("race", *own, "--seeds", "2", "--epochs", "100000", "--path", path)
        assert answer.returncode == 2
        assert "m.py:quiet measures no loss: it has total" in answer.stderr


@pytest.mark.long
@pytest.mark.parametrize("options", [("--data", "m.py:batches"), ("--path", "compiled")])
def test_a_subclassed_model_is_trained_on_streams_and_compiled(nnbench, tmp_path, options):
    (tmp_path / "m.py").write_text(FAILING)
    options = ("--backend", "jax", "--epochs", "3", "--quiet", "--data", "m.py:load", *options)
    answer = nnbench("train", "m.py:build", *options, "--save", "kept")
    assert answer.returncode == 0, answer.stderr
    assert "after 3" in answer.stdout
    before = json.loads((tmp_path / "kept" / session.DESCRIPTION).read_text())["losses"]
    again = ("train", "m.py:build", *options, "--go-on-from", "kept", "--json")
    answer = nnbench(*again)
    assert answer.returncode == 0, answer.stderr
    losses = json.loads(answer.stdout)["losses"]
    assert losses[:3] == before
    assert len(losses) == 6


@pytest.mark.long
def test_a_family_is_trained_on_its_kind_of_data(nnbench):
    answer = nnbench("train", "lstm:3x1", *TRAIN[2:], "--data", "synthetic:sequences=4x2,rows=40")
    assert answer.returncode == 0, answer.stderr
    assert "accuracy on the training data" in answer.stdout


PLANTED = {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": None}


@pytest.mark.long
def test_going_on_takes_weights_from_a_model_file_and_no_code(nnbench, tmp_path):
    answer = nnbench(*TRAIN, "--seed", "1", "--save", "kept")
    assert answer.returncode == 0, answer.stderr
    kept = tmp_path / "kept"
    (tmp_path / "evil.py").write_text("from pathlib import Path\nPath('planted').touch()\n")
    path = kept / session.MODEL
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = json.dumps(PLANTED).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    answer = nnbench(*TRAIN, "--go-on-from", "kept", "--json", PYTHONPATH=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert not (tmp_path / "planted").exists()
    before = session.read(kept)
    assert json.loads(answer.stdout)["losses"][:2] == before.losses
    assert json.loads(answer.stdout)["losses"][2] < before.losses[1]
    path.write_bytes(path.read_bytes()[:500])
    answer = nnbench(*TRAIN, "--go-on-from", "kept")
    assert answer.returncode == 2
    assert "nnbench: the training saved in kept/model.keras is damaged" in answer.stderr
    answer = nnbench(*TRAIN, "--go-on-from", "kept", "--data", "synthetic:rows=60,features=5")
    assert answer.returncode == 2
    assert "is of other data than rows of shape (5,)" in answer.stderr


@pytest.mark.parametrize(("line", "drawn"), [("4\n", True), ("", False)])
def test_a_process_draws_what_was_saved_once_it_is_told(kept, line, drawn):
    command = [sys.executable, "-m", "nnbench.training.charts", str(kept)]
    answer = subprocess.run(command, input=line, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert (kept / session.PICTURE).exists() is drawn


def test_what_is_drawn_there_is_called_as_it_was_typed(kept, monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "save_figure", lambda figure, *_, **__: drawn.append(figure))
    monkeypatch.setattr(sys, "argv", ["charts", str(kept)])
    monkeypatch.setattr(sys, "stdin", io.StringIO("4\n"))
    charts.main()
    assert drawn[0].get_suptitle() == "4 on banknotes, adam"


BROKEN = """
import subprocess
import sys
from pathlib import Path

from nnbench import cli
from nnbench.cli import train
from nnbench.machine.child import Child


def broken(folder):
    return Child([sys.executable, "-c", "raise SystemExit(1)"], stdin=subprocess.PIPE)


train._artist = broken
sys.argv = ["nnbench", "train", "6,6", "--epochs", "2", "--save", "kept", "--quiet"]
try:
    cli.main()
except SystemExit as ended:
    assert not ended.code
assert Path("kept/training.png").read_bytes().startswith(b"\\x89PNG")
"""


def test_a_training_is_drawn_whatever_befalls_the_process_that_draws(in_fresh_backend):
    in_fresh_backend("jax", BROKEN)
