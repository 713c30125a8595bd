"""What other people's projects use, in such a project, installed from a wheel."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from projects import call, commit_all, environment_with_wheel, git

from nnbench.errors import UserError
from nnbench.suites import study
from nnbench.suites.asv import TrainingSuite
from nnbench.suites.reading import Reading
from nnbench.suites.result import TrainingResult
from nnbench.workload.study import Networks, Study, TrainingOptions
from nnbench.workload.user_code import reference_to

MODELS = """
import keras

def build():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(2, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

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
"""
DATA = """
import numpy as np

def load():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)).astype("float32"), rng.integers(0, 2, 40)

def by_name():
    x, y = load()
    return {"a": x}, y[:, None].astype("float32"), np.ones(len(x), "float32")
"""
TESTS = """
import os
import pytest
from my_project.models import build

DRIFT = "DRIFT" in os.environ
SMALL = dict(backend="jax", epochs=3, launches=1, blocks=2 if DRIFT else 1)

@pytest.mark.benchmark(min_rounds=7)
def test_it_stays_cheap(training_benchmark):
    result = training_benchmark(build, "my_project.data:load", **SMALL, drift=DRIFT)
    assert result.parameters == 3 * 5 + 5 + 5 * 2 + 2
    assert result.seconds("step") < min(result.seconds("compile"), result.seconds("cold")) / 3
    assert result.peak_host_bytes > 50e6
"""
OTHERS = """
SMALL = dict(backend="jax", epochs=2, launches=1, blocks=1)

def test_a_subclassed_model_with_arguments_on_arrays_by_name(training_benchmark):
    model, data = "my_project.models:own(width=3)", "my_project.data:by_name"
    result = training_benchmark(model, data, **SMALL)
    assert result.reading.model == model
    assert result.parameters == 3 * 3 + 3 + 3 + 1
    assert result.drift["repeat_max_ulp"] == 0

def test_a_family_on_its_usual_kind_of_data(benchmark, training_benchmark):
    data = "synthetic:sequences=5x2,rows=40,outputs=1"
    how = {"optimizer": "sgd", "loss": "mean_absolute_error"}
    result = training_benchmark("lstm:3x1", data, drift=False, **how, **SMALL)
    assert result.seconds("step") > 0
    told = result.to_json()
    assert (told["optimizer"], told["loss_function"]) == ("sgd", "mean_absolute_error")
    assert benchmark.stats.stats.data == result.reading.seconds["step"]
"""
MISTAKES = """
def test_forgotten(training_benchmark):
    training_benchmark("my_project.models:forgotten", "my_project.data:load", backend="jax")

def test_nested(training_benchmark):
    training_benchmark(lambda: None)
"""
BENCHMARKS = """
import nnbench.suites.asv
from nnbench.suites.asv import TrainingSuite

class Small(nnbench.suites.asv.TrainingSuite):
    model = "my_project.models:build"
    data = "my_project.data:load"
    epochs = 3
    launches, blocks, drift = 1, 1, True

class Other(TrainingSuite):
    model = ["4", "8,8"]
    backends = ["jax", "tensorflow"]
