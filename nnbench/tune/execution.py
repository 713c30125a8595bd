"""Running a tuning: rungs of settings in live processes that take turns, each record on disk.

Processes of a rung, one for each backend and thread count, live side by side; one works at a time.
In every turn each setting is timed once, in an order drawn anew, so that what slows the machine
for a while hits all alike, and a turn's ratios are of neighbours in time.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nnbench.drift.policies import POLICIES
from nnbench.errors import UserError
from nnbench.measure.process import DataFile, Worker, WorkerLostError, data_file
from nnbench.store.folder import Writer
from nnbench.tune import halving, saved
from nnbench.tune import space as spaces
from nnbench.tune.finding import named
from nnbench.tune.halving import Rung
from nnbench.tune.saved import OK, READY_EPOCHS, Process, Tuning, process_of
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

EPOCH_S = 1.0
"""Of slower epochs only the first rows are timed, so many that one takes about as long."""

LEAST_STEPS = 8
"""But so many batches."""

FIRST_LIMIT_S, LEAST_LIMIT_S, LIMIT_SHARE, PATIENCE = 300.0, 20.0, 0.1, 4
MOST_LIMIT_SHARE = 0.2
"""The first look may take so long; a setting that long to be ready (of a small budget, the last
share at most), or the first share of the budget, or so many times what the present one takes,
whichever is more."""

OVER = 1.1
"""No training for the drift begins that would end after so many times the budget."""

POLICY, SEED = "keras", 1
"""How trainings are seeded whose drift is told."""

SLOW_TRAINING_S = 20.0
"""Fewer epochs are trained for the drift where they would take longer; but 2."""

TOO_LATE = {"outcome": "late", "message": "the budget left no time for it (--budget)"}

Watcher = Callable[[float, str, str], None]
"""Is told the seconds spent, what is going on, and the stage."""


Plan = Callable[[Tuning], Rung | None]
"""The rung that follows those of a tuning; None where there is none."""


def execute(folder: Path, data: Dataset, watch: Watcher) -> Tuning:
    """Time what is missing of a tuning; what fails or dies is an outcome of its setting.

    Raises UserError where the present setting cannot be trained, or the disk fails.
    """
    with closing(Writer(folder)) as writer, data_file(data) as arrays:
        execution = _Execution(saved.read(folder), writer, arrays, watch, halving.next_rung)
        if not execution.tuning.is_complete:
            execution.search()
            execution.train()
        return execution.tuning


def time_rungs(folder: Path, data: Dataset, watch: Watcher, plan: Plan) -> Tuning:
    """Time the rungs of another plan, one after the other; raises as `execute` does."""
    with closing(Writer(folder)) as writer, data_file(data) as arrays:
        execution = _Execution(saved.read(folder), writer, arrays, watch, plan)
        execution.search()
        return execution.tuning


@dataclass
class _Execution:
    tuning: Tuning
    writer: Writer
    arrays: DataFile
    watch: Watcher
    plan: Plan
    stage: str = ""
    workers: dict[Process, Worker] = field(default_factory=dict)

    def search(self) -> None:
        """Look at the present setting, then time rung after rung."""
        goes_on = True
        while goes_on:
            with self._stopping():
                if self.tuning.look is None:
                    self._look()
                goes_on = self._went_on()

    def _went_on(self) -> bool:
        """Time the next rung, or what is left of one; false if there is none."""
        rung = self.tuning.unfinished or self._next()
        if rung is None:
            return False
        self.stage = f"{rung.stage}, {len(rung.cases)} settings"
        self._time(rung)
        self._keep({"kind": "end", "rung": rung.number})
        return True

    def _next(self) -> Rung | None:
        rung = self.plan(self.tuning)
        if rung is not None:
            until_s = None if rung.until_s == float("inf") else rung.until_s
            plan = {"rung": rung.number, "stage": rung.stage, "turns": rung.turns}
            settings = [case.to_json() for case in rung.cases]
            self._keep({"kind": "rung", **plan, "until_s": until_s, "settings": settings})
        return rung

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        finally:
            for worker in self.workers.values():
                worker.stop()
            self.workers.clear()

    def _keep(self, record: dict[str, Any]) -> None:
        self.writer.append(record)
        self.tuning = self.tuning.plus(record)

    def _tell(self, now: str) -> None:
        self.watch(self.tuning.spent_s, now, self.stage)

    @property
    def limit_s(self) -> float:
        """Seconds after which a setting is given up."""
        given = self.tuning.specification["limit_s"]
        look = self.tuning.look
        if given or look is None:
            return float(given or max(FIRST_LIMIT_S, LIMIT_SHARE * self.tuning.budget_s))
        present_s: float = PATIENCE * (look["once_s"] + READY_EPOCHS * look["epoch_s"])
        budget_s = self.tuning.budget_s
        least_s = min(LEAST_LIMIT_S, MOST_LIMIT_SHARE * budget_s)
        return max(least_s, LIMIT_SHARE * budget_s, present_s)

    def _name(self, case: Case) -> str:
        return spaces.name(case, self.tuning.present)

    def _look(self) -> None:
        present, self.stage = self.tuning.present, "a first look"
        self._start([present], self._new_launch)
        if not self.workers:
            self._refuse()
        told = self._asked(present, "look")
        if told["outcome"] != OK:
            reason, *details = str(told.get("message", told["outcome"])).splitlines()
            raise UserError(f"{self.tuning.name} cannot be trained as it is: {reason}", *details)
        record = {name: told[name] for name in ("once_s", "step_s", "epoch_s")}
        rows = present.trained_rows
        if told["epoch_s"] > EPOCH_S and present.training.batch_size and not self.arrays.is_stream:
            steps = max(LEAST_STEPS, round(EPOCH_S / told["step_s"]))
            rows = min(rows, steps * present.batch_rows)
        record["epoch_s"] *= rows / present.trained_rows
        self._keep({"kind": "look", **record, "rows": rows, "wall_s": told["wall_s"]})

    def _time(self, rung: Rung) -> None:
        launch = self._new_launch
        self._start(rung.cases, launch)
        ready = self._prepare(rung, launch)
        if self.tuning.present.key not in {case.key for case in ready}:
            self._refuse()
        done = self._complete_turns(rung)
        for turn in range(done, rung.turns):
            order = list(ready)
            drawn = f"{self.tuning.specification['seed']}/{rung.number}/{turn}"
            random.Random(drawn).shuffle(order)
            for case in order:
                if process_of(case) not in self.workers:
                    continue
                self._tell(f"turn {turn + 1} of {rung.turns}, {self._name(case)}")
                where = {"launch": launch, "rung": rung.number, "turn": turn}
                told = self._asked(case, "time")
                self._keep({"kind": "time", **where, "case": case.key, **told})
                if told["outcome"] != OK:
                    ready = [one for one in ready if one.key != case.key]
            if process_of(self.tuning.present) not in self.workers:
                return

    def _complete_turns(self, rung: Rung) -> int:
        """Turns that an interrupted rung has whole: the others are timed in new processes."""
        times = [one for one in self.tuning.of("time") if one["rung"] == rung.number]
        # The last turn that was begun may lack some settings.
        return max(0, max((one["turn"] for one in times), default=0))

    def _refuse(self) -> None:
        present = self.tuning.present
        last = self.tuning.prepared.get(present.key, {})
        reason, *details = str(last.get("message", "it did not start")).splitlines()
        raise UserError(f"{self.tuning.name} cannot be trained as it is now: {reason}", *details)

    def _prepare(self, rung: Rung, launch: int) -> list[Case]:
        """The settings that are ready to be timed, the present one first."""
        ready: list[Case] = []
        left = list(rung.cases)
        while left:
            case = left.pop(0)
            is_late = self.tuning.spent_s > rung.until_s and len(ready) >= halving.LEAST_TRIED
            process = process_of(case)
            if is_late or (process not in self.workers and not self._again(case, launch)):
                continue
            self._tell(f"compiling {self._name(case)}")
            told = self._asked(case, "ready")
            self._keep({"kind": "ready", "launch": launch, "case": case.key, **told})
            if told["outcome"] == OK:
                ready.append(case)
            if process not in self.workers:
                # Others were ready in it: they are made so again.
                lost = [one for one in ready if process_of(one) == process]
                ready = [one for one in ready if one not in lost]
                left = lost + left
        return ready

    def _again(self, case: Case, launch: int) -> bool:
        """Start a process anew, after one was lost."""
        if case.key in self.tuning.failed:
            return False
        self._start([case], launch)
        return process_of(case) in self.workers

    @property
    def _new_launch(self) -> int:
        # A rung in the process of the first look starts none, and has a launch all the same.
        kinds = (self.tuning.of(kind) for kind in ("start", "ready", "time"))
        return 1 + max((one["launch"] for each in kinds for one in each), default=-1)

    def _start(self, cases: Sequence[Case], launch: int) -> None:
        """Start the processes of these settings that do not live, together, and wait for each."""
        first: dict[Process, Case] = {}
        for case in cases:
            if process_of(case) not in self.workers:
                first.setdefault(process_of(case), case)
        self._tell(f"starting {', '.join(dict.fromkeys(case.backend for case in first.values()))}")
        logs = self.tuning.folder / "logs"
        began_s = time.monotonic()
        for process, case in first.items():
            log = logs / f"launch-{launch:04d}-{case.backend}-{case.key}.log"
            self.workers[process] = Worker(case, self.arrays, log, room="nnbench.tune.worker")
        for process, case in first.items():
            told: dict[str, Any] = {"kind": "start", "launch": launch}
            told |= dict(zip(("backend", "device", "threads"), case.worker, strict=True))
            try:
                self.workers[process].wait_until_ready()
            except (UserError, WorkerLostError) as lost:
                self.workers.pop(process).stop()
                outcome = {"outcome": "died", "message": str(lost), "wall_s": 0.0}
                for each in cases:
                    if process_of(each) == process:
                        self._keep({"kind": "ready", "launch": launch, "case": each.key, **outcome})
            # They start side by side: only what is waited for counts.
            self._keep({**told, "wall_s": time.monotonic() - began_s})
            began_s = time.monotonic()

    def _asked(self, case: Case, kind: str, **request: Any) -> dict[str, Any]:
        """A process' answer, with what it took; a process that is lost is stopped."""
        began_s, process = time.monotonic(), process_of(case)
        try:
            rows = self.tuning.rows
            told = self.workers[process].ask(case, self.limit_s, kind=kind, rows=rows, **request)
        except WorkerLostError as lost:
            self.workers.pop(process).stop()
            told = {"outcome": lost.outcome, "message": str(lost)}
            if lost.outcome == "timeout":
                told["message"] = f"not ready within {self.limit_s:.0f} s: --limit allows more"
        return {**told, "wall_s": time.monotonic() - began_s}

    def train(self) -> None:
        """Train the present setting twice, and those that are named once, from the same start.

        What the budget leaves no time for is told so.
        """
        present, self.stage = self.tuning.present, "drift and memory"
        for case in (present, *named(self.tuning)):
            have = self.tuning.trainings(case.key)
            wanted = 2 if case.key == present.key else 1
            if len(have) >= wanted:
                continue
            if self.tuning.spent_s + self.tuning.training_s(case) > OVER * self.tuning.budget_s:
                for repeat in range(len(have), wanted):
                    where = {"case": case.key, "repeat": repeat, "epochs": self._epochs}
                    self._keep({"kind": "training", **where, **TOO_LATE})
                continue
            with self._stopping():
                self._start([case], self._new_launch)
                if process_of(case) not in self.workers:
                    continue
                self._tell(f"memory of {self._name(case)}")
                peak = self._asked(case, "peak")
                for repeat in range(len(have), wanted):
                    if process_of(case) in self.workers:
                        self._train_one(case, repeat, peak)
        self._keep({"kind": "done"})

    @property
    def _epochs(self) -> int:
        """Epochs after which the drift is told."""
        look = self.tuning.look
        assert look is not None
        return max(2, min(self.tuning.epochs, int(SLOW_TRAINING_S / look["epoch_s"])))

    def _train_one(self, case: Case, repeat: int, peak: dict[str, Any]) -> None:
        self._tell(f"drift of {self._name(case)}")
        reference = self.tuning.trainings(self.tuning.present.key)[:1]
        epochs = self._epochs
        unshuffled = replace(case.training, shuffle=False)
        told = self._asked(
            replace(case, training=unshuffled, cold_epochs=epochs),
            "train",
            code=POLICIES[POLICY].code_for(case.backend),
            seed=SEED,
            folder=str((self.tuning.folder / saved.TRAJECTORIES).resolve()),
            given=reference[0].get("file") if reference else None,
        )
        peaks = {name: one for name, one in peak.items() if name.startswith("peak_")}
        told["wall_s"] += peak.pop("wall_s", 0.0)
        record = {"kind": "training", "case": case.key, "repeat": repeat, "epochs": epochs}
        self._keep({**record, **peaks, **told})
