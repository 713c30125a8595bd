"""One's own models, on data of any structure, are measured on both paths or told in a line."""

import json
import shutil
from pathlib import Path

import pytest

from nnbench.errors import UserError
from nnbench.workload import datasets

OWN = Path(__file__).parents[1] / "own_models.py"
LONG = pytest.mark.long

# Trials as a worker answers them, without its process: what it prints is by path.
TRIALS = """
import json
from nnbench.machine import keras_import
from nnbench.measure import serve, timed_trials
from nnbench.workload import datasets
from nnbench.workload.study import Study

found = []
data = datasets.load({data!r})
study = Study.of({models!r}, epochs=3, backend={backend!r}, path="fit,compiled", **{options!r})
given = {{}} if data.stream else {{data.name: data.training_data}}
for case in study.cases(data):
    started = serve.Started(case, given, data.stream is not None, 0.0, 0.0)
    answer = timed_trials._trials(started)
    record = {{}}
    keras_import.set_random_seed(0)
    for kind in ("phases", "step"):
        if record.get("outcome", "ok") == "ok":
            said = answer({{"case": case.to_json(), "kind": kind, "seed": 0}})
            samples = record.get("samples_s", {{}}) | said.get("samples_s", {{}})
            record |= said | {{"samples_s": samples}}
    found.append(record | {{"batch": case.batch_rows, "parts": case.parts}})
print(json.dumps(found))
"""


@pytest.fixture
def trials(in_backend, tmp_path):
    """Records of the trials of a model, or of several with `|` between, on both paths."""
    shutil.copy(OWN, tmp_path / "own_models.py")

    def run(backend, model, data, **options):
        *models, data = (
            name if "." in name else f"own_models.py:{name}" for name in (*model.split("|"), data)
        )
        code = TRIALS.format(models=models, data=data, backend=backend, options=options)
        return json.loads(in_backend(backend, code))

    return run


PARAMETERS = {
    "list": 6 * 4 + 4 + 10 + 1,
    "outputs": 6 * 4 + 4 + 4 * 4 + 4,
    "weighted": 6 * 4 + 4 + 4 + 1,
    "uncompiled": 6 * 5 + 5 + 5 * 3 + 3,
    "subclassed": 20 * 3 + 6 * 4 + 4 + 7 + 1,
    "alone": 6 * 2 + 2 + 2 * 6 + 6,
    "tokens": 20 * 4 + 3 * (4 * 3 + 3 * 3 + 2 * 3) + 3 * 3 + 3,
    "mixed": 6 * 4 + 4 + 4 + 1,
}
ON_TORCH = ("list", "outputs", "subclassed", "alone")
"""Tried in every test run; the long ones try each kind on one more backend."""
ON_JAX = ("list", "weighted", "uncompiled", "tokens")
ON_TENSORFLOW = ("outputs", "subclassed", "alone", "mixed")


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        *(("torch", kind) for kind in ON_TORCH),
        *(pytest.param("jax", kind, marks=LONG) for kind in ON_JAX),
        *(pytest.param("tensorflow", kind, marks=LONG) for kind in ON_TENSORFLOW),
    ],
)
def test_ones_own_models_are_measured_on_both_paths(trials, backend, kind):
    for record in trials(backend, f"build_{kind}", f"load_{kind}", batch="16"):
        assert record["outcome"] == "ok", record["message"]
        assert record["parameters"] == PARAMETERS[kind]
        assert record["loss"] > 0
        assert record["samples_s"]["step"]


def test_an_own_training_step_without_a_loss_and_without_targets(trials):
    fit, compiled = trials("torch", "build_own_step", "load_own_step", batch="16")
    for record in (fit, compiled):
        assert (record["outcome"], record["loss"]) == ("ok", None), record
    assert fit["parts"] == "x 6"


