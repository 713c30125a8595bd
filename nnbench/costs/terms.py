"""What a case consists of, counted: the columns of the cost model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnbench.case import Case
from nnbench.phases import BUILD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE

FIRST_EPOCH = "first_epoch"
"""On the `fit` path: from the call of `fit` to the end of its first epoch."""


@dataclass(frozen=True)
class Term:
    """One kind of work: `unit` says what its coefficient is a cost of.

    Those of a smaller last batch are there only where the last batch of an epoch is smaller.
    """

    name: str
    unit: str


ONCE = Term("overhead", "s")
LAYER = Term("layers", "s per layer")
FLOP = Term("FLOPs", "s per FLOP")
ACTIVATION = Term("activations", "s per byte")
WEIGHT = Term("weights, optimizer", "s per byte")
BATCH = Term("batches", "s per batch")
DATA = Term("data", "s per byte")
SMALLER = Term("smaller last batch", "s")
SMALLER_LAYER = Term("smaller batch: layers", "s per layer")

TERMS: dict[str, tuple[Term, ...]] = {
    BUILD: (ONCE, LAYER, WEIGHT),
    PREPARE: (ONCE, LAYER, WEIGHT, DATA),
    TRACE: (ONCE, LAYER, SMALLER_LAYER),
    COMPILE: (ONCE, LAYER, SMALLER_LAYER, WEIGHT, ACTIVATION),
    FIRST_STEP: (ONCE, LAYER, FLOP, ACTIVATION, WEIGHT),
    STEP: (ONCE, LAYER, FLOP, ACTIVATION, WEIGHT),
    EPOCH: (ONCE, BATCH, DATA, LAYER),
    FIRST_EPOCH: (ONCE, LAYER, SMALLER, SMALLER_LAYER),
}
"""The terms of each phase.

Those of `epoch` are for what it costs beyond its steps, those of `first_epoch` for what it costs
beyond its first step's phases and a steady epoch's other steps: where a backend compiles again
for a smaller last batch, that is here. A compiled path has both batches in its one program, so
there it is in `trace` and `compile`.
"""

OVERHEADS = (ONCE, LAYER, BATCH, SMALLER, SMALLER_LAYER)
"""What is paid whatever a layer's size; the other terms grow with the work."""


def rows_of_last_batch(case: Case) -> int:
    """Rows in the last batch of an epoch, which may be a full one."""
    return case.rows - (case.steps_per_epoch - 1) * case.batch_rows


def count(case: Case, term: Term, phase: str) -> float:
    """How much of a term is in a case (for steps: in one step)."""
    cost = case.step_cost
    assert cost is not None
    assert case.architecture is not None
    layers = case.architecture.depth + 1.0
    smaller = float(rows_of_last_batch(case) < case.batch_rows)
    if phase in (TRACE, COMPILE) and case.path == "fit":
        smaller = 0.0
    return {
        ONCE: 1.0,
        LAYER: layers,
        FLOP: float(cost.forward_flops + cost.backward_flops),
        ACTIVATION: float(cost.activation_bytes),
        WEIGHT: float(cost.weight_bytes + cost.optimizer_bytes),
        BATCH: float(case.steps_per_epoch),
        DATA: 4.0 * case.rows * (case.features + 1),
        SMALLER: smaller,
        SMALLER_LAYER: smaller * layers,
    }[term]


def matrix(cases: Sequence[Case], phase: str) -> NDArray[np.float64]:
    """Counts of the phase's terms, shape (cases, terms)."""
    return np.array([[count(case, term, phase) for term in TERMS[phase]] for case in cases])


AXES = ("depth", "width", "rows in a batch", "batches in an epoch")


def place(case: Case) -> NDArray[np.float64]:
    """Where a case lies: log2 of `AXES`, the width as the geometric mean of the layers'."""
    assert case.architecture is not None
    widths = np.log2(case.architecture.widths)
    return np.array(
        [
            np.log2(case.architecture.depth),
            widths.mean(),
            np.log2(case.batch_rows),
            np.log2(case.steps_per_epoch),
        ]
    )
