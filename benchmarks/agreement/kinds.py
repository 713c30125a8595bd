"""Small models as people have them, beside the families: what each keeps, draws or weighs.

Each function returns a compiled model and the arguments of `fit`; Keras must have been started.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nnbench.workload import architecture, datasets, keras_model
from nnbench.workload.case import Training

Made = tuple[Any, dict[str, Any]]

FAMILIES = {
    "dense:6x5": {"data": "banknotes"},
    "dense:64x3": {"data": "banknotes"},
    "residual:32x3": {"data": "banknotes"},
    "residual:32x3(norm=on)": {"data": "banknotes"},
    "conv:8x3": {"data": "digits"},
    "conv:8x3(norm=on)": {"data": "digits"},
    "conv:8x2(pool=0)": {"data": "digits"},
    "conv:8x3(norm=on) with tanh": {"data": "digits", "activation": "tanh"},
    "conv1d:8x3": {"data": "waves"},
    "conv1d:8x3(norm=on)": {"data": "waves"},
    "separable:8x3": {"data": "digits"},
    "separable:8x3(norm=on)": {"data": "digits"},
    "lstm:16x2": {"data": "waves"},
    "lstm:16x1(bidirectional=on)": {"data": "waves"},
    "gru:16x2": {"data": "waves"},
    "gru:16x2(bidirectional=on)": {"data": "synthetic:tokens=16,vocabulary=50,rows=200"},
    "transformer:16x2(heads=2)": {"data": "waves"},
    "transformer:16x2(heads=2) on tokens": {"data": "synthetic:tokens=16,vocabulary=50,rows=200"},
}
"""Networks of every family; the first `ROWS` of data are trained on."""

ROWS = 80
"""Rows of a family's data: 2 batches of 32 and one of 16."""

KINDS: dict[str, Callable[[], Made]] = {}


