"""Pieces of many kinds of networks, in a backend: `test_pieces.py` runs this."""

import keras
import numpy as np
from keras import layers

from nnbench.measure import piece_models
from nnbench.workload.counts import sequence

EAGERLY = keras.backend.backend() != "jax"
"""What is checked is the same with a compiler, which takes long, but for JAX without one longer."""

# Of some weights a gradient is by chance what it would be without them.
keras.utils.set_random_seed(1)
rows = np.random.default_rng(0)
X = rows.standard_normal((8, 6)).astype("float32")
TOKENS = rows.integers(0, 9, (8, 5))
IMAGES = rows.random((8, 6, 6, 2)).astype("float32")


def branches():
    inputs = keras.Input((6,))
    left, right = layers.Dense(5, "relu")(inputs), layers.Dense(5)(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.Add()([left, right]))), X


def shared():
    inputs, twice = keras.Input((6,)), layers.Dense(6, "tanh")
    return keras.Model(inputs, layers.Dense(1)(twice(twice(inputs)))), X


def nested():
    inputs = keras.Input((6,))
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.Dropout(0.5)], name="in")
    return keras.Sequential([inputs, inner, layers.Dense(3)]), X


def several():
    numbers, tokens = keras.Input((6,)), keras.Input((5,), dtype="int32")
    read = layers.GRU(4)(layers.Embedding(9, 3, mask_zero=True)(tokens))
    joined = layers.Concatenate()([layers.Dense(4)(numbers), read])
    outputs = {"one": layers.Dense(2)(joined), "other": layers.Dense(1)(joined * 2)}
    return keras.Model([numbers, tokens], outputs), [X, TOKENS]


def images():
    return keras.Sequential(
        [
            *(keras.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.BatchNormalization()),
            *(layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2)),
        ]
    ), IMAGES


class Own(keras.Model):
    """Its graph is nowhere: it calls what it likes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4), layers.Dense(4)
        self.joined = layers.Dense(2)

    def call(self, x):
        both = keras.ops.relu(self.first(x)) + self.second(x)
        self.add_loss(keras.ops.mean(both))
        return self.joined(both)


def own():
    return Own(), X


NAMES = {
    branches: ["dense", "dense_1", "add", "dense_2"],
    shared: ["dense", "dense", "dense_1"],
    nested: ["in/dense", "in/dropout", "dense_1"],
    several: [
        "embedding",
        "not_equal",
        "dense",
        "gru",
        "concatenate",
        "dense_1",
        "multiply",
        "dense_2",
    ],
    images: ["conv2d", "batch_normalization", "re_lu", "max_pooling2d", "flatten", "dense"],
    own: ["dense", "dense_1", "dense_2"],
}


def values(structure):
    return [keras.ops.convert_to_numpy(one) for one in keras.tree.flatten(structure)]


for make, names in NAMES.items():
    keras.utils.clear_session()
    model, x = make()
    model(x)
    called = sequence.of_model(model, x)
    assert sorted(one.name for one in called) == sorted(names), [one.name for one in called]
    last = len(names)
    for count, forward_only in ((1, True), (last // 2, False), (last, False)):
        model, x = make()
        model.compile("adam", "mse")
        expected = values(model(x, training=True) if make is not own else model(x))
        some = sequence.of_model(model, x)[:count]
        piece = piece_models.Cut(model, some, forward_only=forward_only)
        piece.compile(piece_models.without_learning(model), run_eagerly=EAGERLY)
        mine = {id(w) for one in some for w in getattr(one.layer, "trainable_variables", [])}
        assert {id(one) for one in piece.trainable_variables} == {
            id(piece.shift),
            *(mine if not forward_only else ()),
        }
        if count == last:
            made = values(piece(x))
            for one in expected:
                alike = [m for m in made if m.shape == one.shape]
                # What drops out does so anew.
                assert alike
                assert make is nested or any(np.allclose(one, m, atol=1e-5) for m in alike)
        if make is nested and count == 2 and not forward_only:
            # A step drops out, so its pieces do: about half of what is made.
            assert 0.2 < np.mean(values(piece(x))[0] == 0) < 0.8
        before = values(piece.trainable_variables)
        piece.fit(x, np.zeros((8, 1)), batch_size=8, verbose=0)
        assert int(piece.optimizer.iterations) == 1
        # Learning rates are 0, and every weight of the piece had a gradient all the same.
        assert all(map(np.array_equal, before, values(piece.trainable_variables)))
        slots = [one for one in piece.optimizer.variables if "momentum" in one.path]
        assert len(slots) == len(before)
        assert all(np.abs(one).max() > 0 for one in values(slots)), (make, count)

for make, name, shapes in (
    (images, "batch_normalization", [(3,), (3,)]),
    (several, "gru", [(2, 12), (3, 12), (4, 12)]),
    (several, "embedding", [(9, 3)]),
    (branches, "add", []),
    (shared, "dense", [(6,), (6, 6)]),
):
    keras.utils.clear_session()
    model, x = make()
    model.compile("adam", "mse")
    one = [one for one in sequence.of_model(model, x) if one.name == name][-1]
    handed = piece_models._handed(model, one, x)[0]
    piece = piece_models.Alone(model, one, x)
    piece.compile(piece_models.without_learning(model), run_eagerly=EAGERLY)
    held = [w.shape for w in piece.non_trainable_weights]
    given = [tuple(each.shape) for each in keras.tree.flatten(handed) if each is not None]
    assert all(shape in held for shape in given), (name, held, given)
    mine = sorted(tuple(w.shape) for w in piece.trainable_weights)
    assert mine == sorted([(), *shapes]), (name, mine)
    made = values(piece(x))
    assert [m.shape for m in made] == one.call.outputs, (name, made)
    piece.fit(x, np.zeros((8, 1)), batch_size=8, verbose=0)
    slots = [one for one in piece.optimizer.variables if "momentum" in one.path]
    assert len(slots) == 1 + len(shapes)
    # Where layers with weights come before, what it is given has a gradient, too: that of `shift`
    # is then not only what every piece has. What is normalised does not change by it.
    shift = next(float(np.sum(one)) for one in values(slots) if one.shape == ())
    reached = one.call.on_trained and make is not images
    assert (abs(shift - 0.1) > 1e-4) == reached, (name, shift)

model, x = images()
model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)), "mse")
for number, count in ((1, 2), (2, 2), (6, 2)):
    piece = piece_models.Update(sequence.of_model(model, x)[:number])
    piece.compile(keras.optimizers.Adam(0.0), run_eagerly=EAGERLY)
    piece.fit(x, np.zeros((8, 1)), batch_size=8, verbose=0)
    slots = [one for one in piece.optimizer.variables if "momentum" in one.path]
    assert len(slots) == 1 + count
    assert all(np.allclose(one, 0.1) for one in values(slots)), values(slots)
