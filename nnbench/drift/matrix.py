"""The pairs of a study, gathered: one cell for each backend, policy and condition."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnbench.drift import plan
from nnbench.drift.metrics import Drift
from nnbench.drift.saved import Study


@dataclass(frozen=True)
class Cell:
    """What became of the pairs of all seeds; every figure is the worst of them.

    `drifts` and `seeds` go together. `first_epoch` is the earliest, None where no pair ever
    differed.
    """

    backend: str
    policy: str
    condition: str
    seeds: tuple[int, ...]
    drifts: tuple[Drift, ...]

    @property
    def pairs(self) -> int:
        """How many pairs stand behind it."""
        return len(self.drifts)

    @property
    def bitwise(self) -> int:
        """How many of them are equal in every bit, from the first weight to the last loss."""
        return sum(drift.bitwise for drift in self.drifts)

    @property
    def initial_equal(self) -> int:
        """How many of them start from equal weights."""
        return sum(drift.initial_equal for drift in self.drifts)

    @property
    def reproduced(self) -> bool:
        """Whether every pair is bitwise equal."""
        return self.bitwise == self.pairs

    @property
    def max_ulp(self) -> float:
        """Largest ULP distance of final weights."""
        return max(drift.max_ulp for drift in self.drifts)

    @property
    def median_ulp(self) -> float:
        """Median over pairs of the median ULP distance of final weights."""
        return float(np.median([drift.median_ulp for drift in self.drifts]))

    @property
    def relative_l2(self) -> float:
        """Largest relative L2 distance of final weights."""
        return max(drift.relative_l2 for drift in self.drifts)

    @property
    def loss_difference(self) -> float:
        """Largest difference of two losses at the same epoch."""
        return max(drift.loss_difference for drift in self.drifts)

    @property
    def disagreement(self) -> float:
        """Largest share of rows that the two networks answer differently."""
        return max(drift.disagreement for drift in self.drifts)

    @property
    def first_epoch(self) -> int | None:
        """Earliest epoch after which any pair differs."""
        found = [drift.first_epoch for drift in self.drifts if drift.first_epoch is not None]
        return min(found, default=None)

    @property
    def doubling_epochs(self) -> float | None:
        """Median of the doubling times of those pairs whose distance grows."""
        found = [drift.doubling_epochs for drift in self.drifts if drift.doubling_epochs]
        return float(np.median(found)) if found else None


def cells(study: Study) -> list[Cell]:
    """All cells of a study, in the order of its backends, policies and conditions."""
    gathered: dict[tuple[str, str, str], list[tuple[int, Drift]]] = {}
    for pair in study.pairs():
        key = pair.backend, pair.policy, pair.condition
        gathered.setdefault(key, []).append((pair.seed, study.drift(pair)))
    found = [
        Cell(*key, tuple(seed for seed, _ in pairs), tuple(drift for _, drift in pairs))
        for key, pairs in gathered.items()
    ]
    wanted = study.specification
    columns = conditions(found)
    return sorted(
        found,
        key=lambda cell: (
            wanted["backends"].index(cell.backend),
            wanted["policies"].index(cell.policy),
            columns.index(cell.condition),
        ),
    )


def conditions(found: Sequence[Cell]) -> list[str]:
    """The columns of the matrix: repeats first, then what was varied."""
    names = list(dict.fromkeys(cell.condition for cell in found))
    return [name for name in plan.CONDITIONS if name in names] + [
        name for name in names if name not in plan.CONDITIONS
    ]


def cell_of(found: Sequence[Cell], backend: str, policy: str, condition: str) -> Cell | None:
    """The cell of a backend, policy and condition, if there is one."""
    for cell in found:
        if (cell.backend, cell.policy, cell.condition) == (backend, policy, condition):
            return cell
    return None


def ulps(count: float) -> str:
    """A number of ULPs, for a person: `3 ULP`, `2.1e+09 ULP`."""
    if not np.isfinite(count):
        return "not finite"
    return f"{count:,.0f} ULP" if count < 1e5 else f"{count:.1e} ULP"


def brief(cell: Cell) -> tuple[str, str]:
    """A cell in two short lines: whether it is bitwise, and if not how far, from when on."""
    if cell.reproduced:
        return "bitwise", f"{cell.pairs} of {cell.pairs}"
    if not all(drift.comparable for drift in cell.drifts):
        return "other shapes", ""
    start = "from the start" if cell.first_epoch == 0 else f"from epoch {cell.first_epoch}"
    equal = f", {cell.bitwise} of {cell.pairs} bitwise" if cell.bitwise else ""
    return ulps(cell.max_ulp), f"{start}, {cell.disagreement:.1%}{equal}"
