"""Data that make their batches as they are trained on: what they are is told by their classes.

`tf.data.Dataset`, `keras.utils.PyDataset` and Torch's `DataLoader` go to `Model.fit` as they are.
They cannot be sent to another process: each makes its own by a person's function.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nnbench.errors import UserError
from nnbench.workload import user_code

TF_DATASET, PY_DATASET = "tf.data.Dataset", "keras.utils.PyDataset"
CLASSES = {
    ("tensorflow", "DatasetV2"): TF_DATASET,
    ("keras", "PyDataset"): PY_DATASET,
    ("torch", "DataLoader"): "torch.utils.data.DataLoader",
}
"""The package and name of a class that each of them has among its bases."""


@dataclass(frozen=True)
class Stream:
    """A data set that makes its batches while it is trained on.

    `kind` is what it is, such as `tf.data.Dataset`; it was passed over once to count `rows` and
    `batches`, and its first batch has `batch_rows`; `code` is the digest of the file of the
    function that makes it, None for one of a module.
    """

    kind: str
    rows: int
    batches: int
    batch_rows: int
    code: str | None = None


def kind_of(made: Any) -> str | None:
    """What kind of stream it is, None for anything else."""
    for base in type(made).__mro__:
        if kind := CLASSES.get((base.__module__.partition(".")[0], base.__name__)):
            return kind
    return None


def counted(reference: str, made: Any, kind: str) -> tuple[Stream, tuple[Any, ...]]:
    """Pass over a stream once; what was counted, and its first batch as x, y and weights.

    Raises UserError for one that has no end, no batches, or fails.
    """
    rows, batches, first = 0, 0, None
    try:
        for batch in _batches(reference, made, kind):
            parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
            first = parts if first is None else first
            rows, batches = rows + _rows(parts[0]), batches + 1
    except UserError:
        raise
    except Exception as failure:
        raise UserError(f"{reference} failed: {user_code.reason(failure)}") from failure
    if first is None or not rows:
        raise UserError(f"{reference} made a {kind} without batches")
    if len(first) > 3:
        raise UserError(f"a batch of {reference} has {len(first)} parts: (x, y, sample_weight)")
    return Stream(kind, rows, batches, _rows(first[0])), (*first, None)[: max(2, len(first))]


def _batches(reference: str, made: Any, kind: str) -> Iterator[Any]:
    """One pass over it, as `fit` makes one."""
    if kind == TF_DATASET and int(made.cardinality()) == -1:
        raise UserError(f"{reference} made a {kind} without an end: leave repeat() out or take(n)")
    if kind != PY_DATASET:
        yield from made
        return
    if made.num_batches is None:
        raise UserError(f"{reference} made a {kind} without an end: give it a length")
    for number in range(made.num_batches):
        yield made[number]


def _rows(part: Any) -> int:
    """Rows of the first array or tensor of a nest."""
    while not hasattr(part, "shape"):
        part = next(iter(part.values() if isinstance(part, dict) else part))
    return int(part.shape[0])
