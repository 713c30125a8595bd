"""What hands arrays to `fit`: the arrays themselves, a `tf.data.Dataset`, or a `PyDataset`.

The same rows in batches of the same size, shuffled anew in every epoch where that is wanted: only
the order is another draw. Keras' own code for arrays is a fourth, on some backends `tf.data` too.
"""

from typing import Any

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.workload.case import SOURCES
from nnbench.workload.datasets import nest
from nnbench.workload.datasets.nest import TrainingData

ARRAYS, TF_DATA, PY_DATASET = SOURCES


def made(source: str, data: TrainingData, batch_rows: int, *, shuffle: bool) -> Any:
    """What `fit` is given as `x`, over batches of so many rows of arrays.

    Raises UserError for a stream, and for `tf.data` where TensorFlow is not installed.
    """
    if data.is_stream:
        raise UserError(f"the data make their own batches: {source} cannot hand them on")
    make = {TF_DATA: _tf_data, PY_DATASET: _py_dataset}[source]
    return make(data, batch_rows, shuffle)


def _tf_data(data: TrainingData, batch_rows: int, shuffle: bool) -> Any:
    devices.check_installed("tensorflow")
    import keras
    import tensorflow as tf

    # Lists become tuples: of a list of arrays this would make one array.
    parts = keras.tree.lists_to_tuples(_parts(data))
    rows = tf.data.Dataset.from_tensor_slices(parts)
    if shuffle:
        rows = rows.shuffle(data.rows)
    return rows.batch(batch_rows).prefetch(tf.data.AUTOTUNE)


def _py_dataset(data: TrainingData, batch_rows: int, shuffle: bool) -> Any:
    import keras
    import numpy as np

    parts, order = _parts(data), np.arange(data.rows)

    class Rows(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return -(-len(order) // batch_rows)

        def __getitem__(self, number: int) -> Any:
            chosen = order[number * batch_rows : (number + 1) * batch_rows]
            return nest.mapped(lambda array: array[chosen], parts)

        def on_epoch_begin(self) -> None:
            if shuffle:
                np.random.default_rng().shuffle(order)

    return Rows()


def _parts(data: TrainingData) -> Any:
    """A batch's parts as `fit` takes them in one: `x` alone, or with targets and weights."""
    given = [one for one in data.arguments if one is not None]
    return tuple(given) if len(given) > 1 else (data.x,)
