"""The models that all Keras entries train."""

import os

import numpy as np

from benchmarks.peers import task as peers
from nnbench.machine import devices, keras_import
from nnbench.workload import keras_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Training


def start(backend):
    devices.start(backend, "cpu", int(os.environ["NNBENCH_PEER_THREADS"]))
    # Keras' own imports TensorFlow, whatever the backend.
    keras_import.set_random_seed(0)


def model(task, **compiling):
    import keras

    if task.family == "dense":
        made = keras_model.build(Architecture(task.widths), Training(), task.x.shape[1:])
        loss = "binary_crossentropy"
    else:
        inputs = keras.Input(task.x.shape[1:])
        hidden = globals()[f"_{task.family}"](inputs)
        made = keras.Model(inputs, keras.layers.Dense(task.classes)(hidden))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(peers.RATE), loss=loss, **compiling)
    return made


def parameters(made):
    return sum(int(np.prod(weights.shape)) for weights in made.trainable_weights)


def _convnet(made):
    from keras import layers

    for filters in (peers.FILTERS, 2 * peers.FILTERS):
        made = layers.Conv2D(filters, 3, padding="same", activation="relu")(made)
        made = layers.MaxPooling2D()(made)
    return layers.Flatten()(made)


def _resnet(made):
    from keras import layers

    def normed(made):
        made = layers.Conv2D(peers.FILTERS, 3, padding="same", use_bias=False)(made)
        return layers.BatchNormalization()(made)

    made = layers.ReLU()(normed(made))
    for _ in range(peers.RESIDUAL_BLOCKS):
        inner = normed(layers.ReLU()(normed(made)))
        made = layers.ReLU()(layers.Add()([made, inner]))
    return layers.GlobalAveragePooling2D()(made)


def _lstm(made):
    from keras import layers

    return layers.LSTM(peers.UNITS)(made)


def _gru(made):
    from keras import layers

    return layers.GRU(peers.UNITS)(made)


def _transformer(made):
    from keras import initializers, layers

    # Keras takes the heads for places of a filter, and so other limits than for a square matrix.
    limit = (3 / peers.WIDTH) ** 0.5
    uniform = initializers.RandomUniform(-limit, limit)
    made = layers.Dense(peers.WIDTH)(made) + peers.sines(made.shape[1])
    for _ in range(peers.ENCODER_BLOCKS):
        seen = layers.LayerNormalization()(made)
        attention = layers.MultiHeadAttention(
            peers.HEADS, peers.WIDTH // peers.HEADS, kernel_initializer=uniform
        )
        made = made + attention(seen, seen)
        seen = layers.LayerNormalization()(made)
        made = made + layers.Dense(peers.WIDTH)(layers.Dense(peers.INNER, "relu")(seen))
    return layers.GlobalAveragePooling1D()(layers.LayerNormalization()(made))
