"""What is timed of a network's layers: a look at it first, then as much as the time is worth."""

import json
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
from nnbench.workload.study import Study

ROOM = "nnbench.layers.worker"
LOOKED = "layers"
"""Under this name a run's specification holds what the look has found, by the cases' keys."""

BATCHES = 2
"""Of arrays so many batches make an epoch: a step takes as long whichever it is."""

SWEEPS, LEAST_SWEEPS = 24, 4
LAUNCH_S = 24.0
"""In a launch all pieces together are sampled about so long, but for the least sweeps."""


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
    by_case: dict[str, int] = {}
    round_s = 0.0
    for case in cases:
        found = looked[case.key]
        layers = listed.read(Field(found["layers"], "a look"))
        mine = listed.pieces(as_compiled(case, found["xla"]), layers)
        every += mine
        by_case[case.key] = len(mine)
    sweeps = SWEEPS
    sweep_s = sum(by_case[case.key] * _turn_s(looked[case.key]) for case in cases)
    sweeps = max(LEAST_SWEEPS, min(SWEEPS, int(LAUNCH_S / sweep_s)))
    for case in cases:
        round_s += STARTS_S[case.backend] + by_case[case.key] * 0.7 * looked[case.key]["once_s"]
    round_s += sweeps * sweep_s
    effort, reason = study.effort, ""
    launches = effort.launch_count
    if effort.launches is None and launches * round_s > MINUTES_S:
        launches = FEWEST_LAUNCHES
        reason = (
            f"{launches} launches instead of {effort.launch_count}: {len(every)} pieces of the "
            f"step take about {units.about(round_s)} a launch; --launches for others"
        )
    effort = replace(effort, launches=launches, blocks=effort.blocks or 1)
    total_s = effort.budget_s or launches * round_s
    return Plan(replace(study, effort=effort), every, sweeps, {LOOKED: looked}, total_s, reason)


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
