"""Networks that are no plain chain of Keras' layers; `test_counting.py` runs this in backends."""

import keras
import numpy as np
from keras import layers

from nnbench.workload.counts.built import count


def counted(outputs, inputs, batch, optimizer="adam"):
    model = keras.Model(inputs, outputs)
    if optimizer:
        model.compile(optimizer, "mse")
    found = count(model, batch)
    assert found.parameters == model.count_params()
    return found


class Twice(layers.Layer):
    """One step of a sequence, with a Dense layer inside."""

    def __init__(self):
        super().__init__()
        self.state_size = self.units = 5
        self.inner = layers.Dense(5)

    def build(self, shape):
        self.inner.build((None, shape[-1] + 5))

    def call(self, inputs, states):
        new = keras.ops.sin(self.inner(keras.ops.concatenate([inputs, states[0]], -1)))
        return new, [new]


steps, three = keras.Input((6, 4)), np.zeros((3, 6, 4), "float32")

# What is inside is counted for each step.
block = keras.Sequential([keras.Input((4,)), layers.Dense(7), layers.Dense(2)])
found = counted(layers.TimeDistributed(block)(steps), steps, three)
assert [one.forward_products for one in found.layers if one.kind == "Dense"] == [
    2 * 3 * 6 * 4 * 7,
    2 * 3 * 6 * 7 * 2,
], found
assert found.layers[-1].output == (3, 6, 2)
assert not found.uncounted

found = counted(layers.RNN(Twice())(steps), steps, three)
dense = next(one for one in found.layers if one.kind == "Dense")
assert dense.forward_products == 6 * 2 * 3 * 9 * 5, dense
assert dense.backward_products == 2 * dense.forward_products
assert [one.split()[0] for one in found.uncounted] == ["Twice"], found.uncounted

# Cells on top of each other: the first one's input alone needs no gradient.
stacked = layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(2)]))
(line,) = [one for one in counted(stacked(steps), steps, three).layers if one.kind == "RNN"]
first, others = 2 * 18 * 4 * 12, 2 * 18 * (3 * 12 + 3 * 6 + 2 * 6)
assert line.forward_products == first + others, line
assert line.backward_products == first + 2 * others, line

# Arguments count by name, not by place; several inputs; several outputs.
query, value = keras.Input((5, 4)), keras.Input((9, 4))
lines = [
    counted(made, [query, value], [np.zeros((2, 5, 4)), np.zeros((2, 9, 4))]).layers[-1]
    for made in (
        layers.MultiHeadAttention(2, 3)(query, value),
        layers.MultiHeadAttention(2, 3)(value=value, query=query),
    )
]
assert lines[0].forward_products == lines[1].forward_products > 0
shared = layers.Dense(8)(query)
both = {"a": layers.Dense(2)(shared), "b": layers.Dense(3)(shared)}
assert len(counted(both, query, np.zeros((2, 5, 4))).layers) >= 3

# A network in a network, called twice: its weights once, its work twice.
inner = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(4)], name="inner")
row = keras.Input((4,))
found = counted(inner(inner(row)), row, np.zeros((10, 4), "float32"))
lines = [one for one in found.layers if one.kind == "Dense"]
assert [one.parameters for one in lines] == [20, 20, 0, 0]
assert len({one.forward_flops for one in lines}) == 1
assert lines[0].name.startswith("inner/"), lines[0]

# A function of one's own: its product counts, it is named.
found = counted(layers.Dense(3, activation=lambda x: x * x)(row), row, np.zeros((2, 4)))
assert found.layers[-1].forward_products == 2 * 2 * 4 * 3
assert "its activation <lambda>" in found.uncounted[0], found.uncounted
found = counted(layers.Lambda(lambda x: x * x)(row), row, np.zeros((2, 4)))
assert found.uncounted[0].startswith("Lambda"), found.uncounted

# Nothing below the first trained layer is held but what enters it.
frozen = [layers.Dense(4, trainable=False) for _ in range(3)]
top = frozen[2](frozen[1](frozen[0](row)))
found = counted(layers.Dense(2)(layers.Flatten()(top)), row, np.zeros((10, 4), "float32"))
lines = [one for one in found.layers if one.kind == "Dense"]
assert [one.activation_bytes for one in lines] == [0, 0, 160, 80], lines
assert [one.backward_flops > 0 for one in lines] == [False, False, False, True]
assert found.optimizer_bytes == 2 * 4 * 10

