"""A tuning on disk, and what its records say so far.

A folder as `store.folder` describes it, with `tuning.json`, and `trajectories/` as those of drift.
Its records by `kind`:

- `look`: what the present setting takes about, and how many rows are timed;
- `rung`: what is timed together, decided before it begins, and `end` when it is through;
- `start`: a process; all those of a rung that live side by side share a `launch`;
- `ready`: a setting prepared in such a process: what is paid once, or why it cannot be had;
- `time`: a setting's turn: the median of its epochs;
- `training`: one from a seed, whose trajectory is kept, with the peak of a new process before it;
- `done`: nothing is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.machine.fields import Field
from nnbench.measure import effort
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.store import folder as folders
from nnbench.tune import space as spaces
from nnbench.tune.halving import HALVED, Rung
from nnbench.tune.space import Space
from nnbench.workload.case import Case

TUNING_FILE = "tuning.json"
TRAJECTORIES = "trajectories"
FORMAT = folders.Format(
    TUNING_FILE, 1, "tuning", "no tuning", prefix="tune-", folders=("logs", TRAJECTORIES)
)

OK, SAME = "ok", "same"
"""Outcomes: timed, and not timed since it is what another setting is already."""

READY_EPOCHS = 3
"""Of a setting that is made ready: the first pays what is paid once, the second may still."""

Process = tuple[Any, ...]
"""What a process is tied to."""

WARM_S = 1.0
"""What a new process spends before it prepares its first setting, besides its start."""


@dataclass(frozen=True)
class Tuning:
    """A tuning as read from its folder; `damage` names lines that could not be used."""

    folder: Path
    created: str
    specification: dict[str, Any]
    fingerprint: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind, in order."""
        return [one for one in self.records if one["kind"] == kind]

    @property
    def present(self) -> Case:
        """The setting that all others are compared with."""
        return Case.from_json(self.specification["present"])

    @property
    def rows(self) -> int:
        """Rows that are timed: all, or the first where an epoch takes long."""
        looks = self.of("look")
        return int(looks[0]["rows"]) if looks else self.present.trained_rows

    @property
    def space(self) -> Space:
        """What can be tried."""
        return Space(self.present, self.specification["values"], self.rows)

    @property
    def budget_s(self) -> float:
        """Seconds to measure for."""
        return float(self.specification["budget_s"])

    @property
    def rungs(self) -> list[Rung]:
        """The rungs so far."""
        return [
            Rung(
                one["rung"],
                one["stage"],
                [Case.from_json(each) for each in one["settings"]],
                one["turns"],
                np.inf if one["until_s"] is None else one["until_s"],
            )
            for one in self.of("rung")
        ]

    @property
    def unfinished(self) -> Rung | None:
        """The rung that was begun and is not through."""
        over = {one["rung"] for one in self.of("end")}
        return next((rung for rung in self.rungs if rung.number not in over), None)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.of("done"))

    @property
    def spent_s(self) -> float:
        """Seconds that all of it took so far."""
        return float(sum(one.get("wall_s", 0.0) for one in self.records))

    @property
    def cases(self) -> dict[str, Case]:
        """Every setting of any rung, by its key."""
        return {case.key: case for rung in self.rungs for case in rung.cases}

    @property
    def prepared(self) -> dict[str, dict[str, Any]]:
        """By setting, what came of it when it was last prepared or timed."""
        return {one["case"]: one for one in self.records if one["kind"] in ("ready", "time")}

    @property
    def tried(self) -> set[str]:
        """Keys of all settings that were prepared, whatever came of it."""
        return {one["case"] for one in self.of("ready")}

    @property
    def failed(self) -> dict[str, str]:
        """Settings that could not be had or timed, with the reason."""
        bad = {
            key: str(one.get("message") or one["outcome"])
            for key, one in self.prepared.items()
            if one["outcome"] not in (OK, SAME)
        }
        return {key: why for key, why in bad.items() if key != self.present.key}

    def epochs_s(self, key: str) -> dict[tuple[int, int], float]:
        """A setting's time of an epoch, by launch and turn."""
        return {
            (one["launch"], one["turn"]): one["epoch_s"]
            for one in self.of("time")
            if one["case"] == key and one["outcome"] == OK
        }

    def ratios(self, key: str, to: str | None = None) -> dict[tuple[int, int], float]:
        """Its time over the present setting's, or another's, in the same turn of a launch."""
        mine, theirs = self.epochs_s(key), self.epochs_s(to or self.present.key)
        return {turn: mine[turn] / theirs[turn] for turn in mine if turn in theirs}

    @property
    def ranked(self) -> dict[str, tuple[Case, float]]:
        """By key, every setting that was timed and its ratio to the present one."""
        failed, found = self.failed, {}
        for key, case in self.cases.items():
            ratios = self.ratios(key)
            if ratios and key not in failed:
                found[key] = case, float(_centre(ratios))
        return found

    def ratio(self, key: str, to: str | None = None) -> Estimate:
        """The same with its interval, the launch as its unit.

        Where two launches or more are of the rungs of halving, only they count: by the others it
        was chosen. Raises ValueError without a common turn.
        """
        return self._estimate(self.ratios(key, to))

    def epoch_s(self, key: str) -> Estimate:
        """Seconds of an epoch in the steady state."""
        return self._estimate(self.epochs_s(key))

    def _estimate(self, values: dict[tuple[int, int], float]) -> Estimate:
        halved = {rung.number for rung in self.rungs if rung.stage == HALVED}
        later = {one["launch"] for one in self.of("time") if one["rung"] in halved}
        told = {turn: one for turn, one in values.items() if turn[0] in later}
        if len({launch for launch, _ in told}) >= 2:
            values = told
        return nested_estimate(list(values.values()), [launch for launch, _ in values])

    def once_s(self, key: str) -> float:
        """What is paid once (build, trace, compile), the median over launches."""
        return float(np.median([one["once_s"] for one in self._good("ready", key)]))

    def jit(self, key: str) -> bool | None:
        """Whether Keras compiles its step with `jit_compile`."""
        return next((bool(one["jit_compiled"]) for one in self._good("ready", key)), None)

    def _good(self, kind: str, key: str) -> list[dict[str, Any]]:
        return [one for one in self.of(kind) if one["case"] == key and one["outcome"] == OK]

    def trainings(self, key: str) -> list[dict[str, Any]]:
        """Its trainings from a seed."""
        return [one for one in self.of("training") if one["case"] == key]

    @property
    def epochs(self) -> int:
        """Epochs after which the drift is told."""
        epochs: int = self.specification["epochs"]
        return epochs

    def cost_s(self, cases: Iterable[Case], turns: int) -> float:
        """What a rung of these settings takes, about: processes, preparing, turns."""
        named = {case.key: case for case in cases}
        starts = {process_of(case): self._start_s(case) for case in named.values()}
        each = (self._ready_s(case) + turns * self._turn_s(case) for case in named.values())
        return sum(starts.values()) + sum(each)

    @property
    def reserve_s(self) -> float:
        """What the last stage will take: three processes, and the trainings of each."""
        case = self.present
        once_s = self._start_s(case) + 2 * self._ready_s(case)
        looks = self.of("look")
        training_s = self.epochs * looks[0]["epoch_s"] if looks else 0.0
        return min(0.25 * self.budget_s, 3 * (once_s + training_s))

    def _start_s(self, case: Case) -> float:
        known = [one["wall_s"] for one in self.of("start") if one["backend"] == case.backend]
        return float(np.median(known)) if known else effort.STARTS_S[case.backend] + WARM_S

    def _ready_s(self, case: Case) -> float:
        """Of the same setting, else of those of its backend and path, else typical."""
        ready = [(self.cases[one["case"]], one["wall_s"]) for one in self.of("ready")]
        mine = [wall_s for one, wall_s in ready if one == case]
        like = [wall_s for one, wall_s in ready if one.comparable == case.comparable]
        if mine or like:
            return float(np.median(mine or like))
        look = effort.Look.typical(case)
        return look.once_s + 3 * look.epoch_s

    def _turn_s(self, case: Case) -> float:
        times = [one for one in self.of("time") if one["outcome"] == OK]
        mine = [one["wall_s"] for one in times if one["case"] == case.key]
        walls_s = mine or [one["wall_s"] for one in times]
        return float(np.median(walls_s)) if walls_s else 0.3


