"""Keras' applications on images of 32x32, as models of one's own."""

import numpy as np
from numpy.typing import NDArray

ROWS, CLASSES = 256, 10


def build(name: str = "MobileNetV2"):  # type: ignore[no-untyped-def]
    """One of them, with weights that nothing has learned."""
    import keras

    made = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=CLASSES)
    made.compile("adam", "sparse_categorical_crossentropy")
    return made


def load() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images and classes, of no meaning."""
    drawn = np.random.default_rng(0)
    images = drawn.random((ROWS, 32, 32, 3), dtype=np.float32)
    return images, drawn.integers(0, CLASSES, ROWS)
