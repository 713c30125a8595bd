"""What is timed of a network's layers: a look at it first, then as much as the time is worth."""

import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.layers import listed
from nnbench.layers.listed import Listed
from nnbench.machine import fingerprint
from nnbench.machine.fields import Field
from nnbench.measure.effort import FEWEST_LAUNCHES, MINUTES_S, STARTS_S
from nnbench.measure.process import Worker, WorkerLostError, data_file
from nnbench.measure.trial import SAMPLE_S, turn
from nnbench.show import units
from nnbench.store import runs
from nnbench.workload import user_model
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset, nest
from nnbench.workload.study import Effort, Study

ROOM = "nnbench.layers.worker"
LOOKED = "layers"
"""Under this name a run's specification holds what the look has found, by the cases' keys."""

BATCHES = 2
"""Of arrays so many batches make an epoch: a step takes as long whichever it is."""

SWEEPS, LEAST_SWEEPS = 24, 4
LAUNCH_S = 24.0
"""In a launch all pieces together are sampled about so long, but for the least sweeps."""

LAUNCHES_OF_A_BUDGET = 2
"""However small the budget: one launch has no interval that can be relied on."""


@dataclass(frozen=True)
class Plan:
    """What `measure.run` is told, and the seconds of all its launches, about."""

    study: Study
    cases: Sequence[Case]
    sweeps: int
    looked: dict[str, Any]
    total_s: float
    reason: str = ""


def few(data: Dataset, batch_rows: int) -> Dataset:
    """The first batches of arrays."""
    rows = BATCHES * batch_rows
    if data.stream is not None or data.rows <= rows:
        return data
    parts = (nest.rows_of(one, 0, rows) for one in (data.features, data.labels, data.weights))
    features, labels, weights = parts
    return replace(data, features=features, labels=labels, weights=weights, digest="")


def make(study: Study, data: Dataset, cases: Sequence[Case], known: Iterable[Path]) -> Plan:
    """Look at the cases, or find in one of these folders what a look has found before.

    Raises UserError for a network that cannot be trained.
    """
    looked = _seen(known, cases) or _looks(data, cases, study.effort.limit_s)
    every: list[Case] = []
    once_s = sweep_s = 0.0
    for case in cases:
        found = looked[case.key]
        layers = listed.read(Field(found["layers"], "a look"))
        mine = listed.pieces(as_compiled(case, found["xla"]), layers)
        every += mine
        once_s += STARTS_S[case.backend] + len(mine) * 0.7 * found["once_s"]
        sweep_s += len(mine) * _turn_s(found)
    effort = study.effort
    launch_s = min(LAUNCH_S, (effort.budget_s or math.inf) / LAUNCHES_OF_A_BUDGET)
    sweeps = max(LEAST_SWEEPS, min(SWEEPS, int(launch_s / sweep_s)))
    launches, total_s, reason = _launches(effort, once_s + sweeps * sweep_s, len(every))
    effort = replace(effort, launches=launches, blocks=effort.blocks or 1)
    return Plan(replace(study, effort=effort), every, sweeps, {LOOKED: looked}, total_s, reason)


def _launches(effort: Effort, each_s: float, pieces: int) -> tuple[int, float, str]:
    """How many launches are made, about how long they take, and why so if that was not asked."""
    launches, about = effort.launch_count, units.about(each_s)
    if effort.budget_s is not None:
        least_s, reason = LAUNCHES_OF_A_BUDGET * each_s, ""
        if least_s > effort.budget_s:
            reason = (
                f"longer than the {units.about(effort.budget_s)} asked for: a launch of all pieces "
                f"takes about {about}, and an interval needs {LAUNCHES_OF_A_BUDGET}"
            )
        return launches, max(effort.budget_s, least_s), reason
    if effort.launches is None and launches * each_s > MINUTES_S:
        reason = (
            f"{FEWEST_LAUNCHES} launches instead of {launches}: {pieces} pieces of the "
            f"step take about {about} a launch; --launches for others"
        )
        return FEWEST_LAUNCHES, FEWEST_LAUNCHES * each_s, reason
    return launches, launches * each_s, ""


def as_compiled(case: Case, xla: bool | None) -> Case:
    """The case with what compiles it said, where nnbench would choose for each piece anew."""
    if xla is None or case.training.jit != "auto":
        return case
    return replace(case, training=replace(case.training, jit="on" if xla else "off"))


def _turn_s(look: dict[str, Any]) -> float:
    """A piece's turn, on average: pieces go from nothing to the whole step."""
    step_s: float = 0.6 * look["step_s"]
    untimed, timed = turn(step_s)
    return untimed * step_s + timed * max(step_s, 1.2 * SAMPLE_S)


def _looks(data: Dataset, cases: Sequence[Case], limit_s: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, data_file(data) as arrays:
        for case in cases:
            with Worker(case, arrays, Path(scratch) / "log", room=ROOM) as worker:
                try:
                    worker.wait_until_ready(limit_s)
                    told = worker.ask(case, limit_s)
                except WorkerLostError as lost:
                    reason, *details = str(lost).splitlines()
                    raise UserError(f"{case.name}: {reason}", *details) from lost
            if "error" in told:
                reason, *details = told["error"].splitlines()
                raise UserError(reason, *details)
            found[case.key] = told
    return found


def _seen(known: Iterable[Path], cases: Sequence[Case]) -> dict[str, Any] | None:
    here, wanted = fingerprint.take(), {case.key for case in cases}
    models = user_model.digests(case.model for case in cases)
    for folder in known:
        try:
            run = runs.described(folder)
            looked = of(run)
        except UserError:
            continue
        alike = run.specification.get("models", {}) == models
        if alike and looked.keys() == wanted and not fingerprint.unlike(run.fingerprint, here):
            return {key: _plain(one) for key, one in run.specification[LOOKED].items()}
    return None


def _plain(one: Any) -> Any:
    return json.loads(json.dumps(one))


def of(run: runs.Run) -> dict[str, list[Listed]]:
    """The layers of each whole case of a run, by the key of the look. Raises UserError for none."""
    held = Field(run.specification.get(LOOKED), f"{run.folder / runs.RUN_FILE}")
    found = {}
    for key, one in held.members().items():
        found[key] = listed.read(one["layers"])
        one["once_s"].number(least=0)
        one["step_s"].number(above=0)
    return found
