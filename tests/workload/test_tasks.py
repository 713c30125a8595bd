"""What can be learned: classes, labels and numbers, any number a row, from all kinds of data."""

import json

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.training import charts
from nnbench.training.session import Session
from nnbench.workload import architecture as arch
from nnbench.workload import datasets, tasks
from nnbench.workload.case import Training
from nnbench.workload.study import Study

TASKS = {
    "classification": (1, "sigmoid", "binary_crossentropy", 2),
    "classification-3": (3, "softmax", "sparse_categorical_crossentropy", 3),
    "one-hot-3": (3, "softmax", "categorical_crossentropy", 3),
    "regression": (1, "linear", "mean_squared_error", None),
    "regression-3": (3, "linear", "mean_squared_error", None),
    "multilabel-5": (5, "sigmoid", "binary_crossentropy", None),
}
ONE_HOT = np.eye(3)[np.arange(30) % 3]
SEVERAL = (np.arange(90).reshape(30, 3) % 7 < 3).astype(np.int64)
REAL = np.linspace(-1, 1, 90).reshape(30, 3)
TABLE = "\n".join(
    ["a,b,spam,vip,price,size,kind"]
    + [
        f"{i * 0.37 % 1:.3f},{i * 0.73 % 1:.3f},{i % 2},{['no', 'yes'][i % 3 > 0]},"
        f"{i * 0.21:.2f},{i * i * 0.11:.2f},{['red', 'green', 'blue'][i % 3]}"
        for i in range(60)
    ]
)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_says_the_output_layer(task):
    outputs, activation, loss, classes = TASKS[task]
    assert tasks.outputs(task) == outputs
    assert tasks.output_activation(task) == activation
    assert tasks.losses(task)[0] == Training(task=task).loss == loss
    assert tasks.classes(task) == classes


@pytest.mark.parametrize(
    "text",
    ["multilabel", "multilabel-1", "regression-1", "one-hot", "classification-2", "labels-3", "-3"],
)
def test_what_is_no_task_is_named(text):
    with pytest.raises(UserError, match=f"unknown task '{text}': choose from classification"):
        tasks.outputs(text)


def test_keras_builds_what_is_counted(in_backend):
    told = in_backend(
        "jax",
        f"""
import json
from nnbench.workload import architecture, keras_model
from nnbench.workload.case import Training
from nnbench.workload.counts import dense
found = {{}}
for task in {list(TASKS)!r}:
    training = Training(task=task)
    model = keras_model.build(architecture.parse("6,5"), training, (4,))
    output = model.layers[-1]
    found[task] = [output.units, output.activation.__name__, model.loss, model.count_params()]
print(json.dumps(found))
""",
    )
    for task, (*layer, parameters) in json.loads(told).items():
        assert layer == list(TASKS[task][:3])
        assert parameters == arch.parse("6,5").parameters(4, tasks.outputs(task))


@pytest.fixture
def table(tmp_path):
    (tmp_path / "mine.csv").write_text(TABLE + "\n")
    return str(tmp_path / "mine.csv")


COLUMNS = {
    "two labels": ("spam,vip", None, "multilabel-2"),
    "as numbers": ("spam,vip", "regression", "regression-2"),
    "asked so": ("spam, vip", "multilabel", "multilabel-2"),
    "asked fully": ("spam,vip", "multilabel-2", "multilabel-2"),
    "two numbers": ("price,size", None, "regression-2"),
    "mixed": ("price,spam,size", None, "regression-3"),
    "text": ("kind", None, "classification-3"),
}


@pytest.mark.parametrize(("label", "task", "found"), COLUMNS.values(), ids=COLUMNS.keys())
def test_several_label_columns(table, label, task, found):
    data = datasets.load(table, label=label, task=task, features=["a", "b"])
    assert data.task == found
    assert data.labels.shape == (60, *tasks.label_shapes(found)[0])
    data.check_takes(arch.parse("6,6"))
    if found.startswith("multilabel"):
        assert data.labels[:4].tolist() == [[0, 0], [1, 1], [0, 1], [1, 0]]


