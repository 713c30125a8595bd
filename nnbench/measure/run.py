"""A run: rounds of trials measured in workers, each trial on disk before the next begins.

Without a precision or budget a run has a fixed number of rounds. With one, rounds go on: cases
whose intervals are narrow enough get no more time, the others do, until all are or the time is
spent. What a round consists of follows from the records of the rounds before it, so that a run
that was killed goes on with what it would have done.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nnbench import fingerprint, results
from nnbench.case import Case
from nnbench.datasets import Dataset
from nnbench.errors import UserError
from nnbench.measure import noise
from nnbench.measure.launch import Launch, WorkerLostError
from nnbench.measure.schedule import ONE_SIDE, Planned, plan_round
from nnbench.summary import widest_interval

FAILURES_ALLOWED = 2
"""A case that failed this often is given up; the others go on."""

LEAST_ROUNDS = 3
"""Before this many launches an interval says too little to stop on it."""

MOST_ROUNDS = 200


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    `total` is a projection when the number of rounds is open; `now` says what is being done;
    `widest` is half the relative width of the widest interval so far, None before there is one.
    """

    done: int
    total: int
    now: str
    widest: float | None = None


Watcher = Callable[[Progress], None]


@dataclass(frozen=True)
class Side:
    """Where one side's workers run: a Python and a working directory; None is the parent's."""

    python: str = sys.executable
    folder: Path | None = None


def specification(
    cases: Sequence[Case],
    *,
    launches: int,
    blocks: int,
    seed: int,
    limit_s: float,
    precision: float | None = None,
    budget_s: float | None = None,
    sides: Sequence[str] = ONE_SIDE,
) -> dict[str, Any]:
    """Everything that decides which trials a run consists of, as plain data.

    Raises UserError for numbers that make no run.
    """
    if launches < 1 or blocks < 1:
        raise UserError("a run needs at least one launch and one block")
    if limit_s <= 0:
        raise UserError(f"a limit of {limit_s} s a trial leaves no time to measure")
    if precision is not None and not 0 < precision < 1:
        raise UserError("a precision lies between 0 % and 100 %, such as 2%")
    if budget_s is not None and budget_s <= 0:
        raise UserError("a budget is a time above 0, such as 5min")
    return {
        "cases": [case.to_json() for case in cases],
        "launches": launches,
        "blocks": blocks,
        "seed": seed,
        "limit_s": limit_s,
        "precision": precision,
        "budget_s": budget_s,
        "sides": list(sides),
    }


def next_round(run: results.Run, number: int) -> list[list[Planned]]:
    """Round `number` of a run, given the records of the rounds before it; empty when it is over."""
    wanted = run.specification
    earlier = run.before_round(number)
    if number >= MOST_ROUNDS or not _goes_on(earlier, number):
        return []
    given_up = {case for case, count in _failures(earlier).items() if count >= FAILURES_ALLOWED}
    cases = [case for case in _wanting(earlier, number) if case.key not in given_up]
    return plan_round(
        number, cases, blocks=wanted["blocks"], seed=wanted["seed"], sides=wanted["sides"]
    )


def _goes_on(earlier: results.Run, number: int) -> bool:
    wanted = earlier.specification
    precision, budget_s = wanted["precision"], wanted["budget_s"]
    if precision is None and budget_s is None:
        return bool(number < wanted["launches"])
    if budget_s is not None and number > 0:
        spent_s = seconds_spent(earlier)
        # Two rounds at least: one launch has no interval that can be relied on.
        if number >= 2 and spent_s + 0.5 * spent_s / number > budget_s:
            return False
    return precision is None or number < LEAST_ROUNDS or bool(_wide(earlier, precision))


def _wanting(earlier: results.Run, number: int) -> list[Case]:
    """The cases that get more time: all, or those whose intervals are still too wide."""
    cases = list(earlier.cases.values())
    precision = earlier.specification["precision"]
    if precision is None or number < LEAST_ROUNDS:
        return cases
    wide = _wide(earlier, precision)
    # The first case of a worker is what its others are compared with: it stays with them.
    baselines = {case.worker: case for case in reversed(cases)}
    kept = {case.key for case in wide} | {baselines[case.worker].key for case in wide}
    return [case for case in cases if case.key in kept]


def _wide(run: results.Run, precision: float) -> list[Case]:
    widths = widest_interval(run)
    return [case for key, case in run.cases.items() if not widths.get(key, np.inf) <= precision]


def seconds_spent(run: results.Run) -> float:
    """Seconds that a run's launches and trials took, by its records."""
    starting_s = sum(record["import_s"] + record["first_use_s"] for record in run.launches)
    return float(starting_s + sum(trial["wall_s"] for trial in run.trials))


def is_complete(run: results.Run) -> bool:
    """Whether a run has a record of every trial it consists of."""
    number = 0
    while launches := next_round(run, number):
        if any(_missing(launches, run)):
            return False
        number += 1
    return True


def _missing(launches: list[list[Planned]], run: results.Run) -> list[list[Planned]]:
    have = {
        (trial["round"], trial["side"], trial["block"], trial["case"], trial["trial_kind"])
        for trial in run.trials
    }
    given_up = {case for case, count in _failures(run).items() if count >= FAILURES_ALLOWED}
    left = [
        [trial for trial in launch if trial.key not in have and trial.case.key not in given_up]
        for launch in launches
    ]
    return [launch for launch in left if launch]


