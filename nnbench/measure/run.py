"""A run: planned trials measured in workers, each on disk before the next begins."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nnbench import fingerprint, results
from nnbench.case import Case
from nnbench.datasets import Dataset
from nnbench.errors import UserError
from nnbench.measure.launch import Launch, WorkerLost
from nnbench.measure.schedule import Planned, plan

FAILURES_ALLOWED = 2
"""A case that failed this often is given up; the others go on."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `now` says what is being done, in words."""

    done: int
    total: int
    now: str


Watcher = Callable[[Progress], None]


def specification(
    cases: Sequence[Case], *, launches: int, blocks: int, seed: int, limit_s: float
) -> dict[str, Any]:
    """Everything that decides which trials a run consists of, as plain data.

    Raises UserError for numbers that make no run.
    """
    if launches < 1 or blocks < 1:
        raise UserError("a run needs at least one launch and one block")
    if limit_s <= 0:
        raise UserError(f"a limit of {limit_s} s a trial leaves no time to measure")
    return {
        "cases": [case.to_json() for case in cases],
        "launches": launches,
        "blocks": blocks,
        "seed": seed,
        "limit_s": limit_s,
    }


def remaining(run: results.Run) -> list[list[Planned]]:
    """The planned trials that a run has no record of, by planned launch; empty when complete."""
    wanted = run.specification
    slots = plan(
        list(run.cases.values()),
        launches=wanted["launches"],
        blocks=wanted["blocks"],
        seed=wanted["seed"],
    )
    have = {(trial["block"], trial["case"], trial["trial_kind"]) for trial in run.trials}
    given_up = {case for case, count in _failures(run.trials).items() if count >= FAILURES_ALLOWED}
    left = [
        [trial for trial in slot if trial.key not in have and trial.case.key not in given_up]
        for slot in slots
    ]
    return [slot for slot in left if slot]


def unfinished(folder: Path, wanted: dict[str, Any], here: dict[str, Any]) -> Path | None:
    """The newest run below `folder` with this specification and fingerprint that is incomplete."""
    for candidate in reversed(results.find(folder)):
        try:
            run = results.read(candidate)
        except UserError:
            continue
        if run.specification == wanted and not fingerprint.differences(run.fingerprint, here):
            return candidate if remaining(run) else None
    return None


def execute(folder: Path, data: Dataset, watch: Watcher) -> results.Run:
    """Measure what is missing of the run in `folder`, and return the whole.

    A worker that dies or exceeds the limit is a recorded outcome of its trial; a new worker
    takes over. Raises UserError if a backend or device is not there or the disk fails.
    """
    run = results.read(folder)
    state = _State(run, watch)
    writer = results.Writer(folder)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            arrays = Path(scratch) / "data.npz"
            np.savez(arrays, features=data.features, labels=data.labels)
            for slot in remaining(run):
                _measure_slot(slot, arrays, state, writer)
    finally:
        writer.close()
    return results.read(folder)


class _State:
    """What grows while a run goes on."""

    def __init__(self, run: results.Run, watch: Watcher) -> None:
        self.folder = run.folder
        self.limit_s: float = run.specification["limit_s"]
        self.launch = max((record["launch"] for record in run.launches), default=-1)
        self.trial = max((record["trial"] for record in run.trials), default=-1)
        self.failures = _failures(run.trials)
        left = sum(len(slot) for slot in remaining(run))
        self.done = len(run.trials)
        self.total = self.done + left
        self._watch = watch

    def tell(self, now: str) -> None:
        self._watch(Progress(self.done, self.total, now))


def _failures(trials: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(trial["case"] for trial in trials if trial["outcome"] != "ok")


def _measure_slot(
    slot: Sequence[Planned], arrays: Path, state: _State, writer: results.Writer
) -> None:
    launch: Launch | None = None
    try:
        for planned in slot:
            case = planned.case
            if state.failures[case.key] >= FAILURES_ALLOWED:
                state.total -= 1
                continue
            if launch is None:
                launch = _start(case, arrays, state, writer)
            state.tell(f"{case.backend} {case.architecture.label} {planned.kind}")
            record, lost = _measure_one(launch, planned, state)
            writer.append(record)
            state.done += 1
            if record["outcome"] != "ok":
                state.failures[case.key] += 1
            if lost:
                launch.stop()
                launch = None
    finally:
        if launch is not None:
            launch.stop()


def _start(case: Case, arrays: Path, state: _State, writer: results.Writer) -> Launch:
    state.launch += 1
    state.tell(f"starting {case.backend}")
    log = state.folder / "logs" / f"launch-{state.launch:04d}.log"
    try:
        launch = Launch(case, arrays, log)
    except WorkerLost as lost:
        raise UserError(
            f"a worker for {case.backend} did not start ({lost.args[0].splitlines()[0]}): see {log}"
        ) from lost
    writer.append(
        {
            "kind": "launch",
            "launch": state.launch,
            "began": _now(),
            "backend": case.backend,
            "device": case.device,
            "threads": case.threads,
            **launch.started,
        }
    )
    return launch


def _measure_one(
    launch: Launch, planned: Planned, state: _State
) -> tuple[dict[str, Any], bool]:
    state.trial += 1
    record: dict[str, Any] = {
        "kind": "trial",
        "trial": state.trial,
        "launch": state.launch,
        "block": planned.block,
        "case": planned.case.key,
        "trial_kind": planned.kind,
        "began": _now(),
    }
    began_s = time.monotonic()
    lost = False
    try:
        record |= launch.measure(planned.case, planned.kind, state.limit_s)
    except WorkerLost as failure:
        record |= {"outcome": failure.outcome, "message": str(failure)}
        lost = True
    record["wall_s"] = time.monotonic() - began_s
    return record, lost


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
