"""The `fit` path: Keras' own `Model.fit`, what most people run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


def fit(
    model: "keras.Model",
    features: NDArray[np.float32],
    labels: NDArray[np.float32],
    *,
    epochs: int,
    batch_size: int | None = None,
    shuffle: bool = True,
    callbacks: Sequence[Any] = (),
    validation_data: Any = None,
) -> list[float]:
    """Return the loss of every epoch; `features` is (rows, columns), `labels` (rows, 1).

    `batch_size` None trains on all rows at once, where Keras' own default would be 32.
    """
    history = model.fit(
        features,
        labels,
        epochs=epochs,
        batch_size=batch_size or len(features),
        shuffle=shuffle,
        verbose=0,
        callbacks=list(callbacks),
        validation_data=validation_data,
    )
    return [float(loss) for loss in history.history["loss"]]
