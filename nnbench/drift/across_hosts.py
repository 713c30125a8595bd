"""Two saved studies held against each other: host against host, version against version."""

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
    seeds: tuple[int, ...]
    differences: tuple[Difference, ...]

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

    @property
    def text(self) -> str:
        """In a few sentences."""
        return (
            f"{self.backend}, {self.policy}: {self.bitwise} of {len(self.seeds)} seeds equal in "
            f"every bit. {self.worst.text if self.bitwise < len(self.seeds) else ''}"
        ).rstrip()


def unlike(first: Study, second: Study) -> list[str]:
    """What differs between the hosts and environments of two studies."""
    return fingerprint.differences(first.fingerprint, second.fingerprint)


def compare(first: Study, second: Study) -> list[Across]:
    """Hold the references of two studies against each other.

    Raises UserError if they did not train the same thing, or have no training in common.
    """
    for name in ("case", "model_digest"):
        if first.specification.get(name) != second.specification.get(name):
            raise UserError(
                f"{first.folder} and {second.folder} did not train the same {name.split('_')[0]}: "
                "run the same command on both hosts"
            )
    found: dict[tuple[str, str], list[tuple[int, Difference]]] = {}
    for key, record in first.trainings.items():
        if record["condition"] != plan.REFERENCE:
            continue
        if first.finished(key) and second.finished(key):
            difference = diagnosis.explain(first.trajectory(key), second.trajectory(key))
            place = record["backend"], record["policy"]
            found.setdefault(place, []).append((record["seed"], difference))
    if not found:
        raise UserError(f"{first.folder} and {second.folder} have no training in common")
    return [
        Across(backend, policy, tuple(s for s, _ in pairs), tuple(d for _, d in pairs))
        for (backend, policy), pairs in found.items()
    ]