def kind(name: str) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Enter a model into the table under a name."""

    def enter(build: Callable[[], Made]) -> Callable[[], Made]:
        KINDS[name] = build
        return build

    return enter


def _family(text: str, data: str, activation: str = "relu") -> Made:
    loaded = datasets.load(data)
    network = architecture.parse(text.split(" ")[0])
    model = keras_model.build(
        network, Training(task=loaded.task, activation=activation), loaded.shape, loaded.vocabulary
    )
    chosen = np.random.default_rng(0).permutation(loaded.rows)[:ROWS]
    return model, {"x": loaded.features[chosen], "y": loaded.labels[chosen]}


for text, given in FAMILIES.items():
    KINDS[text] = functools.partial(_family, text, **given)


def _numbers(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def _classes(count: int, rows: int) -> Any:
    return np.random.default_rng(2).integers(0, count, rows)


def _tokens(rows: int = 100, steps: int = 10, vocabulary: int = 40) -> Any:
    made = np.random.default_rng(3).integers(1, vocabulary, (rows, steps))
    for row, length in enumerate(np.random.default_rng(4).integers(1, steps + 1, rows)):
        made[row, length:] = 0
    return made


@kind("inputs by name")
def _inputs_by_name() -> Made:
    import keras
    from keras import layers

    numbers = keras.Input((6,), name="numbers")
    words = keras.Input((3,), dtype="int32", name="words")
    embedded = layers.Flatten()(layers.Embedding(20, 4)(words))
    both = layers.Concatenate()([layers.Dense(8, "relu")(numbers), embedded])
    model = keras.Model({"numbers": numbers, "words": words}, layers.Dense(1, "sigmoid")(both))
    model.compile("adam", "binary_crossentropy", metrics=["AUC"])
    x = {"numbers": _numbers(100, 6), "words": _tokens(100, 3, 20)}
    return model, {"x": x, "y": _classes(2, 100)}


@kind("inputs in a list")
def _inputs_in_a_list() -> Made:
    import keras
    from keras import layers

    both = [keras.Input((4,)), keras.Input((4,))]
    shared = layers.Dense(8, "tanh")
    made = layers.Multiply()([shared(one) for one in both])
    model = keras.Model(both, layers.Dense(1)(made))
    model.compile("rmsprop", "mse")
    return model, {"x": [_numbers(100, 4), _numbers(100, 4, seed=5)], "y": _numbers(100, 1)}


@kind("outputs with loss weights")
def _outputs_with_loss_weights() -> Made:
    import keras
    from keras import layers

    inputs = keras.Input((6,))
    made = layers.Dense(16, "relu")(inputs)
    ends = {
        "which": layers.Dense(3, "softmax", name="which")(made),
        "much": layers.Dense(1, name="much")(made),
    }
    model = keras.Model(inputs, ends)
    model.compile(
        "adam",
        {"which": "sparse_categorical_crossentropy", "much": "mse"},
        loss_weights={"which": 1.0, "much": 0.3},
        metrics={"which": ["accuracy"], "much": ["mae"]},
    )
    y = {"which": _classes(3, 100), "much": _numbers(100, 1, seed=6)}
    return model, {"x": _numbers(100, 6), "y": y}


@kind("outputs in a list, sample weights")
def _outputs_in_a_list() -> Made:
    import keras
    from keras import layers

    inputs = keras.Input((6,))
    made = layers.Dense(16, "relu")(inputs)
    ends = [layers.Dense(1, name="one")(made), layers.Dense(2, name="two")(made)]
    model = keras.Model(inputs, ends)
    model.compile("adam", ["mse", "mae"], loss_weights=[0.5, 2.0])
    y = [_numbers(100, 1), _numbers(100, 2)]
    weights = [np.linspace(0.1, 2, 100), np.linspace(2, 0.1, 100)]
    return model, {"x": _numbers(100, 6), "y": y, "sample_weight": weights}


@kind("mixed bfloat16")
def _mixed_bfloat16() -> Made:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", dtype="mixed_bfloat16"),
            layers.BatchNormalization(dtype="mixed_bfloat16"),
            layers.Flatten(),
            layers.Dense(16, "relu", dtype="mixed_bfloat16"),
            layers.Dense(3, dtype="float32"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model, {"x": _numbers(100, 8, 8, 1), "y": _classes(3, 100)}


@kind("masks, bidirectional")
def _masks() -> Made:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((10,), dtype="int32"),
            layers.Embedding(40, 8, mask_zero=True),
            layers.Bidirectional(layers.GRU(8)),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return model, {"x": _tokens(), "y": _classes(2, 100)}


@kind("masks, a loss at each step")
def _masked_steps() -> Made:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((10, 4)),
            layers.Masking(),
            layers.LSTM(8, return_sequences=True),
            layers.TimeDistributed(layers.Dense(1)),
        ]
    )
    model.compile("adam", "mse", weighted_metrics=["mae"])
    x = _numbers(100, 10, 4) * (_tokens() > 0)[..., None].astype("float32")
    return model, {"x": x, "y": x.sum(axis=-1, keepdims=True)}


@kind("attention with a mask")
def _masked_attention() -> Made:
    import keras
    from keras import layers

    inputs = keras.Input((10,), dtype="int32")
    made = layers.Embedding(40, 8, mask_zero=True)(inputs)
    seen = layers.MultiHeadAttention(2, 4)(made, made)
    made = layers.LayerNormalization()(made + seen)
    outputs = layers.Dense(3)(layers.GlobalAveragePooling1D()(made))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["sparse_categorical_accuracy"])
    return model, {"x": _tokens(), "y": _classes(3, 100)}


@kind("dropout")
def _dropout() -> Made:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, "relu"),
            layers.Dropout(0.3),
            layers.GaussianNoise(0.1, seed=3),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return model, {"x": _numbers(100, 6), "y": _numbers(100, 1)}


@kind("recurrent dropout")
def _recurrent_dropout() -> Made:
    import keras
    from keras import layers

    recurrent = layers.LSTM(8, dropout=0.2, recurrent_dropout=0.2)
    model = keras.Sequential([keras.Input((10, 4)), recurrent, layers.Dense(1)])
    model.compile("adam", "mse")
    return model, {"x": _numbers(100, 10, 4), "y": _numbers(100, 1)}


@kind("images turned at random")
def _augmented() -> Made:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1, seed=2),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, {"x": _numbers(100, 8, 8, 1), "y": _classes(3, 100)}


@kind("moving statistics, momentum")
def _batch_normalisation() -> Made:
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    made = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    made = layers.ReLU()(layers.BatchNormalization()(made))
    after = layers.Conv2D(4, 3, padding="same", use_bias=False)(made)
    after = layers.BatchNormalization()(after)
    made = layers.ReLU()(layers.Add()([made, after]))
    model = keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(made)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    return model, {"x": _numbers(100, 8, 8, 3), "y": _classes(5, 100)}


@kind("spectral normalisation")
def _spectral() -> Made:
    import keras
    from keras import layers

    inner = layers.SpectralNormalization(layers.Dense(16, "relu"))
    model = keras.Sequential(
        [keras.Input((6,)), inner, layers.UnitNormalization(), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model, {"x": _numbers(100, 6), "y": _numbers(100, 1)}


@kind("frozen layers")
def _frozen() -> Made:
    import keras
    from keras import layers

    base = keras.Sequential(
        [keras.Input((6,)), layers.Dense(16, "relu"), layers.BatchNormalization()], name="base"
    )
    base.trainable = False
    inputs = keras.Input((6,))
    still = layers.Dense(8, "tanh", trainable=False)
    model = keras.Model(inputs, layers.Dense(1)(still(base(inputs))))
    model.compile("adam", "mse")
    return model, {"x": _numbers(100, 6), "y": _numbers(100, 1)}


@kind("recurrent state between batches")
def _stateful() -> Made:
    import keras
    from keras import layers

    inputs = keras.Input(batch_shape=(25, 6, 2))
    made = layers.GRU(6, stateful=True, return_sequences=True)(inputs)
    made = layers.LSTM(6, stateful=True)(made)
    model = keras.Model(inputs, layers.Dense(1)(made))
    model.compile("adam", "mse")
    return model, {"x": _numbers(100, 6, 2), "y": _numbers(100, 1), "batch_size": 25}


@kind("seeds and add_loss, subclassed, not built")
def _vae() -> Made:
    import keras
    from keras import layers, ops

    class Sampling(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seeds = keras.random.SeedGenerator(7)

        def call(self, given: Any) -> Any:
            mean, spread = given
            noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
            return mean + ops.exp(0.5 * spread) * noise

    class Autoencoder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = layers.Dense(16, "relu")
            self.mean, self.spread = layers.Dense(3), layers.Dense(3)
            self.sampling = Sampling()
            self.decoder = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(12, "sigmoid")])
            self.divergence = keras.metrics.Mean(name="divergence")

        def call(self, x: Any, training: bool = False) -> Any:
            made = self.encoder(x)
            mean, spread = self.mean(made), self.spread(made)
            each = ops.sum(1 + spread - ops.square(mean) - ops.exp(spread), axis=1)
            found = -0.5 * ops.mean(each)
            self.add_loss(0.01 * found)
            self.divergence.update_state(found)
            return self.decoder(self.sampling([mean, spread]))

    model = Autoencoder()
    model.compile("adam", "binary_crossentropy")
    x = np.random.default_rng(0).random((100, 12), dtype=np.float32)
    return model, {"x": x, "y": x}


@kind("no targets")
def _no_targets() -> Made:
    import keras
    from keras import layers, ops

    class Reconstructs(layers.Layer):
        def call(self, given: Any) -> Any:
            x, made = given
            self.add_loss(ops.mean(ops.square(x - made)))
            return made

    inputs = keras.Input((6,))
    made = layers.Dense(6)(layers.Dense(3, "tanh")(inputs))
    model = keras.Model(inputs, Reconstructs()([inputs, made]))
    model.compile("adam")
    return model, {"x": _numbers(100, 6)}


@kind("images as targets")
def _images_as_targets() -> Made:
    import keras
    from keras import layers

    same = {"strides": 2, "padding": "same"}
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", **same),
            layers.Conv2DTranspose(4, 3, activation="relu", **same),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    x = np.random.default_rng(0).random((100, 8, 8, 1), dtype=np.float32)
    return model, {"x": x, "y": x}


@kind("own loss and metric")
def _own_loss() -> Made:
    import keras
    from keras import layers, ops

    def focal(y: Any, p: Any) -> Any:
        p, y = ops.clip(p, 1e-6, 1 - 1e-6), ops.cast(y, p.dtype)
        return ops.mean(-y * (1 - p) ** 2 * ops.log(p) - (1 - y) * p**2 * ops.log(1 - p), axis=-1)

    class Hits(keras.metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="hits")
            self.count = self.add_variable((), initializer="zeros", name="count")

        def update_state(self, y: Any, p: Any, sample_weight: Any = None) -> None:
            y, p = ops.cast(y, "float32"), ops.cast(p > 0.5, "float32")
            self.count.assign(self.count + ops.sum(y * p))

        def result(self) -> Any:
            return self.count / 100

    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(16, "tanh"), layers.Dense(1, "sigmoid")]
    )
    model.compile("nadam", focal, metrics=[Hits(), "precision"])
    return model, {"x": _numbers(100, 6), "y": _classes(2, 100)[:, None]}


@kind("own compute_loss")
def _own_compute_loss() -> Made:
    import keras
    from keras import layers, ops

    class Weighed(keras.Model):
        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            found = ops.mean(ops.square(y - y_pred)) + 0.1 * ops.mean(ops.abs(y_pred))
            self.tracker.update_state(found)
            return found

        @property
        def metrics(self) -> Any:
            return [*super().metrics, self.tracker]

    inputs = keras.Input((6,))
    model = Weighed(inputs, layers.Dense(1)(layers.Dense(8, "relu")(inputs)))
    model.tracker = keras.metrics.Mean(name="tracked")
    model.compile("adam")
    return model, {"x": _numbers(100, 6), "y": _numbers(100, 1)}


@kind("own train_step")
def _own_train_step() -> Made:
    import keras
    from keras import layers

    inputs = keras.Input((6,))
    outputs = layers.Dense(1)(layers.BatchNormalization()(layers.Dense(8, "relu")(inputs)))
    model = _own_steps()[keras.backend.backend()](inputs, outputs)
    model.compile(keras.optimizers.Adam(0.003), "mse", metrics=["mae"])
    return model, {"x": _numbers(100, 6), "y": _numbers(100, 1)}


def _own_steps() -> dict[str, Any]:
    """Models that write their step themselves, as Keras' guides do for each backend."""
    import keras

    class OnTensorFlow(keras.Model):
        def train_step(self, data: Any) -> Any:
            import tensorflow as tf

            x, y = data
            with tf.GradientTape() as tape:
                found = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=found)
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, found)
            return {metric.name: metric.result() for metric in self.metrics}

    class OnJax(keras.Model):
        def train_step(self, state: Any, data: Any) -> Any:
            import jax

            trainable, other, slots, counts = state
            x, y = data

            def loss_of(trainable: Any, other: Any) -> Any:
                found, other = self.stateless_call(trainable, other, x, training=True)
                return self.compute_loss(x, y, found), (found, other)

            gradient = jax.value_and_grad(loss_of, has_aux=True)
            (loss, (found, other)), gradients = gradient(trainable, other)
            trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
            logs, kept = {}, []
            for metric in self.metrics:
                mine = counts[len(kept) : len(kept) + len(metric.variables)]
                given = (loss,) if metric.name == "loss" else (y, found)
                mine = metric.stateless_update_state(mine, *given)
                logs[metric.name] = metric.stateless_result(mine)
                kept += mine
            return logs, (trainable, other, slots, kept)

    class OnTorch(keras.Model):
        def train_step(self, data: Any) -> Any:
            import torch

            x, y = data
            self.zero_grad()
            found = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=found)
            loss.backward()
            weights = self.trainable_weights
            with torch.no_grad():
                self.optimizer.apply([one.value.grad for one in weights], weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, found)
            return {metric.name: metric.result() for metric in self.metrics}

    return {"tensorflow": OnTensorFlow, "jax": OnJax, "torch": OnTorch}


@kind("schedule, clipping, decay, class weights")
def _schedule() -> Made:
    import keras
    from keras import layers

    rate = keras.optimizers.schedules.CosineDecay(0.01, 100)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(16, "gelu", kernel_regularizer="l2"), layers.Dense(3)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, clipnorm=0.5, weight_decay=0.01), loss)
    given = {"x": _numbers(100, 6), "y": _classes(3, 100)}
    return model, {**given, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}