def _centre(ratios: dict[tuple[int, int], float]) -> float:
    """Geometric mean over launches of the medians of their turns."""
    launches = {launch for launch, _ in ratios}
    medians = [
        np.median([one for (launch, _), one in ratios.items() if launch == each])
        for each in launches
    ]
    return float(np.exp(np.mean(np.log(medians))))


def process_of(case: Case) -> Process:
    """What a setting's process is tied to.

    Torch's own compiler may take minutes: what is given up with it is that setting alone.
    """
    alone = case.backend == "torch" and case.training.jit == "on"
    return (*case.worker, case.key if alone else "")


def specification(
    present: Case,
    space: Space,
    *,
    budget_s: float,
    limit_s: float | None,
    epochs: int,
    seed: int,
    left_out: list[str],
    models: dict[str, str | None],
) -> dict[str, Any]:
    """Everything that decides what is tried, as plain data."""
    return {
        **({"models": models} if models else {}),
        "present": present.to_json(),
        "values": space.values,
        "budget_s": budget_s,
        "limit_s": limit_s,
        "epochs": epochs,
        "seed": seed,
        "left_out": left_out,
    }


def read(folder: Path) -> Tuning:
    """Read a tuning. Raises UserError if there is none, or it is of an unknown schema."""
    tuning = FORMAT.read(folder, Tuning, _check)

    def use(record: Field) -> None:
        kind = record["kind"].text()
        if kind not in CHECKS:
            record["kind"].refuse("is no kind of record of a tuning")
        CHECKS[kind](record)
        if "wall_s" in record.value:
            record["wall_s"].number(above=-1)
        tuning.records.append(record.value)

    folders.records(folder, tuning.damage, use)
    return tuning


