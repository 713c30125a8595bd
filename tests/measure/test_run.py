"""Real runs of real trainings, through the command line."""

import json

import pytest
from projects import nnbench_in

from nnbench.phases import COMPILE, DATA, EPOCH, FIRST_STEP, ONCE, PHASES, STEP, TRACE
from nnbench.store import runs

SMALL = ("--launches", "1", "--blocks", "1", "--epochs", "6", "--quiet")


def records(folder):
    return list(runs.read(folder).trials)


def measured(folder, *arguments):
    """A run in a folder: its cases by backend, path and network, and all that was told."""
    answer = nnbench_in(folder, "run", *arguments, "--json", "--name", "run", *SMALL)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    told = json.loads(answer.stdout)
    assert (folder / told["report"]).exists()
    # What is timed as compiling is compiled.
    assert not [*(folder / "cache").rglob("*-cache")]
    return {(one["backend"], one["path"], one["architecture"]): one for one in told["cases"]}, told


LONG = pytest.mark.long


@pytest.fixture(scope="module")
def on_two_backends(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("run"), "4,4", "8", "--backend", "jax,tensorflow")


@pytest.fixture(scope="module")
def on_both_paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return measured(folder, "4", "--backend", "jax", "--path", "fit,compiled")


def seconds(case, phase):
    return case["times_s"].get(phase, {"value": 0})["value"]


def phases_of(cases):
    for case in cases.values():
        assert all(found["value"] > 0 for found in case["times_s"].values())
    return [set(case["times_s"]) for case in cases.values()]


IN_MEMORY = set(PHASES) - {DATA}
"""Phases of a training on arrays."""


def test_every_phase_of_a_training_is_measured(on_two_backends):
    assert phases_of(on_two_backends[0]) == [IN_MEMORY] * 4


@pytest.mark.long
def test_torch_traces_and_compiles_nothing(tmp_path):
    cases, _ = measured(tmp_path, "4,4", "8", "--backend", "torch")
    assert phases_of(cases) == [IN_MEMORY - {TRACE, COMPILE}] * 2


def test_backends_are_never_compared_with_each_other(on_two_backends):
    cases, _ = on_two_backends
    for (_, _, architecture), case in cases.items():
        assert bool(case["ratios"]) == (architecture == "8x1")
        assert case["ratios_to"] == "4,4"


def test_the_compiled_path_is_taken_apart_as_well(on_both_paths):
    cases, told = on_both_paths
    assert [path for _, path, _ in cases] == ["fit", "compiled"]
    assert phases_of(cases) == [IN_MEMORY] * 2
    said = told["sentences"]
    assert any("as long with fit as on the compiled path" in line for line in said)


@pytest.mark.alone
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_the_whole_is_about_as_long_as_its_parts(tmp_path, backend):
    for case in measured(tmp_path, "4,4", "8", "--backend", backend)[0].values():
        assert seconds(case, EPOCH) > seconds(case, STEP) * 0.5
        assert seconds(case, "cold") > 0.5 * sum(seconds(case, phase) for phase in ONCE)


@pytest.mark.alone
def test_an_epoch_is_cheaper_on_the_compiled_path(on_both_paths):
    fit, compiled = on_both_paths[0].values()
    assert seconds(compiled, EPOCH) < seconds(fit, EPOCH)


@pytest.mark.alone
def test_a_steady_step_is_far_cheaper_than_compiling_it(tmp_path):
    """If trace or compile leaked into the step, the two would be alike."""
    (case,) = measured(tmp_path, "6x5", "--backend", "jax")[0].values()
    assert seconds(case, STEP) < seconds(case, COMPILE) / 20
    assert seconds(case, FIRST_STEP) < seconds(case, COMPILE) / 3


@pytest.mark.parametrize(
    ("backend", "jit"),
    [
        ("jax", "on"),
        pytest.param("jax", "off", marks=LONG),
        pytest.param("tensorflow", "on", marks=LONG),
        pytest.param("tensorflow", "off", marks=LONG),
        pytest.param("torch", "off", marks=LONG),
    ],
)
def test_watching_the_first_step_leaves_the_training_untouched(in_backend, backend, jit):
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
    model = keras_model.build(parse("6,6"), Training(jit=jit), data.shape)
    marks = boundaries.Marks(batch_rows=data.rows)
    if hooked:
        boundaries.of(keras.backend.backend()).hook_first_step(model, marks)
    return fit(model, data.features, data.labels, epochs=4, shuffle=False), marks
hooked, marks = losses(JIT, True)
plain, _ = losses(JIT, False)
assert hooked == plain, (JIT, hooked, plain)
assert marks.durations_ns["first_step"] > 0
"""
    in_backend(backend, f"JIT = {jit!r}\n{code}")


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
model = keras_model.build(parse("6,6"), Training(jit="on"), data.shape)
marks = boundaries.Marks(batch_rows=500)
boundaries.of("tensorflow").hook_first_step(model, marks)
fit(model, data.features, data.labels, epochs=2, batch_size=500)
assert marks.durations_ns["first_step"] < marks.durations_ns["compile"] / 5, marks
"""
    in_backend("tensorflow", code)


@pytest.mark.long
def test_mini_batches_are_measured_and_named(nnbench):
    arguments = ("run", "4", "--backend", "jax", "--batch", "500", "--json", *SMALL)
    told = json.loads(nnbench(*arguments).stdout)
    case = told["cases"][0]
    assert case["training"]["batch_size"] == 500
    assert seconds(case, EPOCH) > 0


def test_a_trial_over_its_limit_is_an_outcome(nnbench, tmp_path):
    answer = nnbench(
        *("run", "4", "--backend", "jax", "--launches", "1", "--blocks", "1", "--quiet"),
        *("--epochs", "300000", "--limit", "0.5", "--name", "run", "--json"),
    )
    assert answer.returncode == 2
    assert answer.stderr == "nnbench: nothing was measured: 4: no answer within 0.5 s\n"
    assert {trial["outcome"] for trial in records(tmp_path / "results" / "run")} == {"timeout"}
    told = nnbench("report", tmp_path / "results" / "run", "--json")
    assert json.loads(told.stdout)["warnings"]


def test_a_training_that_diverges_is_an_outcome(nnbench, tmp_path):
    rows = "".join(f"{i * 1e30},{i * 1e36}\n" for i in range(1, 40))
    (tmp_path / "wild.csv").write_text("a,b\n" + rows)
    answer = nnbench(
        *("run", "4", "--data", "wild.csv", "--label", "b", "--backend", "jax"),
        *("--optimizer", "sgd", "--name", "run", "--json", *SMALL),
    )
    assert answer.returncode == 2
    assert "nothing was measured: 4: the loss became" in answer.stderr
    assert {trial["outcome"] for trial in records(tmp_path / "results" / "run")} == {"diverged"}