@pytest.mark.parametrize(
    "backend", [pytest.param(backend, marks=LONG) for backend in ("jax", "tensorflow")]
)
def test_several_steps_in_a_call_count_as_several_and_train_all_batches(trials, backend):
    models = "build_weighted|build_weighted(steps=4)"
    single, several, _, compiled = trials(backend, models, "load_weighted", batch="4")
    for record in (several, compiled):
        assert record["outcome"] == "ok", record["message"]
    # 40 rows are 10 steps: two calls of four and one of two, and no batch is left out.
    assert several["loss"] == pytest.approx(single["loss"], rel=1e-5)
    assert several["samples_s"]["first_step"]
    assert several["steps_per_sample"] % 4 == 0
    assert compiled["steps_per_sample"] % 10 == 0


STREAMS = {
    "batches": "keras.utils.PyDataset",
    "loader": "torch.utils.data.DataLoader",
    "tfdata": "tf.data.Dataset",
}


@pytest.mark.parametrize(
    ("backend", "stream"),
    [
        pytest.param(
            backend, stream, marks=() if (backend, stream) == ("torch", "loader") else LONG
        )
        for backend in ("torch", "jax", "tensorflow")
        for stream in STREAMS
    ],
)
def test_streams_are_trained_on_by_fit_and_what_their_batches_take_is_told(trials, backend, stream):
    fit, compiled = trials(backend, "build_streamed", f"load_{stream}")
    assert fit["outcome"] == "ok", fit["message"]
    assert fit["batch"] == 16
    assert fit["parts"] == f"{STREAMS[stream]}: x 6, y int64"
    (waited_s,) = fit["samples_s"]["data"]
    assert waited_s > 0
    assert fit["samples_s"]["step"]
    assert compiled["outcome"] == "failed"
    assert compiled["message"] == (
        f"the compiled path trains on arrays held in memory, not on a {STREAMS[stream]}: "
        "train it with model.fit"
    )


def test_a_function_is_called_with_its_arguments(trials):
    model = "own_models.py:build_weighted(width=8, name=wide)"
    fit, _ = trials("torch", model, "load_weighted", batch="16")
    assert fit["parameters"] == 6 * 8 + 8 + 8 + 1


MADE = """
import keras
from nnbench.workload import keras_model, own_model
from nnbench.workload.study import Study
from nnbench.workload import datasets

mixed = own_model.make("own_models.py:build_mixed")
after = own_model.make("own_models.py:build_weighted")
print(mixed.layers[0].compute_dtype, after.layers[0].compute_dtype)

data = datasets.load("own_models.py:load_uncompiled")
options = {"backend": "torch", "optimizer": "momentum", "jit": "off"}
case, = Study.of(["own_models.py:build_uncompiled"], **options).cases(data)
model = keras_model.for_case(case)
print(type(model.optimizer).__name__, model.optimizer.momentum, model.loss, model.jit_compile)

lambdas = keras.Sequential([keras.Input((6,)), keras.layers.Lambda(lambda x: x)])
for ending in ("keras", "h5"):
    own_model.make("own_models.py:build_weighted").save(f"saved.{ending}")
    print(own_model.make(f"saved.{ending}").count_params())
    lambdas.save(f"lambda.{ending}")

class Mine(keras.layers.Layer):
    def call(self, x):
        return x

keras.Sequential([keras.Input((6,)), Mine()]).save("mine.keras")
open("text.keras", "w").write("no model")
open("text.h5", "w").write("no model")
for name in ("lambda.keras", "lambda.h5", "mine.keras", "text.keras", "text.h5"):
    try:
        own_model.make(name)
    except Exception as failure:
        print(failure)
"""


def test_models_are_made_as_their_owner_and_the_command_say(in_backend, trials):
    told = in_backend("torch", MADE).splitlines()
    assert told[0] == "bfloat16 float32"
    assert told[1] == "SGD 0.9 sparse_categorical_crossentropy False"
    assert told[2:4] == 2 * [str(6 * 4 + 4 + 4 + 1)]
    for place, ending in enumerate(("keras", "h5")):
        code = f"lambda.{ending} holds code of its own in a Lambda layer"
        assert told[4 + place].startswith(code)
        said = f"text.{ending} is no model that Keras saved, or it is damaged"
        assert told[7 + place] == said
    assert told[6].startswith("mine.keras uses 'Mine', which is not of Keras")


