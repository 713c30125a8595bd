"""What a drift study says, or two compared, computed once for tables, page and JSON."""

from dataclasses import dataclass
from typing import Any

from nnbench.drift import determinism_cost, diagnosis, matrix, metrics, plan
from nnbench.drift.diagnosis import Difference, Uncontrolled
from nnbench.drift.matrix import Cell
from nnbench.drift.saved import Study
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.stats.estimate import Estimate

Distances = dict[str, list[float]]
"""ULP distances of the final weights' numbers, by layer."""


@dataclass(frozen=True)
class Analysis:
    """A study and all that is read off it; `remedies`: the code seen to reproduce on a backend.

    `parted` has, for each backend and condition whose trainings begin equal and end apart, the
    distances of single weights, all seeds together; `failures`: trainings that did not end well.
    """

    study: Study
    backends: list[str]
    cells: list[Cell]
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
        return list(dict.fromkeys(cell.policy for cell in self.of_backend(backend)))


def analyse(study: Study) -> Analysis:
    """Read off a study what it says."""
    cells = matrix.cells(study)
    asked = study.specification["backends"]
    return Analysis(
        study=study,
        backends=list(dict.fromkeys(cell.backend for cell in cells)),
        cells=cells,
        diagnosis=diagnosis.diagnose(study, cells),
        varied=diagnosis.varied(study, cells),
        failures=[one for one in study.trainings.values() if one["outcome"] != "ok"],
        remedies={one["backend"]: one for one in study.remedies if one["reproduces"]},
        cost={backend: determinism_cost.ratio(study, backend) for backend in asked},
        parted={backend: _parted(study, backend) for backend in asked},
    )


def _parted(study: Study, backend: str) -> dict[str, Distances]:
    found: dict[str, Distances] = {}
    for pair in study.pairs:
        far = study.drift(pair)
        seeded = pair.backend == backend and pair.policy in plan.SEEDED
        if seeded and far.initial_equal and not far.bitwise:
            first, second = study.trained(pair)
            layers = found.setdefault(pair.condition, {})
            for name, a, b in zip(first.names, first.at(-1), second.at(-1), strict=True):
                distances = metrics.ulp_distance(a, b).ravel().tolist()
                layers.setdefault(diagnosis.layer_of(name), []).extend(distances)
    return found


@dataclass(frozen=True)
class Across:
    """The references of one backend and policy in two studies, seed by seed."""

    backend: str
    policy: str
    seeds: list[int]
    differences: list[Difference]

    @property
    def bitwise(self) -> int:
        """How many are equal in every bit."""
        return sum(not one.sources for one in self.differences)

    @property
    def worst(self) -> Difference:
        """The difference that a user would feel most."""
        apart = [one for one in self.differences if one.sources] or self.differences
        return max(apart, key=lambda one: (one.drift.disagreement, one.drift.relative_l2))


@dataclass(frozen=True)
class Comparison:
    """Two studies: what is unlike of their hosts and environments, and their references."""

    unlike: list[str]
    references: list[Across]


def compare(first: Study, second: Study) -> Comparison:
    """Compare the references. Raises UserError if trainings are unlike, or none is in common."""
    for name in ("case", "model_digest"):
        if first.specification.get(name) != second.specification.get(name):
            raise UserError(
                f"{first.folder} and {second.folder} did not train the same {name.split('_')[0]}: "
                "run the same command on both hosts"
            )
    found: dict[tuple[str, str], Across] = {}
    for key, record in first.trainings.items():
        if record["condition"] == plan.REFERENCE and first.finished(key) and second.finished(key):
            named = record["backend"], record["policy"]
            across = found.setdefault(named, Across(*named, [], []))
            across.seeds.append(record["seed"])
            difference = diagnosis.explain(first.trajectory(key), second.trajectory(key))
            across.differences.append(difference)
    if not found:
        raise UserError(f"{first.folder} and {second.folder} have no training in common")
    unlike = fingerprint.differences(first.fingerprint, second.fingerprint)
    return Comparison(unlike, list(found.values()))
