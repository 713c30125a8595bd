"""A run: rounds of trials measured in workers, each trial on disk before the next begins.

Without a precision or budget a run has a fixed number of rounds. With one, rounds go on: cases
whose intervals are narrow enough get no more time, the others do, until all are or the time is
spent. What a round consists of follows from the records of the rounds before it, so that a run
that was killed goes on with what it would have done.
"""

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import fingerprint, noise
from nnbench.measure import allocation, own_code
from nnbench.measure.decision import is_decided, seconds_spent
from nnbench.measure.process import DataFile, Worker, WorkerLostError, data_file
from nnbench.measure.protocol import Environment
from nnbench.measure.schedule import ONE_SIDE, SWEEPS, Planned, plan_round, starting_order
from nnbench.measure.standing import Standing, Watched, standings
from nnbench.measure.trial import KINDS, STEP_KIND, SWEPT
from nnbench.show import units
from nnbench.stats.summary import widest_interval
from nnbench.store import runs
from nnbench.store.folder import ASKED
from nnbench.workload import user_model
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import MOST_LAUNCHES, Study

FAILURES_ALLOWED = 2

START_KIND = "start"
"""The kind of a trial that failed since no worker could start: its case is given up at once."""

LEAST_ROUNDS, MOST_ROUNDS = 3, MOST_LAUNCHES
"""Before the first number of launches an interval says too little to stop on it."""

NOISE_WINDOW_S, LEAST_NOISE_WINDOW_S = 1.0, 0.2
"""The noise watch looks at stretches so long; a block's last one may be as short as the second."""

QUICK_S = 0.05
"""Where it takes no longer to say how the estimates stand, that is done after each block."""


@dataclass(frozen=True)
class Progress:
    """Trials `done` of a `total`, which is a projection when the number of rounds is open.

    `standings` are the estimates until now, `machine` what the noise watch saw.
    """

    done: int
    total: int
    now: str
    stage: str = ""
    standings: tuple[Standing, ...] = ()
    machine: str = ""


Watcher = Callable[[Progress], None]


class Keeper(Protocol):
    """What takes records: `store.folder.Writer`, or what hands them on to another machine."""

    def append(self, record: dict[str, Any], *, sync: bool = True) -> None:
        """Keep a record; with `sync` it is safe when this returns."""