"""
CONFIGURATION = {
    "version": 1,
    "project": "my-project",
    "repo": ".",
    "branches": ["HEAD"],
    "environment_type": "virtualenv",
    "benchmark_dir": "benchmarks",
    "results_dir": "results",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel):
    return environment_with_wheel(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def project(tmp_path_factory, python):
    folder = tmp_path_factory.mktemp("example")
    for name, text in {
        "my_project/__init__.py": "",
        "my_project/models.py": MODELS,
        "my_project/data.py": DATA,
        "tests/test_training.py": TESTS,
        "benchmarks/__init__.py": "",
        "benchmarks/training.py": BENCHMARKS,
        "asv.conf.json": json.dumps(CONFIGURATION),
        "pytest.ini": "[pytest]\npythonpath = .\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    commit_all(folder, "one")
    # As installed with pip's --editable.
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    (packages / "example.pth").write_text(f"{folder}\n")
    return folder


def test_the_fixture_keeps_a_training_with_pytest_benchmark(python, project):
    saving = ["--benchmark-only", "--benchmark-autosave", "--benchmark-save-data"]
    command = [python, "-m", "pytest", "tests", *saving]
    answer = call(command, project, DRIFT="1")
    assert "1 passed" in answer.stdout
    (saved,) = (project / ".benchmarks").rglob("*.json")
    (kept,) = json.loads(saved.read_text())["benchmarks"]
    assert kept["group"].endswith("my_project.models:build")
    told = kept["extra_info"]
    assert {"build", "compile", "step", "cold"} <= set(told["phases_s"])
    assert kept["stats"]["data"] == told["phases_s"]["step"]["blocks"], "to the last bit"
    assert len(kept["stats"]["data"]) == 2
    assert kept["options"]["timer"] == "training_benchmark"
    assert kept["options"]["min_rounds"] == 7, "what the test's own marker says stays"
    assert told["optimizer"] is None, "a function's model has its own"
    assert re.search(r"launch 1 of 1 \(jax, cpu\): 0/\d+ trials", answer.stderr)
    assert "starting jax" in answer.stderr
    assert told["fingerprint"]["versions"]["jax"]
    assert told["drift"]["weights_digest"] > 0


@pytest.mark.long
def test_the_fixture_takes_every_network(python, project, tmp_path):
    (tmp_path / "test_others.py").write_text(OTHERS)
    answer = call([python, "-m", "pytest", "-q", tmp_path / "test_others.py"], project)
    assert "2 passed" in answer.stdout


@pytest.mark.long
def test_it_works_under_xdist_where_timings_are_off(python, project):
    answer = call([python, "-m", "pytest", "tests", "-n", "2", "-q"], project)
    assert "1 passed" in answer.stdout


@pytest.mark.long
def test_it_works_without_pytest_benchmark(python, project):
    answer = call([python, "-m", "pytest", "tests", "-q", "-p", "no:benchmark"], project)
    assert "1 passed" in answer.stdout


def test_a_mistake_is_one_line(python, project, tmp_path):
    (tmp_path / "test_mistakes.py").write_text(MISTAKES)
    command = [python, "-m", "pytest", "-q", tmp_path / "test_mistakes.py"]
    answer = call(command, project, check=False)
    assert "2 failed" in answer.stdout
    assert "has no function 'forgotten'" in answer.stdout
    assert "define it with def" in answer.stdout
    assert "Traceback" not in answer.stdout


def test_the_plugin_is_quiet_where_it_is_not_used(python, tmp_path):
    code = """
import sys

def test_nothing():
    assert "nnbench.suites.pytest_plugin" in sys.modules
    heavy = {"numpy", "pandas", "scipy", "keras", "nnbench.suites.study"}
    assert not heavy & set(sys.modules)
