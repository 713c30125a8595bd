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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
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

STARTS_S = {backend: 1.0 + start_s for backend, start_s in effort.STARTS_S.items()}
"""Of a process that has been used once."""

USUAL_TURN_S, LEAST_S = 0.3, 1e-6

MOST_RESERVED = 0.35
"""Of the budget, for the last stage."""


@dataclass(frozen=True)
class Tuning:
    """A tuning as read from its folder; `damage` names lines that could not be used.

    It does not change: `plus` makes another one of it and a record.
    """

    folder: Path
    created: str
    specification: dict[str, Any]
    fingerprint: dict[str, Any]
    records: Sequence[dict[str, Any]] = ()
    damage: list[str] = field(default_factory=list)

    def plus(self, *records: dict[str, Any]) -> "Tuning":
        """The same with further records."""
        return replace(self, records=[*self.records, *records])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind, in order."""
        return self._by_kind.get(kind, [])

    @cached_property
    def _by_kind(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for one in self.records:
            found.setdefault(one["kind"], []).append(one)
        return found

    @cached_property
    def present(self) -> Case:
        """The setting that all others are compared with."""
        return Case.from_json(self.specification["present"])

    @property
    def name(self) -> str:
        """What its network was called by who asked."""
        return folders.name_of(self.specification, self.present.label)

    @property
    def look(self) -> dict[str, Any] | None:
        """What the present setting takes about; None before the first look."""
        return next(iter(self.of("look")), None)

    @property
    def rows(self) -> int:
        """Rows that are timed: all, or the first where an epoch takes long."""
        return int(self.look["rows"]) if self.look else self.present.trained_rows

    @cached_property
    def space(self) -> Space:
        """What can be tried."""
        return Space(self.present, self.specification["values"], self.rows)

    @property
    def budget_s(self) -> float:
        """Seconds to measure for."""
        return float(self.specification["budget_s"])

    @cached_property
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

    @cached_property
    def spent_s(self) -> float:
        """Seconds that all of it took so far."""
        return float(sum(one.get("wall_s", 0.0) for one in self.records))

    @cached_property
    def cases(self) -> dict[str, Case]:
        """Every setting of any rung, by its key."""
        return {case.key: case for rung in self.rungs for case in rung.cases}

    @cached_property
    def prepared(self) -> dict[str, dict[str, Any]]:
        """By setting, what came of it when it was last prepared or timed."""
        return {one["case"]: one for one in self.records if one["kind"] in ("ready", "time")}

    @cached_property
    def tried(self) -> set[Case]:
        """All settings that were prepared, whatever came of it."""
        return {self.cases[one["case"]] for one in self.of("ready") if one["case"] in self.cases}

    @cached_property
    def failed(self) -> dict[str, str]:
        """Settings that could not be had or timed, with the reason."""
        bad = {
            key: str(one.get("message") or one["outcome"])
            for key, one in self.prepared.items()
            if one["outcome"] not in (OK, SAME)
        }
        return {key: why for key, why in bad.items() if key != self.present.key}

    @cached_property
    def _times_s(self) -> dict[str, dict[tuple[int, int], float]]:
        found: dict[str, dict[tuple[int, int], float]] = {}
        for one in self.of("time"):
            if one["outcome"] == OK:
                turn = one["launch"], one["turn"]
                found.setdefault(one["case"], {})[turn] = one["epoch_s"]
        return found

    def epochs_s(self, key: str) -> dict[tuple[int, int], float]:
        """A setting's time of an epoch, by launch and turn."""
        return self._times_s.get(key, {})

    def ratios(self, key: str, to: str | None = None) -> dict[tuple[int, int], float]:
        """Its time over the present setting's, or another's, in the same turn of a launch."""
        mine, theirs = self.epochs_s(key), self.epochs_s(to or self.present.key)
        return {turn: mine[turn] / theirs[turn] for turn in mine if turn in theirs}

    @cached_property
    def ranked(self) -> dict[Case, float]:
        """Every setting that was timed, with its ratio to the present one."""
        found = {}
        for key, case in self.cases.items():
            ratios = self.ratios(key)
            if ratios and key not in self.failed:
                found[case] = _centre(ratios)
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
        told = {turn: one for turn, one in values.items() if turn[0] in self._later}
        if len({launch for launch, _ in told}) >= 2:
            values = told
        return nested_estimate(list(values.values()), [launch for launch, _ in values])

    @cached_property
    def _later(self) -> set[int]:
        """Launches of the rungs of halving."""
        halved = {rung.number for rung in self.rungs if rung.stage == HALVED}
        return {one["launch"] for one in self.of("time") if one["rung"] in halved}

    def once_s(self, key: str) -> Estimate:
        """What is paid once (build, trace, compile), a value a launch."""
        ready = [one for one in self.of("ready") if one["case"] == key and one["outcome"] == OK]
        values_s = [max(one["once_s"], LEAST_S) for one in ready]
        return nested_estimate(values_s, [one["launch"] for one in ready])

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

    @cached_property
    def reserve_s(self) -> float:
        """What the last stage will take: three processes, and the trainings of each."""
        return min(MOST_RESERVED * self.budget_s, 3 * self.training_s(self.present))

    def training_s(self, case: Case) -> float:
        """What the drift and the memory of a setting take, about: a process, and its trainings."""
        epochs_s = self.epochs * self.look["epoch_s"] if self.look else 0.0
        return self._start_s(case) + 2 * self._ready_s(case) + epochs_s

    def _start_s(self, case: Case) -> float:
        """By the starts of this backend, else typical, as slow as the present one's was."""
        known = self._starts_s.get(case.backend)
        if known:
            return float(np.median(known))
        now = self.present.backend
        slow = np.median(self._starts_s.get(now) or [STARTS_S[now]]) / STARTS_S[now]
        return float(STARTS_S[case.backend] * slow)

    @cached_property
    def _starts_s(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for one in self.of("start"):
            found.setdefault(one["backend"], []).append(one["wall_s"])
        return found

    def _ready_s(self, case: Case) -> float:
        """Of the same setting, else of its backend and path, else as slow as the first look was."""
        known = self._readies_s.get(case.key) or self._readies_s.get(case.comparable)
        if known:
            return float(np.median(known))
        slow, epoch_s = 1.0, 0.0
        if self.look:
            slow = self.look["once_s"] / effort.Look.typical(self.present).once_s
            epoch_s = self.look["epoch_s"]
        return max(0.5, slow) * effort.Look.typical(case).once_s + READY_EPOCHS * epoch_s

    @cached_property
    def _readies_s(self) -> dict[Any, list[float]]:
        found: dict[Any, list[float]] = {}
        for one in self.of("ready"):
            if one["case"] in self.cases:
                context = self.cases[one["case"]].comparable
                found.setdefault(one["case"], []).append(one["wall_s"])
                found.setdefault(context, []).append(one["wall_s"])
        return found

    def _turn_s(self, case: Case) -> float:
        known = self._turns_s.get(case.key) or self._turns_s.get("")
        return float(np.median(known)) if known else USUAL_TURN_S

    @cached_property
    def _turns_s(self) -> dict[str, list[float]]:
        """By setting, and of all of them under no name."""
        found: dict[str, list[float]] = {}
        for one in self.of("time"):
            found.setdefault(one["case"], []).append(one["wall_s"])
            found.setdefault("", []).append(one["wall_s"])
        return found


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
        folders.ASKED: {"typed": {present.label: present.name}},
    }


def read(folder: Path) -> Tuning:
    """Read a tuning. Raises UserError if there is none, or it is of an unknown schema."""
    tuning = FORMAT.read(folder, Tuning, _check)
    found: list[dict[str, Any]] = []

    def use(record: Field) -> None:
        kind = record["kind"].text()
        if kind not in CHECKS:
            record["kind"].refuse("is no kind of record of a tuning")
        CHECKS[kind](record)
        if "wall_s" in record.value:
            record["wall_s"].number(above=-1)
        found.append(record.value)

    folders.records(folder, tuning.damage, use)
    return tuning.plus(*found)


def _check(wanted: Field) -> None:
    """Raise UserError for a specification that makes no tuning."""
    Case.of(wanted["present"])
    folders.check_names(wanted)
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
    folders.set_whole_numbers(record, ["launch"])


CHECKS: dict[str, Callable[[Field], object]] = {
    "look": _check_look,
    "rung": _check_rung,
    "end": lambda record: folders.set_whole_numbers(record, ["rung"]),
    "start": _check_start,
    "ready": _check_ready,
    "time": _check_time,
    "training": _check_training,
    "done": Field.members,
}
