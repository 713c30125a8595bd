"""A drift study on disk, which holds the weights, so that studies of two hosts can be compared.

A folder as `store.folder` describes it, with `study.json`, and `trajectories/`: one `.npz`, of
plain arrays alone, for each training that differs in any bit from the others.
"""

import itertools
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from nnbench.drift import plan, trajectory
from nnbench.drift.metrics import Drift
from nnbench.drift.plan import Pair
from nnbench.drift.policies import POLICIES
from nnbench.drift.trajectory import Trajectory
from nnbench.machine import fields
from nnbench.machine.devices import BACKENDS
from nnbench.machine.fields import Field
from nnbench.store import folder as folders
from nnbench.store import runs
from nnbench.workload.case import Case

STUDY_FILE = "study.json"
TRAJECTORIES = "trajectories"
FILE = re.compile(r"[0-9a-f]+\.npz")
INSIDE = "logs", TRAJECTORIES
FORMAT = folders.Format(STUDY_FILE, 1, "study", "no drift study", prefix="drift-", folders=INSIDE)


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

    @property
    def name(self) -> str:
        """What its network was called by who asked."""
        return folders.name_of(self.specification, self.case.label)

    @property
    def trajectories(self) -> Path:
        """The folder of what trainings left behind."""
        return (self.folder / TRAJECTORIES).resolve()

    def trajectory(self, key: str) -> Trajectory:
        """What a training left behind. Raises UserError if its file is missing or damaged."""
        return _read(self._path(key))

    def _path(self, key: str) -> Path:
        return self.trajectories / str(self.trainings[key]["file"])

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs of which both trainings ended well."""
        planned = plan.pairs(self.specification)
        return [one for one in planned if self.finished(one.first) and self.finished(one.second)]

    def finished(self, key: str) -> bool:
        """Whether a training has ended well."""
        return self.trainings.get(key, {}).get("outcome") == "ok"

    def trained(self, pair: Pair) -> tuple[Trajectory, Trajectory]:
        """What the trainings of a pair left behind."""
        return self.trajectory(pair.first), self.trajectory(pair.second)

    def drift(self, pair: Pair) -> Drift:
        """How far the trainings of a pair are apart."""
        return _drift(self._path(pair.first), self._path(pair.second))

    def is_complete(self) -> bool:
        """Whether there is a record of every training that can be had here."""
        return all(
            one.key in self.trainings
            for one in itertools.chain.from_iterable(plan.plan(self.specification))
            if one.condition != plan.DEVICE and POLICIES[one.policy].runs_here
        )


_read = lru_cache(maxsize=256)(trajectory.read)


@lru_cache(maxsize=4096)
def _drift(first: Path, second: Path) -> Drift:
    return trajectory.drift(_read(first), _read(second))


def read(folder: Path) -> Study:
    """Read a study. Raises UserError if there is none, or it is of an unknown schema."""
    study = FORMAT.read(folder, Study, _check)
    # What was begun anew is recorded twice: the last counts.
    timings: dict[tuple[Any, ...], dict[str, Any]] = {}

    def use(record: Field) -> None:
        found = record.value
        match record["kind"].text():
            case "training":
                _check_training(record)
                study.trainings[found["key"]] = found
            case "process":
                record["backend"].text()
                study.processes.append(found)
            case "remedy":
                for name in ("backend", "code", "problem"):
                    record[name].text()
                for name in ("seeds", "seeds_equal"):
                    record[name].whole()
                record["reproduces"].flag()
                record["last"].flag(default=False)
                study.remedies.append(found)
            case "timing":
                turn = record["backend"].text(), record["launch"].whole(), record["pair"].whole()
                record["duration_s"].number(above=0, most=fields.LARGEST_MEASURED)
                timings[*turn, record["deterministic"].flag()] = found
            case "skipped":
                study.skipped.append(record["why"].text())
            case _:
                record["kind"].refuse("is no kind of record of a study")

    folders.records(folder, study.damage, use)
    study.timings.extend(timings.values())
    return study


def _check(wanted: Field) -> None:
    """Raise UserError for a specification that makes no study."""
    Case.of(wanted["case"])
    folders.check_names(wanted)
    known = {"backends": BACKENDS, "policies": POLICIES, "conditions": plan.CONDITIONS}
    for name, names in known.items():
        for one in wanted[name].entries():
            if one.text() not in names:
                one.refuse(f"is none of {', '.join(names)}")
    wanted.value["seeds"] = [one.whole() for one in wanted["seeds"].entries()]
    for name in ("backends", "policies", "seeds"):
        if not wanted[name].value:
            wanted[name].refuse("is empty")
    folders.set_whole_numbers(wanted, ["trainings"], least=2, most=runs.MOST_REPEATS)
    folders.set_whole_numbers(wanted, ["cpus"], least=1)
    wanted["gpu"].flag()
    wanted["other_side"].text("")
    wanted["model_digest"].text("")
    wanted["limit_s"].number(above=0)


def _check_training(record: Field) -> None:
    for name in ("key", "backend", "policy", "condition", "outcome"):
        record[name].text()
    folders.set_whole_numbers(record, ["seed"])
    for name in ("message", "order"):
        record[name].text("")
    if record["outcome"].value == "ok" and not FILE.fullmatch(record["file"].text()):
        record["file"].refuse("names no file of a study")
