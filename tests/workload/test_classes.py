"""Labels are classes or numbers by one rule, and classes are trained as such."""

import json

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.workload import architecture as arch
from nnbench.workload import datasets, tasks
from nnbench.workload.case import Training
from nnbench.workload.counts import dense

ASKED = "; --as regression takes the numbers"
TAKEN = {
    "0 and 1": ([0, 1], "classification", ""),
    "1 and 2": ([1, 2], "classification", "2 classes, numbered from 0: 1, 2" + ASKED),
    "-1 and 1": ([-1, 1], "classification", "2 classes, numbered from 0: -1, 1" + ASKED),
    "three": ([0, 1, 2], "classification-3", "3 classes: 0, 1, 2" + ASKED),
    "with a point": (
        ["3.0", "5.0", "4.0"],
        "classification-3",
        "3 classes, numbered from 0: 3, 4, 5" + ASKED,
    ),
    "grades": (
        range(1, 11),
        "classification-10",
        "10 classes, numbered from 0: 1, 2, 3, 4, 5, 6, 7, 8 and 2 more" + ASKED,
    ),
    "counts": (
        range(60),
        "regression",
        "60 whole numbers, taken as a regression (--as classification: as classes)",
    ),
    "fractions": ([0.5, 1.5], "regression", ""),
    "texts": (
        ["virginica", "setosa", "versicolor"],
        "classification-3",
        "3 classes, numbered from 0: setosa, versicolor, virginica",
    ),
    "truth": (["True", "False"], "classification", "false as 0, true as 1"),
    "a class called none": (
        ["none", "mild"],
        "classification",
        "2 classes, numbered from 0: mild, none",
    ),
}


@pytest.fixture
def load(tmp_path):
    def read(labels, **options):
        path = tmp_path / "mine.csv"
        rows = "".join(f"{i * 0.37},{labels[i % len(labels)]}\n" for i in range(60))
        path.write_text("x,y\n" + rows)
        return datasets.load(str(path), label="y", **options)

    return read


@pytest.mark.parametrize(("labels", "task", "note"), TAKEN.values(), ids=TAKEN.keys())
def test_what_a_label_is_taken_for_and_said(load, labels, task, note):
    data = load(labels)
    assert data.task == task
    if note:
        assert [one.removeprefix("y: ").removesuffix(": y") for one in data.notes] == [note]
    if classes := tasks.classes(task):
        wanted = sorted(labels, key=str if isinstance(labels[0], str) else float)
        assert data.labels[: len(labels), 0].tolist() == [wanted.index(one) for one in labels]
        assert len(datasets.describe(data).class_counts) == classes


def test_what_is_asked_for_comes_first(load):
    assert load([0, 1, 2], task="regression").labels[:3, 0].tolist() == [0, 1, 2]
    assert load(range(60), task="classification").task == "classification-60"
    assert load(["1", "2", "3+"], task="classification").task == "classification-3"
    with pytest.raises(UserError, match="holds the text 'a': a regression needs numbers"):
        load(["a", "b", "c"], task="regression")
    with pytest.raises(UserError, match="another text in every row"):
        load([f"name {i}" for i in range(60)])


@pytest.mark.parametrize(
    "task", ["classification-2", "classification-1", "classification-", "classification-03", "rank"]
)
def test_unknown_tasks(task):
    with pytest.raises(UserError, match=f"unknown task '{task}': choose from"):
        Training(task=task)


