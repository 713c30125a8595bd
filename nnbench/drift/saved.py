"""A drift study on disk, which holds the weights, so that studies of two hosts can be compared.

    <study>/study.json         written once: schema, specification, fingerprint
    <study>/trials.jsonl       appended: one JSON object for each process, training and timing
    <study>/trajectories/      one `.npz` for each training that differs in any bit from the others
    <study>/logs/              standard error of the worker processes

All of it can be read without running anything: JSON and plain arrays.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from nnbench.drift import plan, trajectory
from nnbench.drift.metrics import Drift
from nnbench.drift.plan import Pair
from nnbench.drift.trajectory import Trajectory
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.store import runs
from nnbench.workload.case import Case

SCHEMA = 1
STUDY_FILE = "study.json"
TRAJECTORIES = "trajectories"


@dataclass(frozen=True)
class Study:
    """A study as read from its folder. `trainings` holds the records by key, the last one wins."""

    folder: Path
    created: str
    specification: dict[str, Any]
    fingerprint: dict[str, Any]
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)
    processes: list[dict[str, Any]] = field(default_factory=list)
    remedies: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    @cached_property
    def case(self) -> Case:
        """The network and training of the reference."""
        return Case.from_json(self.specification["case"])

    def trajectory(self, key: str) -> Trajectory:
        """What a training left behind. Raises UserError if its file is missing or damaged."""
        return _read(self.folder / TRAJECTORIES / self.trainings[key]["file"])

    def pairs(self) -> list[Pair]:
        """The pairs of which both trainings ended well."""
        return [
            pair
            for pair in plan.pairs(self.specification)
            if self.finished(pair.first) and self.finished(pair.second)
        ]

    def finished(self, key: str) -> bool:
        """Whether a training has ended well."""
        return self.trainings.get(key, {}).get("outcome") == "ok"

    def drift(self, pair: Pair) -> Drift:
        """How far the trainings of a pair are apart."""
        files = [self.trainings[key]["file"] for key in (pair.first, pair.second)]
        return _drift(*(self.folder / TRAJECTORIES / name for name in files))

    def failures(self) -> list[dict[str, Any]]:
        """Records of trainings that did not end well."""
        return [record for record in self.trainings.values() if record["outcome"] != "ok"]


@lru_cache(maxsize=256)
def _read(path: Path) -> Trajectory:
    return trajectory.read(path)


@lru_cache(maxsize=4096)
def _drift(first: Path, second: Path) -> Drift:
    return trajectory.drift(_read(first), _read(second))


def create(
    parent: Path, name: str | None, specification: dict[str, Any], here: dict[str, Any]
) -> Path:
    """Make the folder of a new study. Raises UserError if it exists or cannot be written."""
    folder = parent / (name or datetime.now(UTC).strftime("drift-%Y%m%d-%H%M%S"))
    description = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "specification": specification,
        "fingerprint": here,
    }
    try:
        (folder / "logs").mkdir(parents=True)
        (folder / TRAJECTORIES).mkdir()
        partial = folder / f"{STUDY_FILE}.partial"
        partial.write_text(json.dumps(description, indent=1) + "\n")
        partial.replace(folder / STUDY_FILE)
        (folder / runs.TRIALS_FILE).touch()
    except FileExistsError:
        raise UserError(f"{folder} exists already: choose another --name") from None
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure
    return folder


def read(folder: Path) -> Study:
    """Read a study. Raises UserError if there is none, or it is of an unknown schema."""
    try:
        description = json.loads((folder / STUDY_FILE).read_text())
        if description["schema"] != SCHEMA:
            raise UserError(
                f"{folder / STUDY_FILE} has schema {description['schema']}, this nnbench reads "
                f"{SCHEMA}: use the nnbench that wrote it"
            )
        study = Study(
            folder,
            description["created"],
            description["specification"],
            description["fingerprint"],
        )
        _ = study.case, plan.pairs(study.specification)
        lines = (folder / runs.TRIALS_FILE).read_bytes().split(b"\n")[:-1]
    except OSError as failure:
        raise UserError(
            f"{folder} is no drift study: {failure.strerror} ({Path(failure.filename).name})"
        ) from failure
    except (ValueError, KeyError, TypeError) as failure:
        raise UserError(
            f"{folder / STUDY_FILE} is damaged ({failure!r}): restore it or measure again"
        ) from failure
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError:
            study.damage.append(f"line {number} cannot be read")
            continue
        match record:
            case {"kind": "training", "key": str(key), "outcome": str()}:
                study.trainings[key] = record
            case {"kind": "process", "backend": str()}:
                study.processes.append(record)
            case {"kind": "remedy", "backend": str(), "code": str(), "reproduces": bool()}:
                study.remedies.append(record)
            case {"kind": "timing", "backend": str(), "deterministic": bool()}:
                study.timings.append(record)
            case {"kind": "skipped", "why": str(why)}:
                study.skipped.append(why)
            case _:
                study.damage.append(f"line {number} is no record of a study")
    return study


def find(parent: Path) -> list[Path]:
    """Folders of studies below `parent`, oldest first."""
    return sorted(path.parent for path in parent.glob(f"*/{STUDY_FILE}"))


def same(folder: Path, specification: dict[str, Any], here: dict[str, Any]) -> bool:
    """Whether the study in `folder` is of this specification, host, environment and commit."""
    study = read(folder)
    return study.specification == specification and not fingerprint.differences(
        study.fingerprint, here
    )
