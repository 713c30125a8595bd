"""Counts of layers, compared with Keras' own and with what the backends count."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPARED = HERE.parents[1] / "benchmarks" / "counts" / "applications.py"
MODELS = """
import json, sys
import keras, numpy as np
from keras import layers
from nnbench.workload import architecture as arch
from nnbench.workload.counts.built import count

def family(text, shape):
    one = arch.parse(text)
    inputs = keras.Input(shape)
    hidden = one.kind.hidden(inputs, one.widths, "relu", one.knobs)
    made = keras.Model(inputs, layers.Dense(3)(hidden))
    made.compile("adam", "mse")
    return made, np.zeros((4, *shape), "float32")

FAMILIES = {
    "6x3": (5,), "residual:8x3": (5,), "conv:4x3": (8, 8, 2), "conv:4x2(norm=on)": (8, 8, 2),
    "conv1d:4x3": (10, 2), "separable:4x2": (8, 8, 2), "lstm:5x2": (6, 3), "gru:5x2": (6, 3),
    "lstm:5x1(bidirectional=on)": (6, 3), "transformer:8x2": (6, 3),
}
"""

ALL = (
    MODELS
    + """
for text, shape in FAMILIES.items():
    model, batch = family(text, shape)
    found = count(model, batch)
    assert found.parameters == model.count_params(), text
    assert not found.uncounted, (text, found.uncounted)
    assert found.backward_flops > found.forward_flops, text
    half = count(model, batch[:2])
    assert 2 * half.forward_flops == found.forward_flops, text
"""
)

TORCH = (
    MODELS
    + """
import torch
from torch.utils.flop_counter import FlopCounterMode

# Depthwise gradients, recurrent steps and fused attention are not what Torch's counter sees.
def attending(inputs):
    return layers.MultiHeadAttention(2, 3)(inputs, inputs, return_attention_scores=True)[0]

made = [family(text, FAMILIES[text]) for text in
        ("6x3", "residual:8x3", "conv:4x3", "conv:4x2(norm=on)", "conv1d:4x3")]
for shape, layer in (((5, 5, 3), layers.Conv2DTranspose(2, 3, strides=2)), ((6, 4), attending),
                     ((6, 4), layers.EinsumDense("abc,cd->abd", (None, 3)))):
    inputs = keras.Input(shape)
    made.append((keras.Model(inputs, layer(inputs)), np.zeros((2, *shape), "float32")))
for model, batch in made:
    text = [one.name for one in model.layers]
    found = count(model, batch)
    with FlopCounterMode(display=False) as forward:
        answer = model(torch.from_numpy(batch), training=True)
    with FlopCounterMode(display=False) as backward:
        answer.sum().backward()
    layers_of = found.layers
    assert sum(one.forward_products for one in layers_of) == forward.get_total_flops(), text
    assert sum(one.backward_products for one in layers_of) == backward.get_total_flops(), text
"""
)

DENSE = (
    MODELS
    + """
from nnbench.workload.counts import dense
for text in ("6x2", "4,9", "100x3"):
    model, batch = family(text, (5,))
    found = count(model, batch)
    known = dense.count(arch.parse(text), features=5, rows=4, outputs=3, output_activation="linear")
    for name in ("forward_flops", "backward_flops", "update_flops", "weight_bytes",
                 "optimizer_bytes", "activation_bytes"):
        assert getattr(found, name) == getattr(known, name), (text, name)
"""
)

ODD = (
    MODELS
    + """
class Own(layers.Layer):
    def call(self, inputs):
        return keras.ops.sin(inputs)

class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(4)
    def build(self, shape):
        self.inner.build(shape)
    def call(self, inputs):
        return inputs + self.inner(inputs)

shared = layers.Dense(4)
frozen = layers.Dense(4)
frozen.trainable = False
inputs = keras.Input((4,))
model = keras.Model(inputs, Own()(Block()(shared(shared(frozen(inputs))))))
model.compile("adam", "mse")
found = count(model, np.zeros((10, 4), "float32"))
product = 2 * 10 * 4 * 4
by_name = {one.name: one for one in found.layers}
assert found.parameters == 60 and found.trainable == 40, found
assert sorted(one.split()[0] for one in found.uncounted) == ["Block", "Own"], found.uncounted
lines = [one for one in found.layers if one.kind == "Dense"]
# Frozen: no gradient at all; then weights alone; then weights and inputs.
assert [one.backward_products for one in lines] == [0, product, 2 * product, 2 * product]
assert [one.parameters for one in lines] == [20, 20, 0, 20]

steps = layers.TimeDistributed(layers.Dense(7))
model = keras.Sequential([keras.Input((6, 4)), steps])
model.compile("adam", "mse")
assert count(model, np.zeros((3, 6, 4))).layers[0].forward_products == 2 * 3 * 6 * 4 * 7
"""
)


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_every_family_is_counted_whole(in_backend, backend):
    in_backend(backend, ALL)


def test_products_are_those_that_torch_counts(in_backend):
    in_backend("torch", TORCH)


def test_dense_networks_are_counted_as_without_keras(in_backend):
    in_backend("jax", DENSE)


def test_what_has_no_rule_is_named_and_shared_or_frozen_layers_are_counted_right(in_backend):
    in_backend("jax", ODD)


def test_every_layer_of_keras_has_a_rule_or_is_named(in_backend):
    in_backend("jax", (HERE / "layer_checks.py").read_text())


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_layers_in_layers_frozen_odd_and_small_are_counted_right(in_backend, backend):
    in_backend(backend, (HERE / "odd_counts.py").read_text())


@pytest.mark.long
def test_families_and_applications_agree_with_torch_and_xla():
    # The table of docs/counts.md, by the same script, has all of them.
    applications = ("MobileNet",)
    families = ("64x4", "conv:16x4(norm=on)", "separable:16x4", "lstm:32x2", "transformer:64x4")
    ran = subprocess.run(
        [sys.executable, COMPARED, *families, *applications], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-2000:]
    for one in (*families, *applications):
        assert f"`{one}`" in ran.stdout
    assert "comparisons that can be trusted" in ran.stdout
