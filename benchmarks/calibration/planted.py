"""Copies of nnbench whose trainings do a known amount of extra work in every step.

The extra work is a real one: matrix products on the way through the network, compiled with it,
whose result enters the loss with weight 0 in a way no compiler may drop. A copy is a folder with
the package in it; a worker started there imports the copy.
"""

import shutil
from pathlib import Path

import nnbench

PATCH = '''

_build_without_extra_work = build
EXTRA_PRODUCTS = {repeats}


def build(architecture: Architecture, training: Training, features: int) -> "keras.Sequential":
    """The network, with so many extra products of {size} x {size} in every step."""
    import keras
    import numpy as np

    class ExtraWork(keras.layers.Layer):
        def build(self, shape):
            self.state = self.add_weight(
                shape=({size}, {size}), initializer="zeros", trainable=False
            )
            self.factor = np.full(({size}, {size}), 1e-3, dtype="float32")

        def call(self, inputs, training=False):
            # A loop, because its turns cost alike: XLA fuses products written one after another.
            value = keras.ops.fori_loop(
                0,
                EXTRA_PRODUCTS,
                lambda _, value: keras.ops.matmul(value, self.factor) + 1e-3,
                self.state + 1.0,
            )
            # Kept as state, so that the work can neither be dropped nor moved out of the step.
            self.state.assign(value * 1e-6)
            return inputs

    plain = _build_without_extra_work(architecture, training, features)
    if not EXTRA_PRODUCTS:
        return plain
    model = keras.Sequential(
        [keras.Input((features,)), *plain.layers[:-1], ExtraWork(), plain.layers[-1]]
    )
    model.compile(
        optimizer=_optimizer(training.optimizer),
        loss=training.loss,
        jit_compile=JIT_COMPILE[training.jit],
    )
    return model
'''


def copy_package(folder: Path, *, size: int = 0, repeats: int = 0) -> Path:
    """Copy the package into `folder`, with `repeats` extra products of size x size in each step.

    Without repeats the copy is the very same code. Returns the folder.
    """
    source = Path(nnbench.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(source, folder / "nnbench", ignore=ignored)
    if repeats:
        network = folder / "nnbench" / "workload" / "keras_model.py"
        patch = PATCH.replace("{size}", str(size)).replace("{repeats}", str(repeats))
        network.write_text(network.read_text() + patch)
    return folder