def _check(wanted: Field) -> None:
    """Raise UserError for a specification that makes no tuning."""
    Case.of(wanted["present"])
    for name in spaces.FACTORS:
        if not wanted["values"][name].entries():
            wanted["values"][name].refuse("is empty")
    wanted["budget_s"].number(above=0)
    folders.set_whole_numbers(wanted, ["epochs"], least=1)
    folders.set_whole_numbers(wanted, ["seed"])
    for one in wanted["left_out"].entries():
        one.text()


def _check_rung(record: Field) -> None:
    folders.set_whole_numbers(record, ["rung", "turns"])
    record["stage"].text()
    for one in record["settings"].entries():
        Case.of(one)
    if record.value.get("until_s") is not None:
        record["until_s"].number()
    record.value.setdefault("until_s", None)


def _check_look(record: Field) -> None:
    folders.set_whole_numbers(record, ["rows"], least=1)
    record["epoch_s"].number(above=0)


def _check_outcome(record: Field) -> None:
    record["case"].text()
    record["outcome"].text()
    record["message"].text("")


def _check_ready(record: Field) -> None:
    _check_outcome(record)
    folders.set_whole_numbers(record, ["launch"])
    if record["outcome"].value == OK:
        record["once_s"].number()
        record["jit_compiled"].flag()


def _check_time(record: Field) -> None:
    _check_outcome(record)
    folders.set_whole_numbers(record, ["launch", "turn", "rung"])
    if record["outcome"].value == OK:
        record["epoch_s"].number(above=0)


def _check_training(record: Field) -> None:
    _check_outcome(record)
    if record["outcome"].value == OK:
        record["file"].text()
        folders.set_whole_numbers(record, ["peak_host_bytes"])


def _check_start(record: Field) -> None:
    record["backend"].text()
    folders.set_whole_numbers(record, ["launch", "rung"])


CHECKS = {
    "look": _check_look,
    "rung": _check_rung,
    "end": lambda record: folders.set_whole_numbers(record, ["rung"]),
    "start": _check_start,
    "ready": _check_ready,
    "time": _check_time,
    "training": _check_training,
    "done": lambda record: None,
}
