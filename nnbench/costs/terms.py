"""What a case consists of, counted: the columns of the cost model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnbench.case import Case
from nnbench.phases import BUILD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE


@dataclass(frozen=True)
class Term:
    """One kind of work: `unit` says what its coefficient is a cost of."""

    name: str
    unit: str


ONCE = Term("overhead", "s")
LAYER = Term("layers", "s per layer")
FLOP = Term("FLOPs", "s per FLOP")
ACTIVATION = Term("activations", "s per byte of activations")
WEIGHT = Term("weights", "s per byte of weights and optimizer state")
BATCH = Term("batches", "s per batch of an epoch")
DATA = Term("data", "s per byte of data")

TERMS: dict[str, tuple[Term, ...]] = {
    BUILD: (ONCE, LAYER, WEIGHT),
    PREPARE: (ONCE, LAYER, WEIGHT, DATA),
    TRACE: (ONCE, LAYER),
    COMPILE: (ONCE, LAYER, WEIGHT, ACTIVATION),
    FIRST_STEP: (ONCE, LAYER, FLOP, ACTIVATION, WEIGHT),
    STEP: (ONCE, LAYER, FLOP, ACTIVATION, WEIGHT),
    EPOCH: (ONCE, BATCH, DATA, LAYER),
}
"""The terms of each phase. Those of `epoch` are for what it costs beyond its steps."""

OVERHEADS = (ONCE, LAYER, BATCH)
"""What is paid whatever a layer's size; the other terms grow with the work."""


def count(case: Case, term: Term) -> float:
    """How much of a term is in a case (for steps: in one step)."""
    cost = case.step_cost
    assert cost is not None
    assert case.architecture is not None
    return {
        ONCE: 1.0,
        LAYER: case.architecture.depth + 1.0,
        FLOP: float(cost.forward_flops + cost.backward_flops),
        ACTIVATION: float(cost.activation_bytes),
        WEIGHT: float(cost.weight_bytes + cost.optimizer_bytes),
        BATCH: float(case.steps_per_epoch),
        DATA: 4.0 * case.rows * (case.features + 1),
    }[term]


def matrix(cases: Sequence[Case], phase: str) -> NDArray[np.float64]:
    """Counts of the phase's terms, shape (cases, terms)."""
    return np.array([[count(case, term) for term in TERMS[phase]] for case in cases])


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
