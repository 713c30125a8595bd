"""What a drift study says, computed once for its tables, its page and JSON."""

from dataclasses import dataclass
from typing import Any

from nnbench.drift import determinism_cost, diagnosis, matrix, metrics, plan, remedy
from nnbench.drift.diagnosis import Difference, Uncontrolled
from nnbench.drift.matrix import Cell
from nnbench.drift.saved import Study
from nnbench.stats.estimate import Estimate

Distances = dict[str, list[float]]
"""ULP distances of the final weights' numbers, by layer."""


@dataclass(frozen=True)
class Analysis:
    """A study and all that is read off it.

    `parted` has, for each backend and condition whose trainings begin equal and end apart, the
    distances of single weights, all seeds together. `failures` has the records of trainings that
    did not end well, `remedies` has the record of the shortest code
    that was seen to reproduce on a backend.
    """

    study: Study
    backends: list[str]
    cells: list[Cell]
    conditions: list[str]
    diagnosis: list[Uncontrolled]
    varied: list[tuple[Cell, Difference]]
    failures: list[dict[str, Any]]
    remedies: dict[str, dict[str, Any]]
    cost: dict[str, Estimate | None]
    parted: dict[str, dict[str, Distances]]

    def of_backend(self, backend: str) -> list[Cell]:
        """The cells of one backend."""
        return [cell for cell in self.cells if cell.backend == backend]

    def policies(self, backend: str) -> list[str]:
        """The policies of which there are cells on a backend."""
        having = {cell.policy for cell in self.of_backend(backend)}
        return [name for name in self.study.specification["policies"] if name in having]


def analyse(study: Study) -> Analysis:
    """Read off a study what it says."""
    found = matrix.cells(study)
    backends = study.specification["backends"]
    verified = {backend: remedy.found_for(study, backend) for backend in backends}
    return Analysis(
        study=study,
        backends=[name for name in backends if any(cell.backend == name for cell in found)],
        cells=found,
        conditions=matrix.conditions(found),
        diagnosis=diagnosis.diagnose(study, found),
        varied=diagnosis.varied(study, found),
        failures=[one for one in study.trainings.values() if one["outcome"] != "ok"],
        remedies={backend: record for backend, record in verified.items() if record},
        cost={backend: determinism_cost.ratio(study, backend) for backend in backends},
        parted={backend: _parted(study, backend) for backend in backends},
    )


def _parted(study: Study, backend: str) -> dict[str, Distances]:
    found: dict[str, Distances] = {}
    for pair in study.pairs:
        if pair.backend != backend or pair.policy not in plan.SEEDED:
            continue
        far = study.drift(pair)
        if far.bitwise or not far.initial_equal:
            continue
        first, second = study.trajectory(pair.first), study.trajectory(pair.second)
        layers = found.setdefault(pair.condition, {})
        for name, a, b in zip(first.names, first.at(-1), second.at(-1), strict=True):
            distances = metrics.ulp_distance(a, b).ravel().tolist()
            layers.setdefault(diagnosis.layer_of(name), []).extend(distances)
    return found