DOUBLING = """
import jax
import keras


@jax.jit
def doubled(x):
    with open("traced", "a") as told:
        print(x.shape, file=told)
    return 2 * x


class Doubling(keras.layers.Layer):
    def call(self, x):
        return doubled(x)


def build():
    model = keras.Sequential([keras.Input((4,)), Doubling(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model
"""

KEPT = """
from pathlib import Path

import jax

from nnbench.measure import serve, timed_trials, trial
from nnbench.workload import datasets
from nnbench.workload.study import Study

data = datasets.load("banknotes")
cases = Study.of(["doubling.py:build"], batch="100", backend="jax", path="fit,compiled").cases(data)
measure = trial.measure


def watched(*arguments):
    Path("traced").write_text("")
    record, model = measure(*arguments)
    told = Path("traced").read_text()
    print(record["outcome"], "(100, 4)" in told, "(72, 4)" in told)
    return record, model


trial.measure = watched
for case in cases:
    started = serve.Started(case, {data.name: data.training_data}, False, 0.0, 0.0)
    said = timed_trials._trials(started)({"case": case.to_json(), "kind": "phases", "seed": 0})
    print(said.get("message", "it is timed"))
    jax.clear_caches()
"""


def test_no_network_of_a_process_pays_for_what_jax_keeps_of_a_trace(in_backend, tmp_path):
    (tmp_path / "doubling.py").write_text(DOUBLING)
    assert in_backend("jax", KEPT).splitlines() == 2 * ["ok False False", "it is timed"]


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("build_weighted", {"optimizer": "momentum"}, "--optimizer momentum cannot change that"),
        ("build_uncompiled", {"activation": "tanh"}, "is made as it is: --activation tanh"),
        ("build_float", {"dtype": "bfloat16"}, "sets its precision by itself: leave --dtype out"),
        ("build_broken", {}, "ValueError: no network is 3 wide (own_models.py:"),
    ],
)
def test_what_goes_against_a_model_is_told_and_not_ignored(trials, model, options, told):
    data = "load_weighted" if model in ("build_weighted", "build_broken") else "load_uncompiled"
    for record in trials("torch", model, data, **options):
        assert record["outcome"] == "failed"
        assert told in record["message"]


SET_LATER = """
from nnbench.training.fit import fit
from nnbench.workload import datasets, keras_model
from nnbench.workload.study import Study

data = datasets.load("own_models.py:load_weighted")
for options in ({}, {"jit": "on"}, {"steps_per_execution": 2}, {"dtype": "bfloat16"}):
    study = Study.of(["own_models.py:build_weighted"], batch="16", **options)
    case = study.cases(data)[0]
    model = keras_model.for_case(case)
    print(model.jit_compile, model.steps_per_execution, model.layers[0].compute_dtype)
    given = data.training_data
    for source in ("arrays", "tf.data", "pydataset"):
        weights = {"sample_weight": given.sample_weight, "source": source}
        model.set_weights([weight * 0 + 0.1 for weight in model.get_weights()])
        losses = fit(model, given.x, given.y, epochs=2, batch_size=16, shuffle=False, **weights)
        print(*(f"{loss:.3f}" for loss in losses))
"""


@LONG
def test_a_compiled_model_is_told_more_and_all_sources_hand_on_the_same(in_backend, trials):
    told = in_backend("tensorflow", SET_LATER).splitlines()
    assert told[0] == "False 1 float32"
    assert told[4] == "True 1 float32"
    assert told[8] == "False 2 float32"
    assert told[12] == "False 1 bfloat16"
    for begin in range(1, len(told), 4):
        assert len(set(told[begin : begin + 3])) == 1


def test_a_failure_is_told_by_the_frames_of_ones_own_code(trials):
    record, _ = trials("torch", "build_broken", "load_weighted")
    reason, *frames = record["message"].splitlines()
    assert reason.startswith("own_models.py:build_broken failed: ValueError: no network is 3 wide")
    assert [frame.partition(" in ")[2].partition(":")[0] for frame in frames] == [
        "build_broken",
        "widened",
    ]