def unfinished(folder: Path, wanted: dict[str, Any], here: dict[str, Any]) -> Path | None:
    """The newest run below `folder` with this specification and fingerprint, if incomplete."""
    for candidate in reversed(results.find(folder)):
        try:
            run = results.read(candidate)
        except UserError:
            continue
        if run.specification == wanted and not fingerprint.differences(run.fingerprint, here):
            return None if is_complete(run) else candidate
    return None


def execute(
    folder: Path, data: Dataset, watch: Watcher, sides: Mapping[str, Side] | None = None
) -> results.Run:
    """Measure what is missing of the run in `folder`, and return the whole.

    `sides` says where the workers of each side of the specification run. A worker that dies or
    exceeds the limit is a recorded outcome of its trial; a new worker takes over. Raises
    UserError if a backend or device is not there or the disk fails.
    """
    writer = results.Writer(folder)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            arrays = Path(scratch) / "data.npz"
            np.savez(arrays, features=data.features, labels=data.labels)
            measuring = _Measuring(
                results.read(folder), writer, arrays, watch, sides or {"": Side()}
            )
            number = 0
            while launches := next_round(measuring.run, number):
                measuring.expect(launches, number)
                for trials in _missing(launches, measuring.run):
                    measuring.launch(trials)
                number += 1
    finally:
        writer.close()
    return results.read(folder)


@dataclass
class _Measuring:
    """What grows while a run goes on."""

    run: results.Run
    writer: results.Writer
    arrays: Path
    watch: Watcher
    sides: Mapping[str, Side]
    total: int = field(default=0)
    widest: float | None = field(default=None)

    def expect(self, launches: list[list[Planned]], number: int) -> None:
        """Project the number of trials, given the round that is about to be measured."""
        wanted = self.run.specification
        left = sum(len(trials) for trials in _missing(launches, self.run))
        size = sum(len(trials) for trials in launches)
        rounds_left = max(0, wanted["launches"] - number - 1)
        if wanted["budget_s"] is not None and number > 0:
            round_s = seconds_spent(self.run) / number
            rounds_left = int((wanted["budget_s"] - seconds_spent(self.run)) / round_s)
        elif wanted["precision"] is not None and self.widest and number >= 2:
            # An interval narrows with the square root of the number of launches.
            needed = number * (self.widest / wanted["precision"]) ** 2
            rounds_left = max(LEAST_ROUNDS - number - 1, int(needed - number))
        self.total = len(self.run.trials) + left + size * max(0, min(rounds_left, MOST_ROUNDS))
        widths = widest_interval(self.run)
        self.widest = max(widths.values()) if widths else None

    def launch(self, trials: Sequence[Planned]) -> None:
        """Measure the trials of one launch, in a new worker whenever one is lost."""
        worker: Launch | None = None
        try:
            for planned in trials:
                if _failures(self.run)[planned.case.key] >= FAILURES_ALLOWED:
                    continue
                worker = worker or self._start(planned)
                label = " ".join(
                    part
                    for part in (
                        planned.side,
                        planned.case.backend,
                        planned.case.architecture.label,
                    )
                    if part
                )
                self._tell(f"{label} {planned.kind}")
                if not self._measure(worker, planned):
                    worker.stop()
                    worker = None
        finally:
            if worker is not None:
                worker.stop()

    def _tell(self, now: str) -> None:
        self.watch(Progress(len(self.run.trials), self.total, now, self.widest))

    def _start(self, planned: Planned) -> Launch:
        case = planned.case
        number = max((record["launch"] for record in self.run.launches), default=-1) + 1
        self._tell(f"starting {planned.side or case.backend}")
        log = self.run.folder / "logs" / f"launch-{number:04d}.log"
        side = self.sides[planned.side]
        try:
            worker = Launch(case, self.arrays, log, python=side.python, folder=side.folder)
        except WorkerLostError as lost:
            reason = str(lost).splitlines()[0]
            raise UserError(
                f"a worker for {case.backend} did not start ({reason}): see {log}"
            ) from lost
        self._record(
            {
                "kind": "launch",
                "launch": number,
                "round": planned.round,
                "side": planned.side,
                "began": _now(),
                "backend": case.backend,
                "device": case.device,
                "threads": case.threads,
                **worker.started,
            }
        )
        return worker

    def _measure(self, worker: Launch, planned: Planned) -> bool:
        """Measure and record one trial; False if the worker is lost."""
        record: dict[str, Any] = {
            "kind": "trial",
            "trial": max((trial["trial"] for trial in self.run.trials), default=-1) + 1,
            "launch": self.run.launches[-1]["launch"],
            "round": planned.round,
            "side": planned.side,
            "block": planned.block,
            "case": planned.case.key,
            "trial_kind": planned.kind,
            "began": _now(),
        }
        before = noise.read(worker.pid)
        began_s = time.monotonic()
        alive = True
        try:
            record |= worker.measure(planned.case, planned.kind, self.run.specification["limit_s"])
            record["wall_s"] = time.monotonic() - began_s
            record["noise"] = noise.between(before, noise.read(worker.pid))
        except WorkerLostError as lost:
            record |= {"outcome": lost.outcome, "message": str(lost)}
            record["wall_s"] = time.monotonic() - began_s
            alive = False
        self._record(record)
        return alive

    def _record(self, record: dict[str, Any]) -> None:
        self.writer.append(record)
        (self.run.launches if record["kind"] == "launch" else self.run.trials).append(record)


def _failures(run: results.Run) -> Counter[str]:
    return Counter(trial["case"] for trial in run.failures())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
