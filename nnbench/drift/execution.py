"""Running a drift study: processes one after another, each training on disk before the next."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.drift import plan, saved
from nnbench.drift.plan import Planned, Process
from nnbench.drift.policies import POLICIES, Policy
from nnbench.drift.saved import Study
from nnbench.errors import UserError
from nnbench.measure.process import DataFile, Worker, WorkerLostError, data_file
from nnbench.measure.protocol import Environment
from nnbench.store.folder import Writer
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

Watcher = Callable[[int, int, str], None]
"""Is told how many trainings are finished, of how many, and what is going on."""


@contextmanager
def added_to(folder: Path, data: Dataset) -> Iterator[tuple[Study, Writer, DataFile]]:
    """A study to add records to, what writes them, and the data as a file for workers."""
    with closing(Writer(folder)) as writer, data_file(data) as arrays:
        yield saved.read(folder), writer, arrays


def start(
    case: Case,
    policy: Policy,
    data: DataFile,
    log: Path,
    *,
    environment: Environment | None = None,
    patient: bool = True,
) -> Worker:
    """Start a process; if `patient`, Torch's threads wait asleep, which changes no number."""
    patience = {"OMP_WAIT_POLICY": "passive"} if patient else {}
    settings, room = patience | policy.settings_for(case.backend), "nnbench.drift.worker"
    return Worker(case, data, log, environment=environment, room=room, settings=settings)


def execute(
    folder: Path, data: Dataset, watch: Watcher, environments: Mapping[str, Environment]
) -> None:
    """Train what is missing of a study; a process that dies or takes too long is an outcome.

    Raises UserError if a backend is not there, a model cannot be trained, no training ends well, or
    the disk fails.
    """
    with added_to(folder, data) as (study, writer, arrays):
        groups = plan.plan(study.specification)
        execution = _Execution(study, writer, arrays, watch, environments, sum(map(len, groups)))
        try:
            execution.run(groups)
        finally:
            execution.stop()
        lost = [one for one in study.trainings.values() if one["outcome"] != "ok"]
        if lost and len(lost) == len(study.trainings):
            raise mistake(f"no training ended well: {lost[0].get('message', lost[0]['outcome'])}")


def mistake(message: str) -> UserError:
    """A failure as a worker tells it: the reason in a line, and details below."""
    reason, *details = message.splitlines()
    return UserError(reason, *details)


@dataclass
class _Execution:
    study: Study
    writer: Writer
    arrays: DataFile
    watch: Watcher
    environments: Mapping[str, Environment]
    total: int
    worker: Worker | None = None
    process: Process | None = None

    def run(self, groups: list[list[Planned]]) -> None:
        for why in plan.skipped(self.study.specification):
            self._skip(why)
        for group in groups:
            # Members of a group carry a process' state on: it is run again as a whole.
            missing = any(one.key not in self.study.trainings for one in group)
            if missing and POLICIES[group[0].policy].runs_here:
                self._run_group(group)

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.stop()
        self.worker, self.process = None, None

    def _skip(self, why: str) -> None:
        if why not in self.study.skipped:
            self.writer.append({"kind": "skipped", "why": why})
            self.study.skipped.append(why)

    def _tell(self, now: str) -> None:
        self.watch(len(self.study.trainings), self.total, now)

    def _run_group(self, group: list[Planned]) -> None:
        if group[0].process != self.process:
            self.stop()
        for planned in group:
            if planned.given is not None and not self.study.finished(planned.given):
                continue
            worker = self.worker or self._start(planned)
            if worker is None:
                return
            self._tell(f"{planned.process.label}, {planned.policy}, seed {planned.seed}")
            record = {
                "kind": "training",
                "key": planned.key,
                "backend": planned.case.backend,
                "policy": planned.policy,
                "seed": planned.seed,
                "condition": planned.condition,
                "member": planned.member,
                "process": len(self.study.processes) - 1,
                **self._train(worker, planned),
            }
            self.writer.append(record)
            self.study.trainings[planned.key] = record

    def _start(self, planned: Planned) -> Worker | None:
        """The process of a training; None where its device is missing on one backend only."""
        process, number = planned.process, len(self.study.processes)
        log = self.study.folder / "logs" / f"process-{number:04d}.log"
        self._tell(f"starting {process.label}")
        policy, elsewhere = POLICIES[planned.policy], self.environments.get(process.environment)
        worker = start(planned.case, policy, self.arrays, log, environment=elsewhere)
        try:
            ready = worker.wait_until_ready()
        except UserError as mistake:
            if planned.condition != plan.DEVICE:
                raise
            self._skip(f"device against device, {process.backend}: {mistake}")
            return None
        except WorkerLostError as lost:
            worker.stop()
            raise UserError(
                f"a process for {process.label} did not start ({lost.reason}): see {log}"
            ) from lost
        self.worker, self.process = worker, process
        record = {
            "kind": "process",
            "process": number,
            "backend": process.backend,
            "device": process.device,
            "threads": process.threads,
            "deterministic": process.deterministic,
            "side": process.environment,
            **ready,
        }
        self.writer.append(record)
        self.study.processes.append(record)
        return worker

    def _train(self, worker: Worker, planned: Planned) -> dict[str, Any]:
        try:
            answer = worker.ask(
                planned.case,
                self.study.specification["limit_s"],
                kind="train",
                code=POLICIES[planned.policy].code_for(planned.case.backend),
                seed=planned.seed,
                folder=str(self.study.trajectories),
                given=self.study.trainings[planned.given]["file"] if planned.given else None,
                fresh=planned.fresh,
                observe_order=planned.condition == plan.ORDER,
            )
        except WorkerLostError as lost:
            self.stop()
            return {"outcome": lost.outcome, "message": str(lost)}
        if "error" not in answer:
            return answer
        if planned.condition in (plan.REFERENCE, plan.NEW):
            raise mistake(answer["error"])
        return {"outcome": "failed", "message": answer["error"]}