def test_made_data_have_all_classes():
    data = datasets.load("synthetic:rows=10,task=classification-3")
    assert sorted(data.labels.ravel().tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    with pytest.raises(UserError, match="fewer rows than classes"):
        datasets.load("synthetic:rows=2,task=classification-3")


@pytest.mark.parametrize(
    "backend",
    ["jax", *(pytest.param(one, marks=pytest.mark.long) for one in ("tensorflow", "torch"))],
)
def test_three_classes_are_trained_on_both_paths_and_counted_as_keras_does(in_backend, backend):
    code = """
import json
from nnbench.training import session
from nnbench.workload import architecture as arch, datasets
from nnbench.workload.case import Training
data = datasets.load("synthetic:rows=300,task=classification-3")
rows = []
for path in ("fit", "compiled"):
    training = Training(task=data.task, batch_size=50)
    done, model = session.train(arch.parse("8"), training, data, epochs=100, path=path, seed=1)
    found = model.predict(data.features, verbose=0).argmax(axis=1)
    right = float((found == data.labels.ravel()).mean())
    rows.append((model.count_params(), done.losses[0], done.losses[-1], right))
print(json.dumps(rows))
"""
    for count, first, last, right in json.loads(in_backend(backend, code)):
        assert count == arch.parse("8").parameters(4, 3) == 4 * 8 + 8 + 8 * 3 + 3
        assert last < 0.8 * first
        assert right > 0.55


def test_flops_of_a_head_for_three_classes():
    one, three = (
        dense.count(arch.parse("8"), features=4, rows=100, outputs=outputs, output_activation=way)
        for outputs, way in ((1, "sigmoid"), (3, "softmax"))
    )
    # Two more units: product, bias and activation forward; two products and two sums backward.
    assert three.forward_flops - one.forward_flops == 100 * (2 * 2 * 8 + 2 + (3 * 5 - 4))
    assert three.backward_flops - one.backward_flops == 100 * (2 * 2 * 2 * 8 + 2 * 2)
    assert three.weight_bytes - one.weight_bytes == 4 * 2 * 9


@pytest.fixture
def irises(tmp_path):
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{kind + rng.normal():.3f};{rng.normal():.3f};{'abc'[kind]}\n" for kind in [0, 1, 2] * 20
    )
    (tmp_path / "iris.csv").write_text("x;z;kind\n" + rows)
    return "--data", "iris.csv", "--label", "kind", "--backend", "jax"


def test_three_classes_are_shown(nnbench, irises):
    table = irises[:4]
    shown = nnbench("data", "show", *table[1:])
    assert shown.returncode == 0, shown.stderr
    assert "iris.csv: classification-3, 60 rows" in shown.stdout
    assert "rows of each class: 20 of 0, 20 of 1, 20 of 2" in shown.stdout
    network = json.loads(nnbench("show", "4", *table, "--json").stdout)[0]
    assert network["layers"][-1]["activation"] == "softmax"
    assert network["parameters"] == 2 * 4 + 4 + 4 * 3 + 3
    refused = nnbench("show", "4", *table, "--loss", "hinge")
    assert refused.stderr.splitlines()[-1].endswith("choose from sparse_categorical_crossentropy")


@pytest.mark.long
def test_a_run_of_three_classes_says_how_it_read_them(nnbench, irises):
    few = ("--launches", "1", "--blocks", "1", "--epochs", "3")
    answer = nnbench("run", "4", *irises, "--path", "fit,compiled", *few, "--json")
    assert answer.returncode == 0, answer.stderr
    cases = json.loads(answer.stdout)["cases"]
    assert [case["parameters"] for case in cases] == [2 * 4 + 4 + 4 * 3 + 3] * 2
    assert "iris.csv: separated by semicolons; kind: 3 classes, numbered from 0: a, b, c" in (
        answer.stderr.splitlines()
    )


@pytest.mark.long
def test_other_commands_take_three_classes(nnbench, irises):
    answer = nnbench("train", "8", *irises, "--epochs", "40", "--seed", "1", "--quiet")
    assert answer.returncode == 0, answer.stderr
    accuracy = answer.stdout.partition("accuracy on the training data: ")[2].partition("%")[0]
    assert float(accuracy) > 40
    few = ("--launches", "1", "--quiet")
    for command in (
        ("race", "4", *irises, "--epochs", "5", "--seeds", "1", "--quiet"),
        ("explain", "4", "8", *irises, "--epochs", "3", *few, "--blocks", "1"),
        ("drift", "record", "golden", *irises, "--epochs", "3"),
    ):
        answer = nnbench(*command)
        assert answer.returncode == 0, (command, answer.stderr)
