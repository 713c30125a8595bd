"""Values of new variables on JAX: those of Keras to the last bit, however XLA rounds."""

import json

import pytest
from projects import ROOT

COMPARED = """
import json, sys
import jax
import keras
import numpy as np
from nnbench.machine import keras_import
from nnbench.workload import initial_values

of = keras.initializers
DRAWING = (of.RandomNormal, of.RandomUniform, of.TruncatedNormal, of.GlorotNormal, of.GlorotUniform,
           of.HeNormal, of.HeUniform, of.LecunNormal, of.LecunUniform, of.Orthogonal)
MAKERS = {one.__name__: (lambda seed, one=one: one(seed=seed)) for one in DRAWING}
MAKERS |= {name: (lambda seed, name=name: of.VarianceScaling(1.7, "fan_avg", name, seed))
           for name in ("uniform", "truncated_normal", "untruncated_normal")}
MAKERS["moved"] = lambda seed: of.RandomNormal(0.3, 1.7, seed)
MAKERS["cut off and moved"] = lambda seed: of.TruncatedNormal(-0.3, 0.7, seed)
MAKERS["apart"] = lambda seed: of.RandomUniform(0.1, 3, seed)
MAKERS |= {name: (lambda seed, name=name: of.get(name)) for name in ("zeros", "ones", "identity")}
MAKERS["drawn on"] = lambda seed: of.GlorotUniform(keras.random.SeedGenerator(seed % 9))
MAKERS["of no seed"] = lambda seed: of.GlorotUniform()
SHAPES = (6, 6), (1, 7), (130, 70)


def drawn(number, make, seed, shape, dtype):
    keras_import.set_random_seed(number)
    return make(seed)(shape, dtype)


def same(theirs, ours):
    return theirs.dtype == ours.dtype and np.array_equal(
        np.asarray(theirs).view(np.uint8), np.asarray(ours).view(np.uint8))


apart, made = [], 0
for name, make in MAKERS.items():
    for number, shape in enumerate(SHAPES):
        # JAX makes no orthogonal matrix of bfloat16.
        for dtype in ("float32", "bfloat16")[: 2 if number == 0 and name != "Orthogonal" else 1]:
            seed = (2**32 - 1, 0, 2**31 + 5)[number]
            theirs = drawn(number, make, seed, shape, dtype)
            with initial_values.quick():
                ours = drawn(number, make, seed, shape, dtype)
            made += 1
            if not same(theirs, ours):
                apart.append([name, shape, dtype])
print(json.dumps([apart, made]))
"""

XLA = {
    "as XLA is": "",
    "without the fused product and sum": "--xla_cpu_max_isa=AVX",
    "hardly optimised": "--xla_backend_optimization_level=0",
}


@pytest.mark.parametrize("flags", XLA.values(), ids=XLA)
def test_every_initializer_draws_what_it_draws_by_itself(in_fresh_backend, monkeypatch, flags):
    monkeypatch.setenv("XLA_FLAGS", flags)
    apart, made = json.loads(in_fresh_backend("jax", COMPARED).splitlines()[-1])
    assert not apart
    assert made > 60


MODELS = """
import json, sys
sys.path.insert(0, {root!r})
from benchmarks.agreement import kinds
from nnbench.machine import keras_import
from nnbench.training.compiled.data import state_variables
from nnbench.workload import initial_values
import numpy as np


def values(name):
    keras_import.set_random_seed(3)
    model, given = kinds.KINDS[name]()
    model.optimizer.build(model.trainable_variables)
    groups = state_variables(model)
    return [np.asarray(one.value) for group in groups for one in group]


apart = []
for name in {names!r}:
    theirs = values(name)
    with initial_values.quick():
        ours = values(name)
    same = [mine.dtype == yours.dtype and mine.tobytes() == yours.tobytes()
            for mine, yours in zip(ours, theirs)]
    if len(ours) != len(theirs) or not all(same):
        apart.append(name)
print(json.dumps(apart))
"""

FAMILIES = (
    "dense:6x5",
    "residual:32x3(norm=on)",
    "conv:8x3(norm=on)",
    "separable:8x3",
    "lstm:16x1(bidirectional=on)",
    "gru:16x2",
    "transformer:16x2(heads=2) on tokens",
)


def test_networks_of_every_family_begin_with_the_weights_of_keras(in_backend):
    code = MODELS.format(root=str(ROOT), names=FAMILIES)
    assert json.loads(in_backend("jax", code).splitlines()[-1]) == []


PROGRAMS = """
import json, logging
import jax, keras
from nnbench.workload import initial_values

told = []
class Kept(logging.Handler):
    def emit(self, record):
        told.append(record.getMessage())
logging.getLogger("jax").addHandler(Kept())
jax.config.update("jax_log_compiles", True)

def build(widths):
    told.clear()
    keras.Sequential([keras.Input((5,)), *map(keras.layers.Dense, widths)])
    return sum("Finished XLA compilation" in one for one in told)

with initial_values.quick():
    build([3])
    ours = build([7, 8, 9, 10])
theirs = build([7, 8, 9, 10])
print(json.dumps([ours, theirs]))
"""


def test_no_program_is_compiled_for_a_new_shape_and_keras_is_as_before_afterwards(in_fresh_backend):
    ours, theirs = json.loads(in_fresh_backend("jax", PROGRAMS).splitlines()[-1])
    assert ours == 0
    assert theirs >= 8


UNKNOWN = """
import jax
from keras.src.backend import random
from nnbench.workload import initial_values

plain = random.uniform
jax.__version_info__ = (initial_values.NEWEST[0], initial_values.NEWEST[1] + 1, 0)
with initial_values.quick():
    print(random.uniform is plain)
"""


def test_a_jax_that_was_never_compared_draws_by_itself(in_fresh_backend):
    assert in_fresh_backend("jax", UNKNOWN).splitlines()[-1] == "True"
