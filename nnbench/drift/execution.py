"""Running a drift study: processes one after another, each training on disk before the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.drift import plan, train_in_process
from nnbench.drift.plan import Planned, Process
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.drift.train_in_process import Watcher
from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.process import DataFile, Worker, WorkerLostError
from nnbench.measure.protocol import Environment
from nnbench.store.folder import Writer
from nnbench.workload.datasets import Dataset


def execute(
    folder: Path,
    data: Dataset,
    watch: Watcher,
    environments: Mapping[str, Environment] | None = None,
) -> None:
    """Train what is missing of the study in `folder`.

    `environments` says where the processes of another environment run. A process that dies or
    takes too long is a recorded outcome of its training. Raises UserError if a backend is not
    there, a model cannot be trained, or the disk fails.
    """
    with train_in_process.added_to(folder, data) as (study, writer, arrays):
        _Execution(study, writer, arrays, watch, environments or {}).run()


@dataclass
class _Execution:
    """What grows while a study goes on."""

    study: Study
    writer: Writer
    arrays: DataFile
    watch: Watcher
    environments: Mapping[str, Environment]
    worker: Worker | None = None
    process: Process | None = None

    def __post_init__(self) -> None:
        self.groups = plan.plan(self.study.specification)
        self.tensorflow = devices.is_installed("tensorflow")

    def run(self) -> None:
        wanted = self.study.specification
        for why in plan.skipped(wanted):
            self._skip(why)
        for name in wanted["policies"]:
            if not self._can_run(name):
                self._skip(f"policy {name}: TensorFlow is not installed here")
        try:
            for group in self.groups:
                # Members of a group carry a process' state on: it is run again as a whole.
                missing = any(one.key not in self.study.trainings for one in group)
                if missing and self._can_run(group[0].policy):
                    self._run_group(group)
        finally:
            self._stop()

    def _can_run(self, policy: str) -> bool:
        return self.tensorflow or not POLICIES[policy].uses_tensorflow

    def _skip(self, why: str) -> None:
        if why not in self.study.skipped:
            self.writer.append({"kind": "skipped", "why": why})
            self.study.skipped.append(why)

    def _tell(self, now: str) -> None:
        self.watch(len(self.study.trainings), sum(map(len, self.groups)), now)

    def _run_group(self, group: list[Planned]) -> None:
        if group[0].process != self.process:
            self._stop()
        for planned in group:
            if planned.given is not None and not self.study.finished(planned.given):
                continue
            if self.worker is None and not self._start(planned):
                return
            self._tell(f"{planned.process.label}, {planned.policy}, seed {planned.seed}")
            self._keep(planned, self._train(planned))

    def _start(self, planned: Planned) -> bool:
        process = planned.process
        log = self.study.folder / "logs" / f"process-{len(self.study.processes):04d}.log"
        self._tell(f"starting {process.label}")
        worker = train_in_process.start(
            planned.case,
            POLICIES[planned.policy],
            self.arrays,
            log,
            environment=self.environments.get(process.environment),
        )
        try:
            ready = worker.wait_until_ready()
        except UserError as mistake:
            # Another device may be missing on one backend; the study goes on without it.
            if planned.condition != plan.DEVICE:
                raise
            self._skip(f"device against device, {process.backend}: {mistake}")
            return False
        except WorkerLostError as lost:
            reason = str(lost).splitlines()[-1]
            raise UserError(
                f"a process for {process.label} did not start ({reason}): see {log}"
            ) from lost
        self.worker, self.process = worker, process
        record = {
            "kind": "process",
            "process": len(self.study.processes),
            "backend": process.backend,
            "device": process.device,
            "threads": process.threads,
            "deterministic": process.deterministic,
            "side": process.environment,
            **ready,
        }
        self.writer.append(record)
        self.study.processes.append(record)
        return True

    def _train(self, planned: Planned) -> dict[str, Any]:
        assert self.worker is not None
        try:
            answer = train_in_process.train(
                self.worker,
                planned.case,
                POLICIES[planned.policy],
                planned.seed,
                folder=self.study.trajectories,
                limit_s=self.study.specification["limit_s"],
                given=self.study.trainings[planned.given]["file"] if planned.given else None,
                fresh=planned.fresh,
                observe_order=planned.condition == plan.ORDER,
            )
        except WorkerLostError as lost:
            self._stop()
            return {"outcome": lost.outcome, "message": str(lost)}
        if "error" not in answer:
            return answer
        if planned.condition in (plan.REFERENCE, plan.NEW):
            raise UserError(answer["error"])
        return {"outcome": "failed", "message": answer["error"]}

    def _keep(self, planned: Planned, answer: dict[str, Any]) -> None:
        record = {
            "kind": "training",
            "key": planned.key,
            "backend": planned.case.backend,
            "policy": planned.policy,
            "seed": planned.seed,
            "condition": planned.condition,
            "member": planned.member,
            "process": len(self.study.processes) - 1,
            **answer,
        }
        self.writer.append(record)
        self.study.trainings[planned.key] = record

    def _stop(self) -> None:
        if self.worker is not None:
            self.worker.stop()
        self.worker, self.process = None, None