"""
    (tmp_path / "test_quiet.py").write_text(code)
    answer = call([python, "-m", "pytest", tmp_path / "test_quiet.py"], tmp_path)
    told = answer.stdout.replace("nnbench-arch", "")
    assert "1 passed" in told
    assert "training_benchmark" not in told


@pytest.mark.long
def test_asv_measures_ones_own_model(python, project):
    asv = [python, "-m", "asv"]
    call([*asv, "machine", "--yes"], project, HOME=str(project))
    call([*asv, "check", "--python=same"], project, HOME=str(project))
    hashed = git(project, "rev-parse", "HEAD")
    phases = ("build", "compile", "step", "epoch", "cold", "host_memory")
    chosen = rf"Small\.track_({'|'.join(phases)}|drift_repeat)\b"
    command = [*asv, "run", "--python=same", "--set-commit-hash", hashed, "--bench", chosen]
    answer = call([*command, "--show-stderr"], project, HOME=str(project))
    (written,) = project.glob(f"results/*/{hashed[:8]}*.json")
    results = json.loads(written.read_text())["results"]
    names = {name.rpartition("track_")[2]: values[0] for name, values in results.items()}
    for phase in phases:
        assert names[phase][0] > 0, answer.stdout
    assert names["drift_repeat"] == [0.0]
    known = json.loads((project / "results" / "benchmarks.json").read_text())
    assert not any("TrainingSuite" in name for name in known), "the base class is no benchmark"
    assert not any("device_memory" in name for name in known), "no GPU, no empty panel"
    step, other = known["training.Small.track_step"], known["training.Other.track_step"]
    assert step["unit"] == "seconds"
    assert step["params"] == [["my_project.models:build"], ["jax"], ["fit"], ["cpu"]]
    assert other["params"][:2] == [["4x1", "8x2"], ["jax", "tensorflow"]]
    assert step["setup_cache_key"] != other["setup_cache_key"], "each class has its own study"


def test_reading_a_suite_is_cheap():
    heavy = "{'numpy', 'pandas', 'scipy', 'keras', 'jax', 'tensorflow', 'torch'}"
    code = f"import sys, nnbench.suites.asv; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    call([sys.executable, "-c", code], ".", PYTHONPATH=":".join(sys.path))


def test_numbers_are_plain_for_asv():
    class Suite(TrainingSuite):
        model = "6,6"

    context = ("6x2", "jax", "fit", "cpu")
    suite, reading = Suite(), Reading(*context, seconds={"step": [0.5, 0.25]})
    assert suite.track_step([reading], *context) == {"samples": [0.5, 0.25], "number": 1}
    assert suite.track_trace([reading], *context) != suite.track_trace([reading], *context)  # NaN
    assert suite.track_step([], *context) != suite.track_step([], *context)
    failed = Reading(*context, problem="the loss became nan")
    with pytest.raises(RuntimeError, match="the loss became nan"):
        suite.track_step([failed], *context)
    assert [repr(axis) for axis in suite.params] == ["[6x2]", "[jax]", "[fit]", "[cpu]"]


def test_a_suite_asks_what_the_command_line_can():
    class Suite(TrainingSuite):
        model = ("6,6", "train.py:build")
        backends = ("jax", "torch")
        batch_size, dtype, optimizer, loss, jit = 10, "bfloat16", "sgd", "hinge", "off"

    asked = Suite().study()
    assert asked.networks == Networks(("6x2",), ("train.py:build",))
    assert asked.training == TrainingOptions(
        epochs=30, batch="10", dtype="bfloat16", optimizer="sgd", loss="hinge", jit="off"
    )
    assert (asked.machine.backend, asked.effort.launches) == ("jax,torch", 3)


def test_a_suite_takes_every_network_and_the_data_that_it_trains_on():
    class Suite(TrainingSuite):
        model = ("conv:8x2( norm = on )", "lstm depth=1,2 width=4", "p.models:build( depth=2 )")

    labels = ["conv:8x2(norm=on)", "lstm:4x1", "lstm:4x2", "p.models:build(depth=2)"]
    assert [*Suite().models] == labels
    assert Suite().param_names[0] == "model"
    asked = Suite().study()
    assert asked.networks == Networks(tuple(labels[:3]), (labels[3],))
    assert asked.networks.usual_data() == "digits"
    assert asked.training.training("classification-10", "images").batch_size == 32


def test_backends_that_are_not_installed_are_skipped(monkeypatch):
    monkeypatch.setattr(study.devices, "is_installed", lambda name: name == "jax")
    assert study.installed(Study.of(["6x2"], backend="torch,jax")).machine.backend == "jax"
    only = Study.of(["6x2"], backend="torch")
    with pytest.raises(UserError, match="'torch' is not installed"):
        study.installed(only).cases(only.data.load())


def test_a_training_that_gave_no_step_has_no_result():
    with pytest.raises(UserError, match="the loss became nan"):
        TrainingResult.of(Reading("6x2", "jax", "fit", "cpu", problem="the loss became nan"))


def test_functions_are_found_by_their_names():
    assert reference_to("a.b:c") == "a.b:c"
    assert reference_to(reference_to) == "nnbench.workload.user_code:reference_to"
    assert reference_to(call).endswith("projects.py:call")
    with pytest.raises(UserError, match="at the top of a module"):
        reference_to(lambda: None)


FIGURES = """
import json
from nnbench.suites import drift_process
from nnbench.workload import datasets
from nnbench.workload.study import Study

_, answer = drift_process.open_room(None)
drift_process.EPOCHS = 2
for model, load in (("no_loss", "weighted"), ("fails", "weighted"), ("streamed", "batches")):
    data = datasets.load(f"own_models.py:load_{load}")
    case, = Study.of([f"own_models.py:build_{model}"], backend="torch").cases(data)
    print(json.dumps(answer({"case": case.to_json()})))
"""


def test_drift_of_ones_own_models_is_figures_or_a_line(in_backend, tmp_path):
    shutil.copy(Path(__file__).parents[1] / "own_models.py", tmp_path)
    no_loss, fails, streamed = map(json.loads, in_backend("torch", FIGURES).splitlines())
    assert no_loss["repeat_max_ulp"] == 0
    assert "final_loss" not in no_loss
    assert "has no attribute 'uot'" in fails["error"]
    assert streamed["error"] == (
        "own_models.py:load_batches makes its batches anew: drift compares trainings on arrays"
    )
