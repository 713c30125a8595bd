"""Real runs of real trainings, through the command line."""

import json

import pytest
from projects import nnbench_in

from nnbench.phases import COMPILE, EPOCH, FIRST_STEP, ONCE, PHASES, STEP, TRACE
from nnbench.store import runs

SMALL = ("--launches", "1", "--blocks", "1", "--epochs", "6", "--quiet")


def records(folder):
    return runs.read(folder).trials


@pytest.fixture(scope="module")
def of_all(tmp_path_factory):
    """A folder with one run of every backend on both paths, and what it told."""
    folder = tmp_path_factory.mktemp("run")
    answer = nnbench_in(
        *(folder, "run", "4,4", "8", "6x5", "--backend", "tensorflow,jax,torch"),
        *("--path", "fit,compiled", "--json", "--name", "run", *SMALL),
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    return folder, json.loads(answer.stdout)


def cases_of(of_all, backend, path="fit"):
    _, told = of_all
    return [case for case in told["cases"] if (case["backend"], case["path"]) == (backend, path)]


def seconds(case, phase):
    return case["times_s"].get(phase, {"value": 0})["value"]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_phase_a_backend_has_is_measured(of_all, backend):
    expected = set(PHASES) - ({TRACE, COMPILE} if backend == "torch" else set())
    assert len(cases_of(of_all, backend)) == 3
    for case in cases_of(of_all, backend):
        assert set(case["times_s"]) == expected
        assert all(found["value"] > 0 for found in case["times_s"].values())
    assert (of_all[0] / "results" / "run" / "report.html").exists()


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_compiled_path_is_taken_apart_as_well(of_all, backend):
    assert len(cases_of(of_all, backend, "compiled")) == 3
    for case in cases_of(of_all, backend, "compiled"):
        assert set(case["times_s"]) == set(PHASES)
    said = of_all[1]["sentences"]
    assert any("as long with fit as on the compiled path" in line for line in said)


def test_backends_are_never_compared_with_each_other(of_all):
    for backend in ("tensorflow", "jax", "torch"):
        for case in cases_of(of_all, backend):
            assert bool(case["ratios"]) == (case["architecture"] != "4x2")
            assert case["ratios_to"] == "4x2"


@pytest.mark.alone
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_whole_is_about_as_long_as_its_parts(of_all, backend):
    for case in cases_of(of_all, backend):
        assert seconds(case, EPOCH) > seconds(case, STEP) * 0.5
        assert seconds(case, "cold") > 0.5 * sum(seconds(case, phase) for phase in ONCE)


@pytest.mark.alone
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_an_epoch_is_cheaper_on_the_compiled_path(of_all, backend):
    paths = (cases_of(of_all, backend, path) for path in ("fit", "compiled"))
    for fit, compiled in zip(*paths, strict=True):
        assert seconds(compiled, EPOCH) < seconds(fit, EPOCH)


@pytest.mark.alone
def test_a_steady_step_is_far_cheaper_than_compiling_it(of_all):
    """If trace or compile leaked into the step, the two would be alike."""
    (case,) = (one for one in cases_of(of_all, "jax") if one["architecture"] == "6x5")
    assert seconds(case, STEP) < seconds(case, COMPILE) / 20
    assert seconds(case, FIRST_STEP) < seconds(case, COMPILE) / 3


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


@pytest.mark.alone
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
    assert seconds(case, EPOCH) > 0


def test_a_trial_over_its_limit_is_an_outcome(nnbench, tmp_path):
    answer = nnbench(
        *("run", "4", "--backend", "torch", "--launches", "1", "--blocks", "1", "--quiet"),
        *("--epochs", "300000", "--limit", "0.5", "--name", "run", "--json"),
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
