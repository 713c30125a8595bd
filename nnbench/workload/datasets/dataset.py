"""What a loaded data set is: features, labels and where they come from."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data to train on, checked: finite float32 numbers, and labels that can be learned.

    `features` has shape (rows, width), `labels` (rows, 1); labels of a classification are
    0 and 1. `name` is the text that `load` understands, `source` one line for a person, and
    `digest` the SHA-256 (hexadecimal) of both arrays' shapes and little-endian bytes.
    """

    name: str
    task: str
    features: Array
    labels: Array
    feature_names: tuple[str, ...]
    label_name: str
    source: str
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            digest = hashlib.sha256()
            for array in (self.features, self.labels):
                digest.update(repr(array.shape).encode())
                digest.update(np.ascontiguousarray(array, dtype="<f4").ravel().data)
            object.__setattr__(self, "digest", digest.hexdigest())

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    @property
    def width(self) -> int:
        """Number of feature columns."""
        return len(self.feature_names)
