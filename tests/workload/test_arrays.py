"""Arrays of one's own, from npz files and functions: taken for what they hold, or one line."""

import re

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.workload import datasets
from nnbench.workload.datasets import arrays
from nnbench.workload.study import Study

X = np.arange(60.0).reshape(30, 2)
THREE = np.arange(30) % 3

MADE = r"""
import sys
import numpy as np
X = np.arange(60.0).reshape(30, 2)
Y = np.arange(30) % 2
KIND = np.array(["a", "b", "c"])[np.arange(30) % 3]


def frame():
    import pandas as pd
    return pd.DataFrame({"a": X[:, 0], "on": X[:, 0] > 4}), pd.Series(KIND, dtype="category")


def sparse():
    import scipy.sparse
    return scipy.sparse.csr_matrix(X), Y


def tensors():
    import torch
    return torch.tensor(X, requires_grad=True), torch.tensor(Y)


class Tensor:
    '''Stands in for those of frameworks.'''

    def detach(self):
        return self

    def cpu(self):
        return X


given = {
    "good": (X, Y), "lists": (X.tolist(), Y.tolist()), "objects": (X, KIND.astype(object)),
    "bytes": (X, KIND.astype("S1")), "a tensor": (Tensor(), Y), "unmasked": (np.ma.array(X), Y),
    "ragged": ([[1, 2], [3]], [0, 1]), "lengths": (X, Y[:-1]), "complex": (X * 1j, Y),
    "strings": (X.astype(str), Y), "dates": (np.arange(30).astype("datetime64[D]"), Y),
    "masked": (np.ma.masked_greater(X, 5), Y), "generator": ((i for i in X), Y), "none": None,
    "two nones": (None, None), "three": (X, Y, X), "mapping": {"x": X, "y": Y},
    "one array": np.stack([X[:, 0], Y]), "numbers": (np.float32(1), 2), "empty": (X[:0], Y[:0]),
    "no columns": (X[:, :0], Y), "large": (X * 1e300, Y), "large labels": (X, Y * 1e300),
    "nan": (X * np.nan, Y), "huge": ([[10**30]] * 30, Y), "text of two": (X, np.full((30, 2), "a")),
    "object": (object(), Y),
}


def fails():
    raise ValueError("no such\nfile")


def leaves():
    sys.exit(3)


def needs(rows):
    return X, Y


def asks():
    input("which? ")


def prints():
    print("hello")
    print("oh", file=sys.stderr)
    return X, Y
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Load what a function of MADE, or an entry of its `given`, returns, as the child would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    namespace = {}
    exec(MADE, namespace)

    def load(name, **options):
        if name in namespace["given"]:
            source = f"\n\ndef made():\n    return given[{name!r}]\n"
            (tmp_path / "made.py").write_text(MADE + source)
            name = "made"
        else:
            (tmp_path / "made.py").write_text(MADE)
        arrays.answer(f"made.py:{name}", "data.npz", "problem")
        problem = tmp_path / "problem"
        if problem.exists():
            raise UserError(*problem.read_text().split("\n"))
        return datasets.load("data.npz", **options)

    return load


@pytest.mark.parametrize("name", ["good", "lists", "a tensor", "unmasked", "sparse"])
def test_whatever_people_keep_numbers_in(made, name):
    data = made(name)
    assert data.features.dtype == np.float32
    assert np.array_equal(data.features, X)
    assert data.task == "classification"
    assert data.labels.ravel()[:3].tolist() == [0, 1, 0]


@pytest.mark.parametrize("name", ["frame", "objects", "bytes"])
def test_texts_are_classes(made, name):
    data = made(name)
    assert data.task == "classification-3"
    assert data.labels[:4, 0].tolist() == [0, 1, 2, 0]
    assert data.notes == ("3 classes, numbered from 0: a, b, c",)


@pytest.mark.long
def test_tensors_that_need_a_gradient(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.py").write_text(MADE)
    assert np.array_equal(datasets.load("made.py:tensors").features, X)


REFUSED = {
    "ragged": "x of made.py:made, a list, is no array of numbers",
    "lengths": "30 rows of x and 29 of y",
    "complex": "holds no numbers by rows: dtype complex128",
    "strings": "x of data.npz holds no numbers by rows: text",
    "dates": "holds no numbers by rows: dtype datetime64",
    "masked": "has masked values: fill them in",
    "generator": "a generator, is no array",
    "none": "did not return a pair (x, y) but a NoneType",
    "two nones": "a NoneType, holds no numbers",
    "three": "sample_weight of data.npz has shape (30, 2): give one number for each row",
    "mapping": "did not return a pair (x, y) but a dict",
    "one array": "did not return a pair (x, y) but a ndarray",
    "numbers": "x of data.npz holds no numbers by rows: dtype float32 of shape ()",
    "empty": "0 rows of x and 0 of y",
    "no columns": "rows of no numbers: x has shape (30, 0)",
    "large": "holds 5.9e+301, too large for float32",
    "large labels": "y of data.npz holds 1e+300, too large for float32",
    "nan": "x of data.npz holds NaN or infinity",
    "huge": "holds no numbers by rows: dtype object",
    "text of two": "y of data.npz is text of shape (30, 2)",
    "object": "a object, holds no numbers",
    "fails": "made.py:fails failed: ValueError: no such file (made.py",
    "leaves": "made.py:leaves failed: SystemExit: 3",
    "needs": "is called without arguments (missing a required argument: 'rows')",
}


@pytest.mark.parametrize(("name", "message"), REFUSED.items(), ids=REFUSED.keys())
def test_what_is_no_data_is_one_line(made, name, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        made(name)
    assert len(str(caught.value).splitlines()) == 1
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize(("name", "message"), [("prints", None), ("asks", "failed: EOFError")])
def test_a_function_s_process_keeps_to_itself(tmp_path, monkeypatch, capfd, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.py").write_text(MADE)
    if message is None:
        assert datasets.load(f"made.py:{name}").rows == 30
    else:
        with pytest.raises(UserError, match=message):
            datasets.load(f"made.py:{name}")
    assert capfd.readouterr() == ("", "")


def saved(folder, **content):
    np.savez(folder / "mine.npz", **content)
    return str(folder / "mine.npz")


@pytest.mark.parametrize("numbers", [(-1, 1), (1, 2), (-1.0, 1.0)])
def test_two_numbers_of_arrays_are_classes(tmp_path, numbers):
    y = np.array(numbers)[THREE % 2]
    found = datasets.load(saved(tmp_path, x=X, y=y))
    assert (found.task, set(found.labels.ravel())) == ("classification", {0, 1})
    assert "2 classes, numbered from 0: " in found.source
    assert "--as regression takes the numbers" in found.source
    asked = datasets.load(saved(tmp_path, x=X, y=y), task="regression")
    assert (asked.task, set(asked.labels.ravel())) == ("regression", set(numbers))


def test_labels_of_arrays_stay_as_they_were_given_to_ones_own_model(tmp_path):
    three = datasets.load(saved(tmp_path, x=X, y=THREE), as_given=True)
    assert (three.task, three.labels.dtype.kind) == ("classification-3", "i")
    file = saved(tmp_path, x=X, y=THREE % 2 * 2 - 1)
    (tmp_path / "mine.py").write_text("def build():\n    ...\n")
    signs = Study.of([f"{tmp_path}/mine.py:build"], data=file).load()
    assert (signs.task, set(signs.labels.ravel())) == ("regression", {-1, 1})
    assert Study.of(["6,6"], data=file).load().task == "classification"
    assert "a regression to an architecture (--as classification" in signs.source
    asked = datasets.load(file, task="classification")
    assert (asked.task, set(asked.labels.ravel())) == ("classification", {0, 1})


def test_arrays_of_any_shape_are_described(tmp_path):
    images = datasets.load(saved(tmp_path, x=np.ones((30, 4, 4, 3)), y=THREE))
    told = datasets.describe(images)
    assert [(one.name, one.role) for one in told.columns] == [
        ("x (4x4x3)", "feature"),
        ("y", "label"),
    ]
    assert told.class_counts == {0: 10, 1: 10, 2: 10}
    one_hot = datasets.load(saved(tmp_path, x=X, y=np.eye(3)[THREE]))
    assert [one.name for one in datasets.describe(one_hot).columns] == ["x0", "x1", "y (3)"]


@pytest.mark.parametrize("name", ["x", "y"])
def test_an_architecture_needs_rows_and_one_label(nnbench, tmp_path, name):
    arrays = {"x": X, "y": THREE, name: np.ones((30, 4, 4, 4, 4))}
    saved(tmp_path, **arrays)
    for command in ("run", "show", "train"):
        answer = nnbench(command, "6,6", "--data", "mine.npz")
        assert answer.returncode == 2
        told = {"x": "mine.npz is arrays, a row of it has", "y": "mine.npz: a row of y has"}[name]
        assert f"{told} shape (4, 4, 4, 4)" in answer.stderr
        assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("damage", ["no zip", "half", "objects", "other names", "pickle"])
def test_damaged_npz_files_are_one_line(tmp_path, damage):
    path = saved(tmp_path, x=X, y=THREE)
    whole = (tmp_path / "mine.npz").read_bytes()
    if damage == "no zip":
        (tmp_path / "mine.npz").write_bytes(b"PK nonsense")
    elif damage == "half":
        (tmp_path / "mine.npz").write_bytes(whole[: len(whole) // 2])
    elif damage == "objects":
        saved(tmp_path, x=np.array([{}] * 30, dtype=object), y=THREE)
    elif damage == "pickle":
        (tmp_path / "mine.npz").write_bytes(b"\x80\x04N.")
    else:
        saved(tmp_path, a=X, b=THREE)
    with pytest.raises(UserError) as caught:
        datasets.load(path)
    assert str(caught.value).startswith(path)
    assert "np.savez('mine.npz', x=..., y=...)" in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


OTHER_KINDS = {
    "complex": (X * 1j, r"x in it is of dtype <c16: .* \.real"),
    "dates": (X.astype("datetime64[s]"), r"dtype <M8\[s\]: astype\('datetime64"),
    "spans": (X.astype("timedelta64[s]"), r"dtype <m8\[s\]: astype\('timedelta64"),
    "bytes": (X.astype("S8"), r"dtype \|S8: numpy\.char\.decode"),
    "records": (np.zeros(3, [("a", "f8"), ("b", "i4")]), "structured_to_unstructured"),
    "objects": (np.array([1, 2.5, None], dtype=object), r"dtype \|O: astype\(float\)"),
}


@pytest.mark.parametrize(("made", "message"), OTHER_KINDS.values(), ids=OTHER_KINDS.keys())
def test_arrays_of_another_kind_are_named_with_what_makes_numbers_of_them(tmp_path, made, message):
    with pytest.raises(UserError, match=message) as caught:
        datasets.load(saved(tmp_path, x=made, y=THREE))
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("http://x.y/z.csv", "http://x.y/z.csv is not on this machine: download it"),
        ("synthetic:", "'synthetic:' says no size"),
        ("folder.py:load", "folder.py is a folder"),
        ("leaves.py:load", r"leaves.py cannot be imported: SystemExit: 0 \(leaves.py:1\)"),
    ],
)
def test_a_name_that_leads_to_no_data_says_why(tmp_path, monkeypatch, spec, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(UserError, match=message):
        datasets.load(spec)
