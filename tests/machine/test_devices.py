"""Starting Keras in a process of ours."""

import contextlib
import gc
import json
import sys

import pytest

from nnbench.machine import devices, garbage, keras_import

LONG = pytest.mark.long
TENSORFLOW, TORCH = (pytest.param(name, marks=LONG) for name in ("tensorflow", "torch"))


@pytest.mark.parametrize("backend", ["jax", TENSORFLOW, TORCH])
def test_keras_starts_without_what_training_has_no_use_for_and_it_can_be_had_later(
    in_fresh_backend, backend
):
    code = """
import sys, time
assert not {"matplotlib", "sklearn"} & set(sys.modules)
import keras, numpy as np
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0)
import matplotlib.pyplot, pandas
print(pandas.DataFrame({"a": [1]}).a[0], matplotlib.pyplot.__name__)
"""
    assert in_fresh_backend(backend, code).split() == ["1", "matplotlib.pyplot"]


@LONG
def test_tensorflow_starts_without_jax_and_scipy_which_are_there_afterwards(in_fresh_backend):
    code = """
import sys
spared = {"jax", "scipy", "IPython"} & set(sys.modules)
import jax.numpy, scipy.sparse
import numpy as np, tensorflow as tf
print(not spared, scipy.sparse.issparse(scipy.sparse.eye(2)), int(jax.numpy.arange(3).sum()))
"""
    assert in_fresh_backend("tensorflow", code).split() == ["True", "True", "3"]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_afterwards_as_before(enabled):
    collects = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with contextlib.suppress(ValueError), garbage.not_collected():
            assert not gc.isenabled()
            raise ValueError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if collects else gc.disable)()


def test_a_stand_in_tells_what_the_module_has_before_it_is_loaded(monkeypatch):
    stand_in = keras_import.Later("wave")
    monkeypatch.setitem(sys.modules, "wave", stand_in)
    assert "open" in dir(stand_in)
    assert sys.modules["wave"] is not stand_in


def test_what_is_put_off_is_there_when_it_is_asked_for(in_fresh_backend):
    code = """
import gc
import sys
import keras
from keras.src.backend.jax import nn
assert "requests" not in sys.modules
assert gc.isenabled()
put_off = {"scipy.sparse", "jax.experimental.sparse.linalg", "jax.experimental.pallas.tpu"}
put_off |= {"h5py", "rich.console", "keras.src.applications", "keras.src.datasets"}
assert not put_off & set(sys.modules), put_off & set(sys.modules)
print(nn.splash_attention_mask.CausalMask.__name__, nn.splash_attention_kernel.SegmentIds.__name__)
keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).summary(print_fn=str.lower)
keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save("saved.keras")
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask
assert splash_attention_mask.CausalMask is nn.splash_attention_mask.CausalMask
import jax.experimental.sparse
print(jax.experimental.sparse.linalg.spsolve.__name__)
import jax.experimental.sparse.linalg
print(keras.applications.ResNet50.__name__, "mnist" in dir(keras.datasets))
from keras import applications
from keras.applications.resnet50 import ResNet50
assert applications.ResNet50 is ResNet50
assert keras.datasets.mnist.load_data
assert put_off < set(sys.modules)
"""
    assert in_fresh_backend("jax", code).split() == [
        *("CausalMask", "SegmentIds", "spsolve"),
        *("ResNet50", "True"),
    ]


@LONG
def test_what_tensorflow_puts_off_is_there_when_it_is_asked_for(in_fresh_backend):
    code = """
import sys
import tensorflow as tf
asked = tf.compat.v1.placeholder
put_off = {"requests", *(f"tensorflow._api.v2.{name}" for name in ("compat.v1", "profiler", "tpu"))}
spared = put_off & set(sys.modules)
one = tf.raw_ops.AddV2(x=tf.compat.v1.ones([]), y=tf.compat.v2.constant(1.0))
import tensorflow.compat.v1 as first
import requests
kinds = first.train.AdamOptimizer, tf.lite.TFLiteConverter, tf.feature_column.numeric_column
more = tf.profiler.experimental.start, tf.tpu.experimental.initialize_tpu_system
more = *more, tf.debugging.experimental.enable_dump_debug_info
print(not spared, float(one), all(map(callable, (*kinds, *more, requests.get))))
print(asked is first.placeholder)
"""
    assert in_fresh_backend("tensorflow", code).split() == ["True", "2.0", "True", "True"]


SEEDED = """
import json, sys
from pathlib import Path
from nnbench.machine import keras_import
from nnbench.workload import architecture, datasets, keras_model
from nnbench.workload.case import Training
from nnbench.training import session
data = datasets.load("synthetic:rows=80,features=3")
found, model = session.train(architecture.parse("4"), Training(), data, epochs=2, seed=5)
session.save(found, model, Path("saved"))
more, _ = session.train(
    architecture.parse("4"), Training(), data, epochs=2, go_on_from=Path("saved"))
spared = "tensorflow" not in sys.modules
import keras
keras.utils.set_random_seed(5)
theirs = keras_model.build(architecture.parse("4"), Training(), (3,)).get_weights()
same = all((a == b).all() for a, b in zip(theirs, found.initial_weights))
import tensorflow
print(json.dumps([spared, same, len(more.losses), hasattr(tensorflow, "random")]))
"""


@pytest.mark.parametrize("backend", ["jax", TORCH])
def test_a_seed_and_a_saved_model_do_not_load_another_backend(in_fresh_backend, backend):
    answer = json.loads(in_fresh_backend(backend, SEEDED).splitlines()[-1])
    assert answer == [True, True, 4, True]


def test_a_backend_that_gives_no_answer_in_time_is_told_so(monkeypatch):
    monkeypatch.setattr(devices, "SURVEY_S", 0.01)
    found = devices.survey()
    told = [one.problem for one in found if one.version]
    assert told
    assert all("gave no answer within 0 s" in text and "b'" not in text for text in told)
