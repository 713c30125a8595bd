"""Models and data as people have them: each `build_` with the `load_` of the same name."""

import numpy as np

RANDOM = np.random.default_rng(0)
ROWS = 40
X = RANDOM.standard_normal((ROWS, 6)).astype("float32")
TOKENS = RANDOM.integers(0, 20, (ROWS, 5))
THREE = RANDOM.integers(0, 3, ROWS)
TRUTH = RANDOM.integers(0, 2, (ROWS, 1))


def dense(units, *more):
    from keras import layers

    return layers.Dense(units, *more)


def build_list():
    import keras

    left, right = keras.Input((6,)), keras.Input((6,))
    hidden = keras.layers.Concatenate()([left, dense(4)(right)])
    model = keras.Model([left, right], dense(1, "sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def load_list():
    return [X, X + 1], TRUTH


def build_outputs():
    import keras

    inputs = keras.Input((6,))
    hidden = dense(4, "relu")(inputs)
    outputs = {"kind": dense(3, "softmax")(hidden), "size": dense(1)(hidden)}
    model = keras.Model(inputs, outputs)
    loss = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    model.compile(keras.optimizers.AdamW(rate), loss, loss_weights={"kind": 1.0, "size": 0.1})
    return model


def load_outputs():
    return X, {"kind": THREE, "size": X[:, :1]}


def build_weighted(width=4, name="made", steps=1):
    import keras

    model = keras.Sequential([keras.Input((6,)), dense(width, "tanh"), dense(1)], name=name)
    model.compile("sgd", "mse", steps_per_execution=steps)
    return model


def load_weighted():
    return X, X[:, 0], np.linspace(0, 1, ROWS)


def build_uncompiled():
    import keras

    return keras.Sequential([keras.Input((6,)), dense(5, "relu"), dense(3, "softmax")])


def load_uncompiled():
    return X, THREE


def build_float():
    import keras

    made = [keras.layers.Dense(3, "softmax", dtype="float32")]
    return keras.Sequential([keras.Input((6,), dtype="float32"), *made])


def build_subclassed():
    import keras

    class Both(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedded, self.mixed = keras.layers.Embedding(20, 3), dense(4, "relu")
            self.out = dense(1, "sigmoid")

        def call(self, inputs):
            tokens = keras.ops.mean(self.embedded(inputs["tokens"]), axis=1)
            return self.out(keras.ops.concatenate([tokens, self.mixed(inputs["numbers"])], axis=1))

    model = Both()
    model.compile("rmsprop", "binary_crossentropy")
    return model


def load_subclassed():
    return {"numbers": X, "tokens": TOKENS}, TRUTH


def build_alone():
    import keras

    class Reconstructs(keras.Model):
        def __init__(self):
            super().__init__()
            self.into, self.out = dense(2, "relu"), dense(6)

        def call(self, x):
            made = self.out(self.into(x))
            self.add_loss(keras.ops.mean(keras.ops.square(made - x)))
            return made

    model = Reconstructs()
    model.compile("adam")
    return model


def load_alone():
    return X, None


def build_own_step():
    """On Torch alone; it logs no `loss`."""
    import keras

    class Steps(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = dense(6)

        def call(self, x):
            return self.out(x)

        def train_step(self, data):
            x = data[0] if isinstance(data, tuple) else data
            self.zero_grad()
            total = keras.ops.mean(keras.ops.square(self(x) - x))
            total.backward()
            gradients = [weight.value.grad for weight in self.trainable_weights]
            self.optimizer.apply(gradients, self.trainable_weights)
            return {"total": total}

    model = Steps()
    model.compile("adam")
    return model


load_own_step = load_alone


def build_tokens():
    import keras

    inputs = keras.Input((5,), dtype="int32")
    hidden = keras.layers.GRU(3)(keras.layers.Embedding(20, 4, mask_zero=True)(inputs))
    model = keras.Model(inputs, dense(3)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["sparse_categorical_accuracy"])
    return model


def load_tokens():
    return TOKENS, THREE


def build_mixed():
    """Sets what it wants for all of Keras, as people do."""
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    return build_weighted()


load_mixed = load_weighted


def build_streamed():
    model = build_uncompiled()
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def load_batches():
    import keras

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, number):
            rows = slice(16 * number, 16 * number + 16)
            return X[rows], THREE[rows]

    return Batches()


def load_loader():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.tensor(X), torch.tensor(THREE)), batch_size=16)


def load_tfdata():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, THREE)).shuffle(ROWS).batch(16)


def load_endless():
    return load_tfdata().repeat()


def load_two():
    return load_batches(), load_batches()


def build_fails():
    """Is made, but cannot be called."""
    import keras

    class Fails(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = dense(1)

        def call(self, x):
            return halved(self, x)

    model = Fails()
    model.compile("adam", "mse")
    return model


def halved(model, x):
    return model.uot(x) / 2


def build_no_loss():
    """Logs another name than `loss`."""
    import keras

    class Totals(keras.Sequential):
        def get_metrics_result(self):
            return {"total": super().get_metrics_result()["loss"]}

    model = Totals([keras.Input((6,)), dense(1)])
    model.compile("sgd", "mse")
    return model


def load_broken():
    return load_of("rows")


def load_of(what):
    raise KeyError(f"there are no {what}")


def build_broken(width: int = 3):
    return widened(width)


def widened(width):
    raise ValueError(f"no network is {width} wide")