def specification(
    study: Study,
    cases: Sequence[Case],
    *,
    sides: Sequence[str] = ONE_SIDE,
    kinds: Sequence[str] = KINDS,
    sweeps: int = SWEEPS,
    looked: Mapping[str, Any] | None = None,
    decide: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that decides which trials a run of these cases consists of, as plain data.

    `kinds` are the trials of each case in a block besides its `sweeps` of step samples; `looked`
    is what a first look adds, see `measure.effort`; `decide` says what is judged with what margin
    to end once that is decided, see `measure.decision`.
    """
    effort = study.effort
    # An edited model is another one: what was measured of the old must not be gone on with.
    models = user_model.digests(case.model for case in cases)
    code = {"models": models} if models else {}
    usual = kinds == KINDS and sweeps == SWEEPS
    told = {"command": study.command()} if tuple(sides) == ONE_SIDE and kinds == KINDS else {}
    return {
        **code,
        **({} if usual else {"kinds": list(kinds), "sweeps": sweeps}),
        **(looked or {}),
        **({"decide": dict(decide)} if decide else {}),
        ASKED: {**told, "typed": {one.label: one.name for one in cases if one.name != one.label}},
        "cases": [case.to_json() for case in cases],
        "launches": effort.launch_count,
        "blocks": effort.block_count,
        "seed": effort.seed,
        "limit_s": effort.limit_s,
        "precision": effort.wanted_precision,
        "budget_s": effort.budget_s,
        "sides": list(sides),
    }


def next_round(run: runs.Run, number: int) -> list[list[Planned]]:
    """Round `number` of a run, given the records of the rounds before it; empty when it is over."""
    earlier = run.before_round(number)
    if number >= MOST_ROUNDS or not _goes_on(earlier, number):
        return []
    return planned(run, number, _wanting(earlier, number))


def planned(run: runs.Run, number: int, cases: Sequence[Case]) -> list[list[Planned]]:
    """Round `number` of these cases, as a run's specification has it."""
    names = {"blocks", "seed", "sides", "kinds", "sweeps"} & run.specification.keys()
    plan = {name: run.specification[name] for name in names}
    if _steps_only(run.specification) and len(run.specification["sides"]) > 1:
        plan["sweeps"] = allocation.sweeps(run.before_round(number))
    return plan_round(number, cases, **plan)


def round_work(specification: Mapping[str, Any]) -> float:
    """What a round of all cases counts in the progress, see `work`."""
    kinds, sweeps = specification.get("kinds", KINDS), specification.get("sweeps", SWEEPS)
    trials = len(specification["cases"]) * len(specification["sides"]) * specification["blocks"]
    return float(trials * (len(kinds) + sweeps * work(STEP_KIND)))


def _goes_on(earlier: runs.Run, number: int) -> bool:
    wanted = earlier.specification
    precision, budget_s = wanted["precision"], wanted["budget_s"]
    if is_decided(earlier, number):
        return False
    if precision is None and budget_s is None:
        return bool(number < wanted["launches"])
    if budget_s is not None and number > 0:
        spent_s = seconds_spent(earlier)
        # Two rounds at least: one launch has no interval that can be relied on.
        if number >= 2 and spent_s + 0.5 * spent_s / number > budget_s:
            return False
    return precision is None or number < LEAST_ROUNDS or bool(_wide(earlier, precision))


def _wanting(earlier: runs.Run, number: int) -> list[Case]:
    """The cases that get more time: all, or those whose intervals are still too wide."""
    cases = _going_on(earlier)
    precision = earlier.specification["precision"]
    if precision is None or number < LEAST_ROUNDS:
        return cases
    wide = _wide(earlier, precision)
    # The first case of a table is what its others are compared with: it stays with them.
    baselines = {case.comparable: case for case in reversed(cases)}
    kept = {case.key for case in wide} | {baselines[case.comparable].key for case in wide}
    return [case for case in cases if case.key in kept]


def _wide(run: runs.Run, precision: float) -> list[Case]:
    widths = widest_interval(run)
    return [case for case in _going_on(run) if not widths.get(case.key, np.inf) <= precision]


def _going_on(run: runs.Run) -> list[Case]:
    """The cases that are not given up on every side."""
    given_up, sides = _given_up(run), run.specification["sides"]
    return [
        case
        for key, case in run.cases.items()
        if any((side, key) not in given_up for side in sides)
    ]


def is_complete(run: runs.Run) -> bool:
    """Whether a run has a record of every trial it consists of."""
    return not any(_missing(plans, run) for plans in _rounds(run))


def rounds_left(run: runs.Run) -> int:
    """Of how many of its planned launches a trial is missing."""
    rounds = range(run.specification["launches"])
    return sum(bool(_missing(next_round(run, number), run)) for number in rounds)


def _rounds(run: runs.Run) -> Iterator[list[list[Planned]]]:
    """Each round, looked for when it is asked for: it hangs on what was recorded until then."""
    return itertools.takewhile(bool, (next_round(run, number) for number in itertools.count()))


def _missing(plans: list[list[Planned]], run: runs.Run) -> list[list[Planned]]:
    rounds = {trial.round for plan in plans for trial in plan}
    in_them = np.flatnonzero(np.isin(run.trials.column("round"), list(rounds)))
    names = ("round", "side", "block", "case", "trial_kind", "sweep")
    have = set(run.trials.values(names, in_them))
    given_up = _given_up(run)
    left = [
        [
            trial
            for trial in plan
            if trial.key not in have and (trial.side, trial.case.key) not in given_up
        ]
        for plan in plans
    ]
    return [plan for plan in left if plan]


def folder_for(
    results: Path, name: str | None, wanted: dict[str, Any], **how: bool
) -> tuple[Path, bool]:
    """`store.folder.Format.folder_for` a run of this specification on this host."""
    here = fingerprint.take()
    return runs.FORMAT.folder_for(results, name, wanted, here, runs.read, is_complete, **how)


def execute(
    folder: Path, data: Dataset, watch: Watcher, sides: Mapping[str, Environment] | None = None
) -> runs.Run:
    """Measure what is missing of a run, return the whole; UserError if a device or the disk fails.

    A worker that dies or exceeds the limit is an outcome of its trial; a new one takes over. Where
    no trial at all ends well that is a NothingMeasuredError, with the first reason.
    """
    with contextlib.closing(runs.Writer(folder)) as writer, data_file(data) as arrays:
        every = sides or {"": Environment()}
        measuring = _Measuring(runs.read(folder), writer, arrays, watch, every)
        run = measuring.run
        for number, plans in enumerate(_rounds(run)):
            measuring.expect(plans, number)
            for place, plan in enumerate(plans):
                for missing in _missing([plan], run):
                    measuring.stage = measuring.named(number, plans, place)
                    measuring.measure(missing)
    # Of a large run two copies are too many.
    del run, measuring
    finished = runs.read(folder)
    failed = failures(finished)
    if failed and not len(finished.good_rows()):
        first = failed[0]
        raise NothingMeasuredError(f"nothing was measured: {first.sentence}", *first.details)
    return finished


def measure_round(
    run: runs.Run,
    number: int,
    keeper: Keeper,
    arrays: DataFile,
    *,
    have: Collection[tuple[Any, ...]] = (),
    next_launch: int = 0,
    next_trial: int = 0,
) -> None:
    """Measure what is missing of one round, whoever measures the others.

    `run` holds the trials that failed before, by which cases are given up; `have` are the keys of
    the round's trials that are measured already. Records are numbered from `next_launch` and
    `next_trial` on. Raises UserError as `execute` does, and whatever `keeper` raises.
    """
    measuring = _Measuring(run, keeper, arrays, lambda _: None, {"": Environment()})
    measuring.next_launch, measuring.next_trial = next_launch, next_trial
    run = measuring.run
    for plan in planned(run, number, _going_on(run)):
        given_up = _given_up(run)
        left = [
            trial
            for trial in plan
            if trial.key not in have and (trial.side, trial.case.key) not in given_up
        ]
        if left:
            measuring.measure(left)


class NothingMeasuredError(UserError):
    """No trial of a run ended well."""


@dataclass(frozen=True)
class Failure:
    """A case, on a side, of whose `trials` so many `failed`, the first for this `reason`."""

    network: str
    context: str
    side: str
    failed: int
    trials: int
    reason: str
    details: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it was measured."""
        return self.failed == self.trials

    @property
    def sentence(self) -> str:
        """All but the details."""
        told = self.reason.startswith((f"{self.named} ", f"{self.named}:"))
        return self.reason if told else f"{self.named}: {self.reason}"

    @property
    def named(self) -> str:
        """The network, with what tells it from the others."""
        where = ", ".join(filter(None, (self.context, self.side)))
        return f"{self.network} ({where})" if where else self.network

    @property
    def told(self) -> str:
        """What is lost by it, for where other trials went on."""
        what = "not measured" if self.is_whole else f"{self.failed} of {self.trials} trials failed"
        return f"{what}: {self.sentence}"


def failures(run: runs.Run) -> list[Failure]:
    """What failed of a run, once for each case and side."""
    named, trials = ("case", "side"), run.trials
    firsts, number = trials.groups(named)
    counts = np.bincount(number, minlength=len(firsts)).tolist()
    failed: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in run.failures():
        failed.setdefault((trial["case"], trial["side"]), []).append(trial)
    several = len({case.context for case in run.cases.values()}) > 1
    told = []
    for (key, side), count in zip(trials.values(named, firsts), counts, strict=True):
        if mine := failed.get((key, side)):
            case, called = run.cases[key], run.name(run.cases[key])
            message = str(mine[0].get("message") or mine[0]["outcome"])
            reason, *details = message.splitlines()
            # A worker knows no name but the label.
            if reason.startswith(f"{case.label} "):
                reason = called + reason.removeprefix(case.label)
            where = called, case.context if several else "", side
            told.append(Failure(*where, len(mine), count, reason, tuple(details)))
    return told


@dataclass
class _Measuring:
    run: runs.Run
    writer: Keeper
    arrays: DataFile
    watch: Watcher
    sides: Mapping[str, Environment]

    def __post_init__(self) -> None:
        trials = self.run.trials
        launches = [record["launch"] for record in self.run.launches]
        self.next_launch = 1 + max([*launches, int(trials.column("launch").max(initial=-1))])
        self.next_trial = 1 + int(trials.column("trial").max(initial=-1))
        # What could not be started with may have been mended since.
        self.run = replace(self.run, trials=trials.where(~trials.are(trial_kind=START_KIND)))
        self.given_up = _given_up(self.run)
        self.stage = ""
        self.widest: float | None = None
        self.done = self.total = 0.0
        self.planned: int = self.run.specification["launches"]
        self.standings: tuple[Standing, ...] = ()
        self.standing_s = 0.0
        self.watched = Watched(self.run)

    def named(self, number: int, plans: list[list[Planned]], place: int) -> str:
        """The launch of one worker of a round among all that are planned, as far as is known."""
        which, where = number * len(plans) + place + 1, plans[place][0].case
        wanted = self.run.specification
        counted = wanted["precision"] is None and wanted["budget_s"] is None
        total = f" of {wanted['launches'] * len(plans)}" if counted else ""
        return f"launch {which}{total} ({where.backend}, {where.device})"

    def expect(self, plans: list[list[Planned]], number: int) -> None:
        wanted = self.run.specification
        spent_s = seconds_spent(self.run)
        self.widest = max(widest_interval(self.run).values(), default=None)
        rounds_left = max(0, wanted["launches"] - number - 1)
        if wanted["budget_s"] is not None and number > 0:
            rounds_left = int((wanted["budget_s"] - spent_s) / (spent_s / number))
        elif wanted["precision"] is not None and self.widest and number >= 2:
            # An interval narrows with the square root of the number of launches.
            needed = number * (self.widest / wanted["precision"]) ** 2
            rounds_left = max(LEAST_ROUNDS - number - 1, int(needed - number))
        rounds_left = max(0, min(rounds_left, MOST_ROUNDS - number - 1))
        left = sum(work(planned.kind) for plan in _missing(plans, self.run) for planned in plan)
        size = sum(work(planned.kind) for plan in plans for planned in plan)
        by_kind = self.run.trials.rows_by("trial_kind")
        self.done = sum(len(rows) * work(kind) for kind, rows in by_kind.items())
        self.total = self.done + left + size * rounds_left
        self.planned = number + 1 + rounds_left
        self._stand()

    def _stand(self) -> None:
        """Compute where the estimates stand; nothing is timed meanwhile."""
        began_s = time.monotonic()
        self.standings = standings(self.run, self.planned)
        self.standing_s = time.monotonic() - began_s

    def measure(self, plan: Sequence[Planned]) -> None:
        """Measure one worker's trials of a round; its sides live side by side and take turns."""
        workers: dict[str, Worker] = {}
        launches: dict[str, int] = {}
        reading: noise.Reading | None = None
        try:
            first = {planned.side: planned for planned in reversed(plan)}
            sides = [name for name in self.sides if name in first]
            # Started together, so that the sides wait for each other's imports only once.
            for side in starting_order(plan[0].round, sides):
                workers[side], launches[side] = self._start(first[side])
            for side in list(workers):
                self._wait(workers, launches, first[side])
            for position, planned in enumerate(plan):
                side = planned.side
                if (side, planned.case.key) in self.given_up:
                    continue
                if side not in workers:
                    workers[side], launches[side] = self._start(planned)
                    if not self._wait(workers, launches, planned):
                        continue
                    reading = None
                words = (side, planned.case.backend, self.run.name(planned.case), planned.kind)
                self._tell(" ".join(word for word in words if word))
                pids = [worker.pid for worker in workers.values()]
                reading = reading or noise.read(pids)
                record = self._trial(workers[side], launches[side], planned)
                # Over one step, counters that tick a hundred times a second say nothing. A look
                # ends with its block, so that what it saw is said of the right one.
                following = plan[position + 1 : position + 2]
                block_ends = not following or following[0].block != planned.block
                window_s = LEAST_NOISE_WINDOW_S if block_ends else NOISE_WINDOW_S
                if time.monotonic() - reading.moment_s >= window_s:
                    after = noise.read(pids)
                    record["noise"] = noise.between(reading, after)
                    reading = after
                self._keep(record)
                if block_ends and self.standing_s < QUICK_S:
                    self._stand()
                if record["outcome"] in ("died", "timeout"):
                    workers.pop(side).stop()
                    reading = None
            self._check_apart(workers, launches)
        finally:
            for worker in workers.values():
                worker.stop()

    def _check_apart(self, workers: Mapping[str, Worker], launches: Mapping[str, int]) -> None:
        """Raise UserError where the sides are one and the same code, with the same packages."""
        projects = [self.sides[side].project for side in workers]
        mine = [one for one in self.run.launches if one["launch"] in launches.values()]
        alike = all(one["versions"] == mine[0]["versions"] for one in mine)
        if alike and len(projects) > 1:
            sides = zip(projects, workers.values(), strict=True)
            own_code.check_apart((one, worker.modules) for one, worker in sides if one)

    def _tell(self, now: str) -> None:
        widest = "" if self.widest is None else f"widest interval {units.within(self.widest)}, "
        counts = round(self.done), round(self.total)
        machine = self.watched.told
        self.watch(Progress(*counts, widest + now, self.stage, self.standings, machine))

    def _start(self, planned: Planned) -> tuple[Worker, int]:
        case, number = planned.case, self.next_launch
        self._tell(f"starting {planned.side or case.backend}")
        log = self.run.folder / "logs" / f"launch-{number:04d}.log"
        bare: Any = {"bare": True} if _steps_only(self.run.specification) else {}
        environment = self.sides[planned.side]
        worker = Worker(case, self.arrays, log, environment=environment, **bare)
        self.next_launch += 1
        return worker, number

    def _wait(
        self,
        workers: dict[str, Worker],
        launches: dict[str, int],
        planned: Planned,
        *,
        again: bool = False,
    ) -> bool:
        """Wait for a side's worker; false, and a record, if none can start with this case."""
        case, side, began_s = planned.case, planned.side, time.monotonic()
        worker, number = workers[side], launches[side]
        try:
            ready = worker.wait_until_ready(self.run.specification["limit_s"])
        except WorkerLostError as lost:
            worker.stop()
            del workers[side]
            # Whoever killed it may have meant another: twice, and it is for what this case needs.
            if not lost.by_itself and not again:
                workers[side], launches[side] = self._start(planned)
                return self._wait(workers, launches, planned, again=True)
            record = self._described(replace(planned, kind=START_KIND), number)
            record |= {"outcome": lost.outcome, "message": str(lost)}
            self._keep(record | {"wall_s": time.monotonic() - began_s})
            return False
        record = {
            "kind": "launch",
            "launch": number,
            "round": planned.round,
            "side": planned.side,
            "began": _now(),
            "backend": case.backend,
            "device": case.device,
            "threads": case.threads,
            **ready,
        }
        self.writer.append(record)
        self.run.launches.append(record)
        return True

    def _described(self, planned: Planned, launch: int) -> dict[str, Any]:
        self.next_trial += 1
        return {
            "kind": "trial",
            "trial": self.next_trial - 1,
            "launch": launch,
            "round": planned.round,
            "side": planned.side,
            "block": planned.block,
            "case": planned.case.key,
            "trial_kind": planned.kind,
            "sweep": planned.sweep,
            "began": _now(),
        }

    def _trial(self, worker: Worker, launch: int, planned: Planned) -> dict[str, Any]:
        record = self._described(planned, launch)
        began_s = time.monotonic()
        try:
            wanted = self.run.specification
            seed = wanted["seed"] + planned.round
            anew = {"anew": True} if _steps_only(wanted) and planned.sweep == 0 else {}
            request = {"kind": planned.kind, "seed": seed, **anew}
            record |= worker.ask(planned.case, wanted["limit_s"], **request)
        except WorkerLostError as lost:
            record |= {"outcome": lost.outcome, "message": str(lost)}
        record["wall_s"] = time.monotonic() - began_s
        return record

    def _keep(self, record: dict[str, Any]) -> None:
        self.writer.append(record, sync=record["trial_kind"] not in SWEPT)
        self.run.trials.append(record)
        self.watched.add(record)
        if record["outcome"] != "ok":
            self.given_up = _given_up(self.run)
        self.done += work(record["trial_kind"])


def _steps_only(wanted: Mapping[str, Any]) -> bool:
    """Whether steps alone are timed: workers need no warm-up, and each block a network anew.

    So what is a network's own speed is averaged within a launch, too
    (`benchmarks/calibration/README.md` has the variances). Layers are told with the machine's
    product rate, which a warm worker measures.
    """
    return wanted.get("kinds") == [] and "layers" not in wanted


def work(kind: str) -> float:
    """What a trial counts in the progress: all sweeps of a case's steps count as one."""
    return 1 / SWEEPS if kind in SWEPT else 1.0


def _given_up(run: runs.Run) -> set[tuple[str, str]]:
    """Pairs of a side and a case that are not tried again.

    Where only one side of a case is left to compare, that one is among them.
    """
    sides = run.specification["sides"]
    counts: Counter[tuple[str, str]] = Counter()
    for trial in run.failures():
        at_once = trial["trial_kind"] == START_KIND or trial["outcome"] == runs.FAILED
        counts[trial["side"], trial["case"]] += FAILURES_ALLOWED if at_once else 1
    given_up = {which for which, count in counts.items() if count >= FAILURES_ALLOWED}
    gone = Counter(case for _, case in given_up)
    alone = [case for case, count in gone.items() if len(sides) - count <= 1]
    return given_up | set(itertools.product(sides, alone))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
