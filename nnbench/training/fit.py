"""The `fit` path: Keras' own `Model.fit`, what most people run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnbench.training import sources
from nnbench.workload.datasets import nest, streams
from nnbench.workload.datasets.nest import TrainingData

if TYPE_CHECKING:
    import keras


def fit(
    model: "keras.Model",
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    epochs: int,
    batch_size: int | None = None,
    shuffle: bool = True,
    callbacks: Sequence[Any] = (),
    validation_data: Any = None,
    source: str | None = None,
) -> list[float]:
    """Return the loss of every epoch, none where the model logs none; data as in `Model.fit`.

    They are nests of arrays, or `x` alone a stream, which makes its own batches. `batch_size` None
    trains on all rows at once, where Keras' own default would be 32. A `source` other than arrays
    (see `sources`) hands these on. Raises UserError for a stream, which no source hands on.
    """
    if source not in (None, sources.ARRAYS):
        whole = TrainingData(x, y, sample_weight, streams.kind_of(x) is not None)
        x = sources.made(source, whole, batch_size or nest.rows(x), shuffle=shuffle)
        y = sample_weight = None
        shuffle = False
    made = streams.kind_of(x)
    history = model.fit(
        x,
        y,
        sample_weight=sample_weight,
        epochs=epochs,
        batch_size=None if made else batch_size or nest.rows(x),
        # Of the streams only this one can be shuffled from outside.
        shuffle=shuffle and made in (None, streams.PY_DATASET),
        verbose=0,
        callbacks=list(callbacks),
        validation_data=validation_data,
    )
    return [float(loss) for loss in history.history.get("loss", ())]