# Numbers of two bytes; the optimizer inside one that scales the loss; without any.
small = layers.Dense(4, dtype="mixed_float16")
scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
found = counted(small(row), row, np.zeros((10, 4), "float32"), scaled)
assert found.layers[-1].activation_bytes == 2 * 40, found
assert found.layers[-1].weight_bytes == 4 * 20
assert (found.optimizer, found.update_flops) == ("Adam", 12 * 20), found
assert counted(small(row), row, np.zeros((10, 4), "float32"), None).update_flops == 0

# By channels first or last, convolutions back to a larger image.
image = keras.Input((5, 5, 3))
found = counted(layers.Conv2DTranspose(2, 3, strides=2)(image), image, np.zeros((2, 5, 5, 3)))
assert found.layers[-1].forward_products == 2 * 2 * 25 * 3 * 9 * 2

# Products of grouped convolutions.
eight = keras.Input((5, 5, 8))
for layer, grouped, groups in [
    (layers.Conv2D(6, 3), 0, 1),
    (layers.Conv2D(6, 3, groups=2), 2 * 2 * 9 * 6 * 9 * 4, 2),
    (layers.DepthwiseConv2D(3), 2 * 2 * 9 * 8 * 9, 8),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), 2 * 2 * 9 * 16 * 9, 8),
    (layers.SeparableConv2D(6, 3), 2 * 2 * 9 * 8 * 9, 8),
]:
    line = counted(layer(eight), eight, np.zeros((2, 5, 5, 8))).layers[-1]
    assert line.grouped_products == grouped, line
    assert line.ungrouped_products == groups * grouped, line
    if grouped:
        mixes = isinstance(layer, layers.SeparableConv2D)
        assert line.forward_products == grouped + mixes * 2 * 2 * 9 * 6 * 8, line
found = counted(layers.DepthwiseConv2D(3)(image[..., :1]), image, np.zeros((2, 5, 5, 3)))
assert found.layers[-1].grouped_products == 0, found

# A mask reaches recurrent layers, also within another and behind one that hands it on.
words = keras.Input((6,), dtype="int32")
for masks in (False, True):
    embedded = layers.Dropout(0.1)(layers.Embedding(9, 4, mask_zero=masks)(words))
    for layer in (layers.GRU(3), layers.Bidirectional(layers.LSTM(3))):
        lines = counted(layer(embedded), words, np.zeros((2, 6), "int32")).layers
        recurrent = [one for one in lines if one.kind in ("GRU", "LSTM")]
        assert recurrent, lines
        assert all(one.is_masked == masks for one in recurrent), lines
        assert not any(one.is_masked for one in lines if one not in recurrent), lines

# What is measured besides the loss: by name, of several outputs, by the model itself.
taken, first = keras.Input((4,)), np.zeros((10, 4), "float32")


class Measuring(keras.Model):
    """One with a mean of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.mine = keras.metrics.Mean(name="mine")


for kind, outputs, options, wanted in [
    (keras.Model, layers.Dense(1)(taken), {}, 0),
    (keras.Model, layers.Dense(1)(taken), {"weighted_metrics": ["mae"]}, 1),
    (keras.Model, layers.Dense(1)(taken), {"metrics": ["AUC", keras.metrics.Precision()]}, 5),
    (Measuring, layers.Dense(1)(taken), {"metrics": ["mae"], "weighted_metrics": ["mse"]}, 3),
    (keras.Model, [layers.Dense(1)(taken), layers.Dense(2)(taken)], {"metrics": [["mae"], []]}, 3),
]:
    model = kind(inputs=taken, outputs=outputs)
    model.compile("adam", "mse" if not isinstance(outputs, list) else ["mse", "mse"], **options)
    assert count(model, first).metrics == wanted, (options, count(model, first).metrics)
    rows = [np.zeros((10, one.shape[1]), "float32") for one in keras.tree.flatten(outputs)]
    model.train_on_batch(first, rows if len(rows) > 1 else rows[0])
    assert count(model, first).metrics == wanted, (options, "once trained")
