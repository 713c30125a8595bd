"""Two saved studies compared: host with host, version with version."""

from dataclasses import dataclass

from nnbench.drift import diagnosis, plan
from nnbench.drift.diagnosis import Difference
from nnbench.drift.saved import Study
from nnbench.errors import UserError
from nnbench.machine import fingerprint


@dataclass(frozen=True)
class Across:
    """The references of one backend and policy in both studies, seed by seed."""

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
        return max(
            self.differences,
            key=lambda one: (bool(one.sources), one.drift.disagreement, one.drift.relative_l2),
        )


@dataclass(frozen=True)
class Comparison:
    """What differs between the hosts and environments of two studies, and their references."""

    unlike: list[str]
    references: list[Across]


def compare(first: Study, second: Study) -> Comparison:
    """Compare the references of two studies.

    Raises UserError if they did not train the same thing, or have no training in common.
    """
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
            across.differences.append(
                diagnosis.explain(first.trajectory(key), second.trajectory(key))
            )
    if not found:
        raise UserError(f"{first.folder} and {second.folder} have no training in common")
    unlike = fingerprint.differences(first.fingerprint, second.fingerprint)
    return Comparison(unlike, list(found.values()))
