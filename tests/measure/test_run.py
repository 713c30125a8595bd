"""Real runs of real trainings, through the command line."""

import json

import pytest

from nnbench.phases import COMPILE, EPOCH, FIRST_STEP, ONCE, PHASES, STEP, TRACE
from nnbench.store import runs

SMALL = ("--launches", "1", "--blocks", "1", "--epochs", "6", "--quiet")


def records(folder):
    return runs.read(folder).trials


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_phase_a_backend_has_is_measured(nnbench, tmp_path, backend):
    answer = nnbench("run", "4,4", "8", "--backend", backend, "--json", "--name", "run", *SMALL)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    told = json.loads(answer.stdout)
    expected = set(PHASES) - ({TRACE, COMPILE} if backend == "torch" else set())
    for case in told["cases"]:
        assert set(case["times_s"]) == expected
        assert all(found["value"] > 0 for found in case["times_s"].values())
        assert case["times_s"][EPOCH]["value"] > case["times_s"][STEP]["value"] * 0.5
        once = sum(case["times_s"].get(phase, {"value": 0})["value"] for phase in ONCE)
        assert case["times_s"]["cold"]["value"] > 0.5 * once
    assert (tmp_path / "results" / "run" / "report.html").exists()


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_compiled_path_is_taken_apart_as_well(nnbench, backend):
    paths = ("--path", "fit,compiled")
    answer = nnbench("run", "4", "--backend", backend, *paths, "--json", *SMALL)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    fit, compiled = told["cases"]
    assert (fit["path"], compiled["path"]) == ("fit", "compiled")
    assert set(compiled["times_s"]) == set(PHASES)
    assert compiled["times_s"][EPOCH]["value"] < fit["times_s"][EPOCH]["value"]
    assert any("as long with fit as on the compiled path" in line for line in told["sentences"])


def test_a_steady_step_is_far_cheaper_than_compiling_it(nnbench):
    """If trace or compile leaked into the step, the two would be alike."""
    told = json.loads(nnbench("run", "6x5", "--backend", "jax", "--json", *SMALL).stdout)
    times = told["cases"][0]["times_s"]
    assert times[STEP]["value"] < times[COMPILE]["value"] / 20
    assert times[FIRST_STEP]["value"] < times[COMPILE]["value"] / 3


def test_compile_on_tensorflow_leaves_the_training_untouched(in_backend):
    code = """
import keras, numpy as np
from nnbench.workload import keras_model, datasets
from nnbench.workload.architecture import parse
from nnbench.workload.case import Training
from nnbench.measure import boundaries
from nnbench.training.fit import fit
data = datasets.load("banknotes")
def losses(jit, hooked):
    keras.utils.set_random_seed(4)
    model = keras_model.build(parse("6,6"), Training(jit=jit), data.width)
    marks = boundaries.Marks(batch_rows=data.rows)
    if hooked:
        boundaries.of(keras.backend.backend()).hook_first_step(model, marks)
    return fit(model, data.features, data.labels, epochs=4, shuffle=False), marks
for jit in ("off", "on"):
    hooked, marks = losses(jit, True)
    plain, _ = losses(jit, False)
    assert hooked == plain, (jit, hooked, plain)
    assert marks.durations_ns["first_step"] > 0
"""
    in_backend("tensorflow", code)
    in_backend("jax", code)
    in_backend("torch", code.replace('("off", "on")', '("off",)'))


def test_xla_compiles_mini_batches_before_the_first_step(in_backend):
    """Compiled for another batch size, it would compile again within the first step."""
    code = """
from nnbench.workload import keras_model, datasets
from nnbench.workload.architecture import parse
from nnbench.workload.case import Training
from nnbench.measure import boundaries
from nnbench.training.fit import fit
data = datasets.load("banknotes")
model = keras_model.build(parse("6,6"), Training(jit="on"), data.width)
marks = boundaries.Marks(batch_rows=500)
boundaries.of("tensorflow").hook_first_step(model, marks)
fit(model, data.features, data.labels, epochs=2, batch_size=500)
assert marks.durations_ns["first_step"] < marks.durations_ns["compile"] / 5, marks
"""
    in_backend("tensorflow", code)


def test_mini_batches_are_measured_and_named(nnbench):
    arguments = ("run", "4", "--backend", "jax", "--batch", "500", "--json", *SMALL)
    told = json.loads(nnbench(*arguments).stdout)
    case = told["cases"][0]
    assert case["training"]["batch_size"] == 500
    assert case["times_s"][EPOCH]["value"] > case["times_s"][STEP]["value"]


def test_two_backends_are_never_compared_with_each_other(nnbench):
    told = json.loads(nnbench("run", "4", "8", "--backend", "jax,torch", "--json", *SMALL).stdout)
    for case in told["cases"]:
        assert bool(case["ratios"]) == (case["architecture"] == "8x1")
        assert case["ratios_to"] == "4x1"


def test_a_trial_over_its_limit_is_an_outcome(nnbench, tmp_path):
    answer = nnbench(
        *("run", "4", "--backend", "torch", "--launches", "1", "--blocks", "1", "--quiet"),
        *("--epochs", "3000", "--limit", "0.5", "--name", "run", "--json"),
    )
    assert answer.returncode == 0, answer.stderr
    assert {trial["outcome"] for trial in records(tmp_path / "results" / "run")} == {"timeout"}
    assert json.loads(answer.stdout)["warnings"]


def test_a_training_that_diverges_is_an_outcome(nnbench, tmp_path):
    rows = "".join(f"{i * 1e30},{i * 1e36}\n" for i in range(1, 40))
    (tmp_path / "wild.csv").write_text("a,b\n" + rows)
    answer = nnbench(
        *("run", "4", "--data", "wild.csv", "--label", "b", "--backend", "torch"),
        *("--optimizer", "sgd", "--name", "run", "--json", *SMALL),
    )
    assert answer.returncode == 0, answer.stderr
    assert {trial["outcome"] for trial in records(tmp_path / "results" / "run")} == {"diverged"}
