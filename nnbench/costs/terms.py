"""What a case consists of, counted: the columns of the cost model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnbench.phases import BUILD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE
from nnbench.workload.case import Case

FIRST_EPOCH = "first_epoch"
"""On the `fit` path: from the call of `fit` to the end of its first epoch."""


@dataclass(frozen=True)
class Term:
    """One kind of work: `unit` says what its coefficient is a cost of."""

    name: str
    unit: str


ONCE = Term("overhead", "s")
LAYER = Term("layers", "s per layer")
FLOP = Term("FLOPs", "s per FLOP")
ROW = Term("rows in layers", "s per row and layer")
HIDDEN = Term("inputs of hidden layers", "s per byte")
ACTIVATION = Term("activations", "s per byte")
SPILL = Term("beyond the cache", "s per byte")
WEIGHT = Term("weights, optimizer", "s per byte")
BATCH = Term("batches", "s per batch")
BATCH_LAYER = Term("batches: layers", "s per layer and batch")
SHUFFLED = Term("shuffled rows", "s per row")
DATA = Term("data", "s per byte")
MINI = Term("mini-batches", "s")
MINI_LAYER = Term("mini-batches: layers", "s per layer")
SMALLER = Term("smaller last batch", "s")
SMALLER_LAYER = Term("smaller batch: layers", "s per layer")
"""These two count only where an epoch's last batch is smaller; mini-batches and shuffled rows only
on a compiled path, whose program then shuffles."""


@dataclass(frozen=True)
class Cache:
    """What activations overflow: all of a step together or, with `single`, each layer's alone.

    XLA has one block of memory for a step; others ask for each tensor, large ones anew each time.
    """

    size_bytes: float = math.inf
    single: bool = False

    def spilled_bytes(self, case: Case) -> float:
        """Activations of one step that do not fit."""
        cost = case.step_cost
        assert cost is not None
        assert case.architecture is not None
        if not self.single:
            return max(0.0, cost.activation_bytes - self.size_bytes)
        layers = [4.0 * case.batch_rows * width for width in case.architecture.widths]
        return sum(one for one in layers if one > self.size_bytes)


NO_CACHE = Cache()

WORK = (FLOP, ROW, HIDDEN, ACTIVATION, SPILL, WEIGHT)
"""A product of a narrow layer is not worth its FLOPs: each of its rows costs something, and so does
each value it reads from another hidden layer (the first one reads the data's few). Activations
beyond a `Cache` come from a slower memory, and on some systems from fresh pages each time."""

TERMS: dict[str, tuple[Term, ...]] = {
    BUILD: (ONCE, LAYER, WEIGHT),
    PREPARE: (ONCE, LAYER, WEIGHT, DATA),
    TRACE: (ONCE, LAYER, MINI, MINI_LAYER, SMALLER, SMALLER_LAYER, FLOP, ACTIVATION, WEIGHT),
    COMPILE: (ONCE, LAYER, MINI, MINI_LAYER, SMALLER, SMALLER_LAYER, WEIGHT, ACTIVATION),
    FIRST_STEP: (ONCE, LAYER, FLOP, ACTIVATION, WEIGHT),
    STEP: (ONCE, LAYER, SHUFFLED, *WORK),
    EPOCH: (ONCE, LAYER, DATA, BATCH, BATCH_LAYER, SHUFFLED, *WORK),
    FIRST_EPOCH: (ONCE, LAYER, SMALLER, SMALLER_LAYER),
}
"""A trace that runs the network along, as Torch's does, costs its work, too. `first_epoch` is what
comes beyond its phases and a steady epoch's other steps, such as compiling again for a smaller
last batch; a compiled path's one program has both batches, in `trace` and `compile`."""

OVERHEADS = (
    *(ONCE, LAYER, BATCH, BATCH_LAYER, MINI, MINI_LAYER, SMALLER, SMALLER_LAYER),
    *(ROW, SHUFFLED, DATA),
)
"""What is paid however wide the layers are; the other terms grow with their width."""


def rows_of_last_batch(case: Case) -> int:
    """Rows in the last batch of an epoch, which may be a full one."""
    return case.rows - (case.steps_per_epoch - 1) * case.batch_rows


def counts(case: Case, phase: str, cache: Cache = NO_CACHE) -> dict[Term, float]:
    """How much of each term is in a case: in one step, or for `epoch` in all its steps."""
    cost = case.step_cost
    assert cost is not None
    assert case.architecture is not None
    layers = case.architecture.depth + 1.0
    batches = float(case.steps_per_epoch)
    steps, rows = (batches, case.rows) if phase == EPOCH else (1.0, case.batch_rows)
    # A smaller last batch does as much less as it has rows less.
    full_steps = rows / case.batch_rows
    smaller = float(rows_of_last_batch(case) < case.batch_rows)
    if phase in (TRACE, COMPILE) and case.path == "fit":
        smaller = 0.0
    mini = float(case.path == "compiled" and batches > 1)
    return {
        ONCE: 1.0,
        LAYER: layers,
        FLOP: full_steps * (cost.forward_flops + cost.backward_flops),
        ROW: rows * layers,
        HIDDEN: 4.0 * rows * sum(case.architecture.widths[:-1]),
        ACTIVATION: full_steps * cost.activation_bytes,
        SPILL: full_steps * cache.spilled_bytes(case),
        WEIGHT: steps * (cost.weight_bytes + cost.optimizer_bytes),
        BATCH: batches,
        BATCH_LAYER: batches * layers,
        SHUFFLED: mini * rows,
        MINI: mini,
        MINI_LAYER: mini * layers,
        DATA: 4.0 * case.rows * (case.features + 1),
        SMALLER: smaller,
        SMALLER_LAYER: smaller * layers,
    }


def matrix(cases: Sequence[Case], phase: str, cache: Cache = NO_CACHE) -> NDArray[np.float64]:
    """Counts of the phase's terms, shape (cases, terms)."""
    rows = [counts(case, phase, cache) for case in cases]
    return np.array([[row[term] for term in TERMS[phase]] for row in rows])


AXES = ("depth", "width", "rows in a batch", "batches in an epoch")


def position(case: Case) -> NDArray[np.float64]:
    """A case on `AXES`: their log2, the width as the geometric mean of the layers'."""
    assert case.architecture is not None
    depth, width = np.log2(case.architecture.depth), np.log2(case.architecture.widths).mean()
    return np.array([depth, width, np.log2(case.batch_rows), np.log2(case.steps_per_epoch)])