REFUSED = {
    "text among numbers": ("spam,kind", None, "'kind' holds the text 'blue': a regression needs"),
    "numbers as labels": ("spam,price", "multilabel", "'price' holds more than two values"),
    "one as several": ("spam", "multilabel", "is one label a row: multilabel needs several"),
    "several as one": ("spam,vip", "classification", "has one label for classification"),
    "another number": ("spam,vip", "multilabel-3", "which are multilabel-2, not multilabel-3"),
    "twice": ("spam,spam", None, "names a column twice"),
    "not there": ("spam,vipp", None, "has no column 'vipp': .* did you mean 'vip'"),
    "a feature": ("spam,a", None, "column 'a' is the label"),
}


@pytest.mark.parametrize(("label", "task", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_labels_that_do_not_go_together(table, label, task, told):
    with pytest.raises(UserError, match=told):
        datasets.load(table, label=label, task=task, features=["a", "b"])


def test_a_column_may_have_a_comma_in_its_name(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('x,"price, net"\n' + "".join(f"{i},{i * i * 0.1:.1f}\n" for i in range(9)))
    assert datasets.load(str(path), label="price, net").task == "regression"


ARRAYS = {
    "one-hot": (ONE_HOT, None, "one-hot-3"),
    "one-hot as classes": (ONE_HOT, "classification", "one-hot-3"),
    "one-hot each by itself": (ONE_HOT, "multilabel", "multilabel-3"),
    "labels": (SEVERAL, None, "multilabel-3"),
    "labels as numbers": (SEVERAL, "regression", "regression-3"),
    "truths": (SEVERAL.astype(bool), None, "multilabel-3"),
    "numbers": (REAL, None, "regression-3"),
    "whole numbers": (SEVERAL * 4, None, "regression-3"),
}


@pytest.mark.parametrize(("y", "task", "found"), ARRAYS.values(), ids=ARRAYS.keys())
def test_labels_of_arrays(tmp_path, y, task, found):
    np.savez(tmp_path / "mine.npz", x=REAL, y=y)
    data = datasets.load(str(tmp_path / "mine.npz"), task=task)
    assert data.task == found
    assert np.array_equal(data.labels, y)
    data.check_takes(arch.parse("6,6"))


def test_labels_of_arrays_that_are_none(tmp_path):
    np.savez(tmp_path / "mine.npz", x=REAL, y=REAL)
    with pytest.raises(UserError, match="is regression-3 by its values, not multilabel"):
        datasets.load(str(tmp_path / "mine.npz"), task="multilabel")


SYNTHETIC = {
    "labels=5": "multilabel-5",
    "outputs=3": "regression-3",
    "outputs=3,task=regression": "regression-3",
    "outputs=1": "regression",
    "classes=3": "classification-3",
    "images=8x8x1,labels=3": "multilabel-3",
    "sequences=20x2,outputs=2": "regression-2",
    "tokens=16,vocabulary=50,labels=2": "multilabel-2",
}


@pytest.mark.parametrize(("text", "task"), SYNTHETIC.items(), ids=SYNTHETIC.keys())
def test_made_up_data_of_each_task(text, task):
    data = datasets.load(f"synthetic:rows=60,{text}")
    again = datasets.load(data.name)
    assert (data.task, data.digest) == (again.task, again.digest) == (task, data.digest)
    assert data.labels.shape[1:] in tasks.label_shapes(task)
    assert datasets.load(f"synthetic:rows=60,{text}", task=tasks.kind(task)).digest == data.digest


@pytest.mark.parametrize("text", ["labels=3", "outputs=18", "sequences=12x2,outputs=2"])
def test_made_up_labels_can_be_learned_and_differ(text):
    data = datasets.load(f"synthetic:rows=2000,{text},seed=3")
    x = np.c_[data.features.reshape(data.rows, -1), np.ones(data.rows)]
    guessed = x @ np.linalg.lstsq(x, data.labels, rcond=None)[0]
    left = ((data.labels - guessed) ** 2).mean(axis=0) / data.labels.var(axis=0)
    assert (left < 0.6).all()
    assert np.abs(np.corrcoef(data.labels.T) - np.eye(data.labels.shape[1])).max() < 0.97


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("labels=3,outputs=2", "gives labels and outputs: keep one"),
        ("labels=3,task=regression", "gives labels=3 and task=regression"),
        ("labels=1", "number of labels"),
        ("outputs=many", "give a whole number"),
        ("task=one-hot-3", "one-hot-3 is not made"),
        ("images=8x8x1,task=one-hot-3", "one-hot-3 is not made"),
    ],
)
def test_made_up_labels_that_cannot_be(text, told):
    with pytest.raises(UserError, match=told):
        datasets.load(f"synthetic:{text}")


WHOLE = np.arange(240).reshape(30, 8) % 11
PICTURES = (np.arange(30 * 8 * 8) % 256).astype(np.uint8).reshape(30, 8, 8)
TAKEN = {
    "tokens": (WHOLE, ["lstm:4"], "tokens", 11, "x taken as tokens of a vocabulary of 11"),
    "a table": (WHOLE, ["6,6"], "table", None, ""),
    "both": (WHOLE, ["6,6", "gru:4"], "tokens", 11, "tokens of a vocabulary of 11"),
    "images": (PICTURES, ["conv:4"], "images", None, "of one channel; x scaled from 0..255 to"),
    "steps": (PICTURES, ["lstm:4"], "sequences", None, "x scaled from 0..255 to 0..1 (give"),
    "floats": (PICTURES / 255, ["conv:4"], "images", None, "x taken as images of one channel"),
    "own": (PICTURES, ["lstm:4", "train.py:build"], "sequences", None, None),
}


@pytest.mark.parametrize(("x", "named", "kind", "words", "told"), TAKEN.values(), ids=TAKEN.keys())
def test_arrays_are_taken_as_the_networks_named_take_them(
    tmp_path, monkeypatch, x, named, kind, words, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("def build():\n    ...\n")
    np.savez("mine.npz", x=x, y=np.arange(30) % 2)
    data = Study.of(named, data="mine.npz").load()
    assert (data.kind, data.vocabulary) == (kind, words)
    if told is None:
        assert data.features.dtype == np.uint8
        assert np.array_equal(data.features, x)
        return
    assert told in data.source
    assert told in "; ".join(data.notes)
    for one in named:
        data.check_takes(arch.parse(one))
    if x.dtype != WHOLE.dtype:
        assert data.features.dtype == np.float32
        assert np.allclose(data.features.reshape(x.shape), x / (255 if x.max() > 1 else 1))


def test_whole_numbers_that_are_no_tokens_are_refused_to_families_of_tokens(nnbench, tmp_path):
    np.savez(tmp_path / "mine.npz", x=WHOLE - 5, y=np.arange(30) % 2)
    answer = nnbench("run", "lstm:4", "--data", "mine.npz")
    assert answer.returncode == 2
    assert "mine.npz is table, a row of it has shape (8,)" in answer.stderr


def test_show_counts_any_number_of_outputs(nnbench, table):
    answer = nnbench("show", "5", "--data", table, "--label", "price,size", "--json")
    (told,) = json.loads(answer.stdout)
    assert [one["parameters"] for one in told["layers"]] == [(4 + 1) * 5, (5 + 1) * 2]


def test_data_show_names_labels(nnbench, table):
    answer = nnbench("data", "show", table, "--label", "spam,vip", "--features", "a")
    assert "mine.csv: multilabel-2, 60 rows" in answer.stdout
    assert "rows with each label: 30 of spam, 40 of vip" in answer.stdout


@pytest.mark.parametrize(("count", "drawn"), [(1, 1), (3, 3), (12, 8)])
def test_predictions_of_each_output_are_drawn(tmp_path, monkeypatch, count, drawn):
    data = datasets.load(f"synthetic:rows=40,outputs={count}")
    figures = []
    monkeypatch.setattr(charts, "save_figure", lambda figure, *_, **__: figures.append(figure))
    training = Training(task=data.task)
    session = Session(arch.parse("6"), training, data.name, 1, [2.0, 1.0], [], [])
    charts.write(session, tmp_path, data, data.labels + 1)
    axis = figures[0].axes[1]
    clouds = [np.asarray(one.get_offsets()) for one in axis.collections]
    assert len(clouds) == drawn
    for cloud, labels in zip(clouds, data.labels.T, strict=False):
        assert np.allclose(cloud[:, 0], labels)
        assert np.allclose(cloud[:, 1], labels + 1)
    assert "root mean squared error" in axis.get_title()
    assert (f"of {count} outputs 1" in axis.get_title()) == (count > 1)
    assert ("the first 8 are drawn" in axis.get_title()) == (count > drawn)


QUICK = ("--backend", "jax", "--launches", "1", "--blocks", "1", "--epochs", "2", "--quiet")


@pytest.mark.long
@pytest.mark.parametrize(
    "asked",
    [("6,6", "--label", "spam,vip"), ("6,6", "--label", "kind", "--features", "a,b")],
    ids=["labels", "texts"],
)
def test_a_table_s_labels_are_trained_on_both_paths(nnbench, table, asked):
    answer = nnbench("run", *asked, "--data", table, "--path", "fit,compiled", *QUICK)
    assert answer.returncode == 0, answer.stderr
    for path in ("jax, cpu, fit: ", "jax, cpu, compiled: "):
        # A title is as wide as its table.
        assert f"{path}{table}, 60 rows".replace(" ", "") in "".join(answer.stdout.split())


@pytest.mark.long
@pytest.mark.parametrize("text", ["outputs=3", "images=8x8x1,labels=3"])
def test_training_several_outputs_lowers_the_loss(nnbench, tmp_path, text):
    network = "conv:8" if "images" in text else "16"
    spec = f"synthetic:rows=300,{text}"
    options = ("--epochs", "60", "--seed", "1", "--save", "out", "--batch", "32")
    answer = nnbench("train", network, "--data", spec, *options)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "out" / "training.png").exists()
    losses = json.loads((tmp_path / "out" / "training.json").read_text())["losses"]
    assert losses[-1] < 0.8 * losses[0]
    assert ("of all labels, 3 in each of 300 rows" in answer.stdout) == ("labels" in text)


@pytest.mark.long
def test_tokens_and_one_hot_labels_of_arrays_are_trained(nnbench, tmp_path):
    np.savez(tmp_path / "mine.npz", x=WHOLE, y=ONE_HOT)
    answer = nnbench("run", "lstm:4", "--data", "mine.npz", *QUICK)
    assert answer.returncode == 0, answer.stderr
    assert "x taken as tokens of a vocabulary of 11" in answer.stderr
    assert "a 1 among 3 is a class" in answer.stderr


@pytest.mark.long
def test_a_race_over_several_labels(nnbench):
    options = ("--backend", "jax", "--seeds", "1", "--epochs", "20", "--quiet")
    spec = "synthetic:rows=200,labels=3"
    answer = nnbench("race", "8", "--target-loss", "0.69", "--data", spec, *options)
    assert answer.returncode == 0, answer.stderr


def test_targets_without_a_task_are_for_ones_own_model(tmp_path):
    np.savez(tmp_path / "data.npz", x=REAL, y=SEVERAL[:, :1])
    data = datasets.load(str(tmp_path / "data.npz"), task=tasks.OWN)
    with pytest.raises(UserError, match=r"6x2 cannot be trained on .* as own: .* --model"):
        data.check_takes(arch.parse("6,6"))
