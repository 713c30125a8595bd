"""Keras' own data sets by name, read from Keras' folder; none of these tests downloads anything."""

import gzip
import json
import struct

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.workload import datasets
from nnbench.workload.datasets import from_keras

NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")


def clothes(folder, rows):
    """Files as Keras keeps those of fashion_mnist, of which it checks no hash."""
    folder.mkdir(parents=True)
    images = (np.arange(rows * 28 * 28) % 256).astype(np.uint8)
    labels = (np.arange(rows) % 10).astype(np.uint8)
    for part in ("train", "t10k"):
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4i", 2051, rows, 28, 28) + images.tobytes())
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">2i", 2049, rows) + labels.tobytes())
    return images.reshape(rows, 28, 28, 1), labels


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "keras" / "datasets"


@pytest.mark.long
def test_what_keras_keeps_is_read(home, nnbench):
    images, labels = clothes(home / "fashion-mnist", 40)
    data = datasets.load("keras:fashion_mnist,rows=30")
    assert (data.kind, data.task) == ("images", "classification-10")
    assert data.name == "keras:fashion_mnist,rows=30"
    assert np.array_equal(data.features, images[:30] / np.float32(255))
    assert np.array_equal(data.labels.ravel(), labels[:30])
    assert "the first 30 of 60,000 training rows" in data.source
    short = nnbench("data", "show", "keras:fashion_mnist")
    assert short.returncode == 2
    assert "cannot be had (its copy has 40 rows)" in short.stderr
    listed = json.loads(nnbench("data", "list", "--json").stdout)
    origins = {one["name"]: one["origin"] for one in listed}
    assert origins["keras:fashion_mnist"] == "Keras' copy"
    assert origins["keras:mnist"] == "to be downloaded"


def test_what_cannot_be_downloaded_is_one_line(home, nnbench):
    answer = nnbench("run", "conv:8", "--data", "keras:mnist")
    assert answer.returncode == 2
    first, problem = answer.stderr.strip().splitlines()
    assert first == "keras:mnist,rows=2000: keras.datasets downloads it"
    assert "keras:mnist,rows=2000 cannot be had (URL fetch failure" in problem
    assert f"copy mnist.npz from Keras' folder there into {home}" in problem


NAMED = {
    "nothing": ("keras:", "'keras:' is not known: there are keras:mnist, "),
    "unknown": ("keras:imbd", "did you mean keras:imdb"),
    "another size": ("keras:mnist,length=9", "'length=9' .* write keras:mnist,rows=2000"),
    "no number": ("keras:imdb,rows=all", "'rows=all' .* write keras:imdb,length=80,vocab"),
    "twice": ("keras:mnist,rows=9,rows=8", "'rows=8' in .* is not understood"),
    "too many": ("keras:mnist,rows=60001", "rows=60001 of keras:mnist goes from 2 to 60000"),
    "no words": ("keras:imdb,vocabulary=3", "goes from 10 to"),
}


@pytest.mark.parametrize(("text", "told"), NAMED.values(), ids=NAMED.keys())
def test_names_that_are_not_understood(text, told):
    with pytest.raises(UserError, match=told):
        datasets.load(text)


def test_they_have_no_columns_and_a_task_of_their_own():
    with pytest.raises(UserError, match="keras:mnist has no columns to choose"):
        datasets.load("keras:mnist", label="y")
    with pytest.raises(UserError, match="is data for classification-10, not for regression"):
        datasets.load("keras:mnist", task="regression")


EACH = """
import json, os
import keras, numpy as np
from nnbench.machine import npz
from nnbench.workload import datasets
from nnbench.workload.datasets import from_keras

draw = np.random.default_rng(0)


def given(name, **options):
    rows = 40
    if name in ("imdb", "reuters"):
        words = options["num_words"]
        x = np.array([list(draw.integers(1, words, 3 + row)) for row in range(rows)], dtype=object)
        return x, draw.integers(0, 2 if name == "imdb" else 46, rows)
    if name == "california_housing":
        return draw.normal(1000, 300, (rows, 8)), draw.uniform(15_000, 500_000, rows)
    shape = (28, 28) if name.endswith("mnist") else (32, 32, 3)
    y = draw.integers(0, 100 if name == "cifar100" else 10, (rows, *[1] * name.startswith("c")))
    return draw.integers(0, 256, (rows, *shape)).astype(np.uint8), y.astype(np.uint8)


def read(recipe):
    from_keras.answer(recipe.name, "data.npz")
    return npz.read("data.npz")


from_keras._arrays = read
for name in from_keras.KNOWN:
    module = getattr(keras.datasets, name)
    module.load_data = lambda name=name, **options: ((given(name, **options)), (None, None))
found = {}
for name, known in from_keras.KNOWN.items():
    data = datasets.load(f"keras:{name},rows=30")
    found[name] = {
        "kind": data.kind, "task": data.task, "shape": [data.rows, *data.shape],
        "labels": list(data.labels.shape), "vocabulary": data.vocabulary, "source": data.source,
        "least": float(data.features.min()), "most": float(data.features.max()),
        "mean": float(data.features.mean()), "most_label": float(data.labels.max()),
        "known": [known.kind, known.task, *known.shape], "dtype": str(data.features.dtype),
        "columns": len(data.feature_names),
    }
short = datasets.load("keras:imdb,length=5,vocabulary=20,rows=30")
found["short"] = {"rows": short.features[:4].tolist(), "vocabulary": short.vocabulary}
print(json.dumps(found))
"""


def test_each_is_of_its_kind_task_and_scale(in_backend):
    found = json.loads(in_backend("jax", EACH))
    short = found.pop("short")
    assert set(found) == set(from_keras.KNOWN)
    for one in found.values():
        assert [one["kind"], one["task"], *one["shape"][1:]] == one["known"]
        assert one["labels"] == [30, 1]
        assert one["columns"] == one["shape"][-1]
        if one["kind"] == "images":
            assert 0 <= one["least"] < 0.01 < 0.99 < one["most"] <= 1
        elif one["kind"] == "tokens":
            assert (one["vocabulary"], one["dtype"]) == (10_000, "int32")
            assert "the last 80 words of each, of the 10,000 most frequent" in one["source"]
            # Rows are shorter than 80: filled in front with zeros.
            assert (one["least"], one["most"] < 10_000) == (0, True)
        else:
            assert one["most_label"] <= 5
            assert abs(one["mean"]) < 1e-5
            assert "features standardised" in one["source"]
    assert short["vocabulary"] == 20
    assert [row.count(0) for row in short["rows"]] == [2, 1, 0, 0]
