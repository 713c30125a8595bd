"""Running a drift study: processes one after another, each training on disk before the next."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nnbench.drift import plan, saved
from nnbench.drift import worker as drift_worker
from nnbench.drift.plan import Place, Planned
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.process import DataFile, Worker, WorkerLostError, data_file
from nnbench.measure.protocol import Environment
from nnbench.store import runs
from nnbench.workload.datasets import Dataset

Watcher = Callable[[int, int, str], None]
"""Is told how many trainings are finished, of how many, and what is going on."""


def execute(
    folder: Path, data: Dataset, watch: Watcher, sides: Mapping[str, Environment] | None = None
) -> Study:
    """Train what is missing of the study in `folder`, and return the whole.

    `sides` says where the workers of another side run. A process that dies or takes too long is a
    recorded outcome of its training. Raises UserError if a backend is not there, a model
    cannot be trained, or the disk fails.
    """
    writer = runs.Writer(folder)
    try:
        with data_file(data) as arrays:
            _Running(saved.read(folder), writer, arrays, watch, sides or {}).run()
    finally:
        writer.close()
    return saved.read(folder)


class _Running:
    """What grows while a study goes on."""

    def __init__(
        self,
        study: Study,
        writer: runs.Writer,
        arrays: DataFile,
        watch: Watcher,
        sides: Mapping[str, Environment],
    ) -> None:
        self.study, self.writer, self.arrays = study, writer, arrays
        self.watch, self.sides = watch, sides
        self.worker: Worker | None = None
        self.place: Place | None = None

    def run(self) -> None:
        wanted = self.study.specification
        for why in [*plan.skipped(wanted), *self._without_tensorflow()]:
            self._skip(why)
        groups = plan.plan(wanted)
        self.total = sum(map(len, groups))
        try:
            for group in groups:
                # Members of a group carry a process' state on: it is run again as a whole.
                if any(one.key not in self.study.trainings for one in group):
                    self._run_group(group)
        finally:
            self._stop()

    def _without_tensorflow(self) -> list[str]:
        if devices.is_installed("tensorflow"):
            return []
        return [
            f"policy {name}: TensorFlow is not installed here"
            for name in self.study.specification["policies"]
            if POLICIES[name].uses_tensorflow
        ]

    def _skip(self, why: str) -> None:
        if why not in self.study.skipped:
            self.writer.append({"kind": "skipped", "why": why})
            self.study.skipped.append(why)

    def _run_group(self, group: list[Planned]) -> None:
        place, policy = group[0].place, POLICIES[group[0].policy]
        if policy.uses_tensorflow and not devices.is_installed("tensorflow"):
            return
        if place != self.place:
            self._stop()
            if not self._start(group[0]):
                return
        for planned in group:
            if planned.given is not None and not self.study.finished(planned.given):
                continue
            if self.worker is None and not self._start(planned):
                return
            done = len(self.study.trainings)
            self.watch(done, self.total, f"{place.label}, {policy.name}, seed {planned.seed}")
            self._keep(planned, self._train(planned))

    def _start(self, planned: Planned) -> bool:
        place = planned.place
        number = len(self.study.processes)
        log = self.study.folder / "logs" / f"process-{number:04d}.log"
        self.watch(len(self.study.trainings), self.total, f"starting {place.label}")
        worker = drift_worker.start(
            planned.case,
            POLICIES[planned.policy],
            self.arrays,
            log,
            environment=self.sides.get(place.side),
        )
        try:
            ready = worker.wait_until_ready()
        except UserError as mistake:
            # Another device may be missing on one backend; the study goes on without it.
            if planned.condition != plan.DEVICE:
                raise
            self._skip(f"device against device, {place.backend}: {mistake}")
            return False
        except WorkerLostError as lost:
            reason = str(lost).splitlines()[-1]
            raise UserError(
                f"a process for {place.label} did not start ({reason}): see {log}"
            ) from lost
        self.worker, self.place = worker, place
        record = {
            "kind": "process",
            "process": number,
            "backend": place.backend,
            "device": place.device,
            "threads": place.threads,
            "deterministic": place.deterministic,
            "side": place.side,
            **ready,
        }
        self.writer.append(record)
        self.study.processes.append(record)
        return True

    def _train(self, planned: Planned) -> dict[str, Any]:
        assert self.worker is not None
        try:
            answer = drift_worker.train(
                self.worker,
                planned.case,
                POLICIES[planned.policy],
                planned.seed,
                folder=self.study.folder / saved.TRAJECTORIES,
                limit_s=self.study.specification["limit_s"],
                given=self.study.trainings[planned.given]["file"] if planned.given else None,
                fresh=planned.fresh,
                observe_order=planned.condition == plan.ORDER,
            )
        except WorkerLostError as lost:
            self._stop()
            return {"outcome": lost.outcome, "message": str(lost)}
        if "error" in answer:
            if planned.condition in (plan.REFERENCE, plan.NEW):
                raise UserError(answer["error"])
            return {"outcome": "failed", "message": answer["error"]}
        return answer

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
        self.worker, self.place = None, None


def is_complete(folder: Path) -> bool:
    """Whether a study has a record of every training it consists of."""
    study = saved.read(folder)
    planned = [one for group in plan.plan(study.specification) for one in group]
    tensorflow = devices.is_installed("tensorflow")
    return all(
        one.key in study.trainings
        for one in planned
        if one.condition != plan.DEVICE and (tensorflow or not POLICIES[one.policy].uses_tensorflow)
    )
