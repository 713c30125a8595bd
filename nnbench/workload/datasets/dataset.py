"""What a loaded data set is, and how it looks, as plain data for a table."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.datasets import nest
from nnbench.workload.datasets.nest import Nest, TrainingData
from nnbench.workload.datasets.streams import Stream
from nnbench.workload.families import IMAGES, SEQUENCES, TABLE, TOKENS, USUAL_DATA

Array = npt.NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
TOO_LARGE = "too large for float32 (at most 3.4e38): use another unit"
MOST_TOKENS = 10_000_000
FIGURES = (np.mean, np.std, np.min, np.max)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data to train on, checked: finite float32 numbers, and labels that can be learned.

    `features` has shape (rows, width), `labels` (rows, 1), or (rows, n) for a task of n labels;
    labels of a classification are numbers of classes, from 0. `name` is the text that `load`
    understands, `source` one line for a person, of which `notes` say how the file was read, and
    `digest` the SHA-256 (hexadecimal) of all arrays' shapes and little-endian bytes.

    Arrays for a person's own model have any shape, and `features`, `labels` and `weights` (of
    samples) may each be a nest: arrays by name in a dict, by place in a list or tuple (see `nest`).
    `labels` may be None. Of a `stream` they are the first batch.
    """

    name: str
    task: str
    features: Nest
    labels: Nest
    feature_names: tuple[str, ...]
    label_name: str
    source: str
    digest: str = ""
    notes: tuple[str, ...] = ()
    vocabulary: int | None = None
    """Of tokens: their number; they go from 0 to one less."""
    label_names: tuple[str, ...] = ()
    """Of several labels a row, where they have names; `label_name` is all of them."""
    weights: Nest = None
    stream: Stream | None = None

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", self._digest())

    def _digest(self) -> str:
        digest = hashlib.sha256()
        if self.parts is not None:
            digest.update(self.parts.encode())
        if self.stream is not None:
            # Its batches may be others each time: what makes them says what they are.
            digest.update(repr(self.stream).encode())
            return digest.hexdigest()
        for part in self._all:
            for _, array in nest.leaves(part):
                digest.update(repr(array.shape).encode())
                digest.update(np.ascontiguousarray(array, dtype="<f4").ravel().data)
        return digest.hexdigest()

    @property
    def is_plain(self) -> bool:
        """Whether it is an array of features and one of labels, as architectures train on."""
        alone = self.stream is None and self.weights is None
        return alone and nest.is_plain(self.features) and nest.is_plain(self.labels)

    @property
    def training_data(self) -> TrainingData:
        """What `fit` is given; of a stream, its first batch."""
        return TrainingData(self.features, self.labels, self.weights)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stream.rows if self.stream else nest.rows(self.features)

    @property
    def parts(self) -> str | None:
        """Names and shapes of what `fit` is given where it is no array `x` with an array `y`."""
        if self.is_plain:
            return None
        told = (
            nest.described(part, name) for name, part in zip(nest.PARTS, self._all, strict=True)
        )
        named = ", ".join(filter(None, told))
        return f"{self.stream.kind}: {named}" if self.stream else named

    @property
    def _all(self) -> tuple[Nest, ...]:
        return self.features, self.labels, self.weights

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row of the features, where they are one array."""
        return tuple(self.features.shape[1:]) if nest.is_plain(self.features) else ()

    @property
    def kind(self) -> str:
        """`table`, `images`, `sequences` or `tokens`; `arrays` for what no family takes."""
        if self.vocabulary is not None:
            return TOKENS
        if not self.is_plain:
            return "arrays"
        return {0: TABLE, 1: TABLE, 2: SEQUENCES, 3: IMAGES}.get(len(self.shape), "arrays")

    def check_takes(self, network: Architecture) -> None:
        """Raise UserError unless an architecture can be trained on it, with the task's labels."""
        if self.parts is not None:
            raise UserError(
                f"{network} cannot be trained on {self.name} ({self.parts}): an architecture takes "
                "an array x and an array y; name your own model with --model"
            )
        if self.task == tasks.OWN:
            raise UserError(
                f"{network} cannot be trained on {self.name} as {tasks.OWN}: "
                "that is for your own model, named with --model"
            )
        wanted = tasks.label_shapes(self.task)
        if self.labels.shape[1:] not in wanted:
            raise UserError(
                f"{network} cannot be trained on {self.name}: a row of y has shape "
                f"{self.labels.shape[1:]}, not {wanted[0]} as {self.task} has; "
                "name your own model with --model"
            )
        if self.kind not in network.kind.takes:
            usual = USUAL_DATA[network.kind.takes[0]]
            raise UserError(
                f"{network} takes {' or '.join(network.kind.takes)}: {self.name} is {self.kind}, "
                f"a row of it has shape {self.shape}; try --data {usual}"
            )

    def taken_by(self, networks: Sequence[object]) -> Self:
        """The same as these networks take it, where arrays may be meant in more than one way.

        Whole numbers by rows are tokens to architectures that take tokens and no table. The rest is
        for architectures alone, since a person's own model gets its data as they are: rows of two
        sizes are images of one channel to architectures that take images and no sequences, bytes of
        images and sequences are scaled to 0 to 1, and other whole numbers become float32.
        """
        kinds = [set(one.kind.takes) for one in networks if isinstance(one, Architecture)]
        if not kinds or self.vocabulary is not None or not self.is_plain:
            return self
        x, notes = self.features, []
        words = self._vocabulary()
        if words and any(TOKENS in takes and TABLE not in takes for takes in kinds):
            told = f"x taken as tokens of a vocabulary of {words:,} (give floats for numbers)"
            return self._noted([told], vocabulary=words)
        if len(kinds) < len(networks):
            return self
        if len(self.shape) == 2 and any(IMAGES in one and SEQUENCES not in one for one in kinds):
            x = x[..., None]
            notes.append("x taken as images of one channel")
        if x.dtype == np.uint8 and len(self.shape) in (2, 3):
            x = x / np.float32(255)
            notes.append("x scaled from 0..255 to 0..1 (give floats to have them as they are)")
        if not notes and x.dtype == np.float32:
            return self
        return self._noted(notes, features=x.astype(np.float32, copy=False), digest="")

    def _vocabulary(self) -> int | None:
        """One more than the largest token, if whole numbers by rows can be tokens at all."""
        if self.features.dtype.kind not in "iu" or len(self.shape) != 1 or self.shape[0] < 2:
            return None
        least, most = int(self.features.min()), int(self.features.max())
        return most + 1 if least >= 0 and most < MOST_TOKENS else None

    def _noted(self, notes: list[str], **changed: Any) -> Self:
        """Changed, which its source line and its notes say."""
        names = self.feature_names
        if "features" in changed:
            names = tuple(f"x{i}" for i in range(changed["features"].shape[-1]))
        return replace(
            self,
            source="; ".join([self.source, *notes]),
            notes=(*self.notes, *notes),
            feature_names=names,
            **changed,
        )

    @property
    def width(self) -> int:
        """Number of feature columns."""
        return len(self.feature_names)


