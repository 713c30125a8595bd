"""The pairs of a study, gathered: one cell for each backend, policy and condition."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    def relative_l2(self) -> float:
        """Largest relative L2 distance of final weights."""
        return max(drift.relative_l2 for drift in self.drifts)

    @property
    def disagreement(self) -> float:
        """Largest share of rows that the two networks answer differently."""
        return max(drift.disagreement for drift in self.drifts)

    @property
    def first_epoch(self) -> int | None:
        """Earliest epoch after which any pair differs."""
        found = [drift.first_epoch for drift in self.drifts if drift.first_epoch is not None]
        return min(found, default=None)


def cells(study: Study) -> list[Cell]:
    """All cells of a study, in the order of its backends, policies and conditions."""
    gathered: dict[tuple[str, str, str], list[tuple[int, Drift]]] = {}
    for pair in study.pairs:
        key = pair.backend, pair.policy, pair.condition
        gathered.setdefault(key, []).append((pair.seed, study.drift(pair)))
    found = [
        Cell(*key, tuple(seed for seed, _ in pairs), tuple(drift for _, drift in pairs))
        for key, pairs in gathered.items()
    ]
    wanted, columns = study.specification, conditions(found)
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
    key = backend, policy, condition
    return next(
        (cell for cell in found if (cell.backend, cell.policy, cell.condition) == key), None
    )