def test_what_a_model_raises_in_training_is_an_outcome_and_the_worker_answers_on(trials):
    fit, compiled = trials("torch", "build_fails", "load_weighted", batch="16")
    assert (fit["outcome"], compiled["outcome"]) == ("failed", "failed")
    reason, *frames = fit["message"].splitlines()
    assert "'Fails' object has no attribute 'uot'" in reason
    assert any("in halved: return model.uot(x) / 2" in frame for frame in frames)
    assert not any("site-packages" in frame or "nnbench/" in frame for frame in frames)


@pytest.mark.parametrize(
    ("load", "columns"),
    [
        ("load_weighted", ["x0", "x5", "y", "sample_weight"]),
        ("load_outputs", ["kind", "size (1)"]),
        ("load_alone", ["x0", "x5"]),
        ("load_subclassed", ["numbers (6)", "tokens (5)"]),
    ],
)
def test_data_of_any_structure_is_shown(nnbench, tmp_path, load, columns):
    shutil.copy(OWN, tmp_path / "own_models.py")
    answer = nnbench("data", "show", f"own_models.py:{load}")
    assert answer.returncode == 0, answer.stderr
    lines = [line.strip() for line in answer.stdout.splitlines()]
    for column in columns:
        assert any(line.startswith(f"{column} ") for line in lines), answer.stdout
    assert "more columns" not in answer.stdout


def test_what_a_function_of_data_raises_is_told_by_its_frames(nnbench, tmp_path):
    shutil.copy(OWN, tmp_path / "own_models.py")
    answer = nnbench("data", "show", "own_models.py:load_broken")
    assert answer.returncode == 2
    reason, *frames = answer.stderr.splitlines()
    assert reason.startswith("nnbench: own_models.py:load_broken failed: KeyError: ")
    assert [frame.partition(" in ")[2].partition(":")[0] for frame in frames] == [
        "load_broken",
        "load_of",
    ]


@pytest.mark.parametrize(
    ("load", "told"),
    [
        ("load_two", "returned 2 things, one of them a keras.utils.PyDataset: return that alone"),
        ("load_endless", "made a tf.data.Dataset without an end"),
    ],
)
@pytest.mark.long
def test_streams_that_cannot_be_trained_on_are_one_line(trials, tmp_path, monkeypatch, load, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=told) as caught:
        datasets.load(f"own_models.py:{load}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.long
def test_of_a_stream_its_first_batch_is_shown_and_that_is_said(nnbench, tmp_path):
    shutil.copy(OWN, tmp_path / "own_models.py")
    answer = nnbench("data", "show", "own_models.py:load_batches")
    assert answer.returncode == 0, answer.stderr
    told = answer.stdout.splitlines()
    assert told[0].endswith("40 rows")
    assert "all below is of its first batch, 16 rows" in told
    asked = json.loads(nnbench("data", "show", "own_models.py:load_batches", "--json").stdout)
    assert (asked["rows"], asked["first_batch"]) == (40, 16)


@pytest.mark.long
def test_a_sweep_goes_on_where_a_model_fails_and_streams_show_what_they_take(nnbench, tmp_path):
    shutil.copy(OWN, tmp_path / "own_models.py")
    models = ("own_models.py:build_broken width=2,3", "own_models.py:build_streamed")
    answer = nnbench(
        *("run", *models, "--data", "own_models.py:load_batches", "--backend", "jax"),
        *("--path", "fit,compiled", "--launches", "1", "--blocks", "1", "--epochs", "3"),
    )
    assert answer.returncode == 1, answer.stderr
    assert "no network is 2 wide" in answer.stderr
    assert "in widened: raise ValueError" in answer.stderr
    assert "arrays held in memory, not on a keras.utils.PyDataset" in answer.stderr
    assert "Traceback" not in answer.stderr
    header = next(line for line in answer.stdout.splitlines() if "network" in line)
    assert "data" in header.split()
    assert "weights" in header.split()
    again = nnbench(
        *("run", *models, "--data", "own_models.py:load_batches", "--batch", "8"),
        *("--backend", "jax"),
    )
    assert again.returncode == 2
    assert "makes its own batches, of 16 rows: leave --batch 8 out" in again.stderr