@dataclass(frozen=True)
class ColumnSummary:
    """One column, in the column's own unit; `sd` divides by the number of rows."""

    name: str
    role: str
    mean: float
    sd: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Description:
    """Columns (labels last), the first rows in order.

    Of a stream all but `rows` is of its first batch, which has `first_batch` rows.
    `class_counts` holds the rows of each class, or of several labels a row those that have each;
    None for a regression.
    """

    name: str
    task: str
    source: str
    rows: int
    digest: str
    columns: list[ColumnSummary]
    class_counts: dict[int, int] | None
    first_rows: list[tuple[float, ...]]
    first_batch: int | None = None


def describe(data: Dataset, *, first: int = 5) -> Description:
    """Summarise every column, count the classes and copy the first rows."""
    parts = _columns(data.features, data.feature_names, "feature")
    parts += _columns(data.labels, data.label_names or [data.label_name], "label")
    parts += _columns(data.weights, ["sample_weight"], "weight")
    columns = [
        ColumnSummary(name, role, *(float(figure(values)) for figure in FIGURES))
        for name, role, values in parts
    ]
    flat = [values[:first].tolist() for _, _, values in parts if values.ndim == 1]
    counts = _class_counts(data) if nest.is_plain(data.labels) else []
    return Description(
        name=data.name,
        task=data.task,
        source=data.source,
        rows=data.rows,
        digest=data.digest,
        columns=columns,
        class_counts=dict(enumerate(counts)) if counts else None,
        first_rows=list(zip(*flat, strict=True)),
        first_batch=data.stream.batch_rows if data.stream else None,
    )


def _class_counts(data: Dataset) -> list[int]:
    """Rows of each class, or that have each of several labels; none of numbers."""
    classes = tasks.classes(data.task) or 0
    fits = data.labels.shape[1:] in tasks.label_shapes(data.task)
    if fits and tasks.kind(data.task) in (tasks.MULTILABEL, tasks.ONE_HOT):
        return list(map(int, np.sum(data.labels, axis=0)))
    if not classes:
        return []
    return list(map(int, np.bincount(data.labels.astype(np.int64).ravel(), minlength=classes)))


def _columns(
    part: Nest, names: Sequence[str], role: str
) -> list[tuple[str, str, npt.NDArray[np.float64]]]:
    """The columns of an array with their names; others as a whole: images, one of several."""
    arrays = [(place, np.asarray(one, dtype=np.float64)) for place, one in nest.leaves(part)]
    if len(arrays) == 1 and not arrays[0][0]:
        values = arrays[0][1]
        columns = values.reshape(len(values), -1).T
        if len(columns) == len(names) and values.ndim < 3:
            return [(name, role, column) for name, column in zip(names, columns, strict=True)]
    found = []
    for place, values in arrays:
        shape = "x".join(map(str, values.shape[1:]))
        name = place or names[0].rstrip("0")
        found.append((f"{name} ({shape})" if shape else name, role, values))
    return found
