"""The pairs of a study, gathered: one cell for each backend, policy and condition."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.drift import plan
from nnbench.drift.metrics import Drift
from nnbench.drift.saved import Study


@dataclass(frozen=True)
class Cell:
    """What became of the pairs, one for each of `seeds`; figures are those of `Drift`, the worst.

    `bitwise` pairs are equal from the first weight to the last loss, `initial_equal` start equal.
    """

    backend: str
    policy: str
    condition: str
    seeds: tuple[int, ...]
    drifts: tuple[Drift, ...]
    bitwise: int
    initial_equal: int
    max_ulp: float
    relative_l2: float
    disagreement: float
    first_epoch: int | None

    @property
    def pairs(self) -> int:
        """How many pairs stand behind it."""
        return len(self.drifts)

    @property
    def reproduced(self) -> bool:
        """Whether every pair is bitwise equal."""
        return self.bitwise == self.pairs


def cells(study: Study) -> list[Cell]:
    """All cells of a study, in the order of its backends, policies and conditions."""
    gathered: dict[tuple[str, str, str], dict[int, Drift]] = {}
    for pair in study.pairs:
        key = pair.backend, pair.policy, pair.condition
        gathered.setdefault(key, {})[pair.seed] = study.drift(pair)
    found = []
    for key, by_seed in gathered.items():
        drifts = tuple(by_seed.values())
        begun = [one.first_epoch for one in drifts if one.first_epoch is not None]
        cell = Cell(
            *key,
            seeds=tuple(by_seed),
            drifts=drifts,
            bitwise=sum(one.bitwise for one in drifts),
            initial_equal=sum(one.initial_equal for one in drifts),
            max_ulp=max(one.max_ulp for one in drifts),
            relative_l2=max(one.relative_l2 for one in drifts),
            disagreement=max(one.disagreement for one in drifts),
            first_epoch=min(begun, default=None),
        )
        found.append(cell)
    wanted, columns = study.specification, conditions(found)
    order = itertools.product(wanted["backends"], wanted["policies"], columns)
    named = (cell_of(found, *key) for key in order)
    return [cell for cell in named if cell is not None]


def conditions(found: Sequence[Cell]) -> list[str]:
    """The rows of the matrix: repeats first, then what was varied."""
    names = dict.fromkeys(cell.condition for cell in found)
    return sorted(names, key=[*plan.CONDITIONS, *names].index)


def cell_of(found: Sequence[Cell], *key: str) -> Cell | None:
    """The cell of a backend, policy and condition, if there is one."""
    named = (cell for cell in found if (cell.backend, cell.policy, cell.condition) == key)
    return next(named, None)
