"""Timing architectures for the cost model within a budget, going on where earlier runs stopped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.costs import design
from nnbench.costs.model import LEAST_CASES, TooFewCasesError
from nnbench.costs.prediction import CostModel
from nnbench.costs.saved import data_of, folder_of, observed, read
from nnbench.costs.setting import Setting
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure import run as measuring
from nnbench.store import runs
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.study import Effort, Study

RUN_S = 22.0
"""A run of the calibration, one launch, is planned to take so long, its start included."""

LIMIT_S = 120.0

GUESSED_START_S = {"tensorflow": 7.0, "jax": 4.0, "torch": 5.0}

Watcher = Callable[[float, str], None]


@dataclass(frozen=True)
class Calibration:
    """A cost model, the runs that were measured for it now, and which others are left out, why."""

    model: CostModel
    measured: Sequence[Run]
    skipped: Sequence[str]


def calibrate(results: Path, setting: Setting, budget_s: float, watch: Watcher) -> Calibration:
    """Time cases in whole runs, the first in any case, until the budget is spent; fit to all.

    Raises UserError where that is no model: nothing could be timed, or too little.
    """
    began_s = time.monotonic()
    pool = design.candidates(setting)
    measured: set[Path] = set()
    model: CostModel | None = None
    while True:
        made, skipped = read(results, setting)
        tried = {key for run in made for key in run.cases}
        able = [case for case in pool if case.key not in tried]
        seen = observed(made)
        spent_s = time.monotonic() - began_s
        unfinished = next((run for run in made if not measuring.is_complete(run)), None)
        if unfinished is None:
            watch(min(spent_s, budget_s), f"{len(seen)} networks timed, fitting")
            try:
                model = CostModel.fit(seen)
            except TooFewCasesError as few:
                why = str(few)
            left_s = budget_s - spent_s
            start_s = GUESSED_START_S[setting.backend]
            is_late, is_all = left_s < start_s + 0.2 * RUN_S, len(able) < LEAST_CASES
            now = [run for run in made if run.folder in measured]
            if model is not None and (is_late or is_all):
                return Calibration(model, now, skipped)
            if is_all or (is_late and measured):
                again = f"nnbench calibrate {setting.options}"
                raise UserError(
                    f"{setting.label} is calibrated too little ({why}): run {again}",
                    *(failure.told for run in now for failure in measuring.failures(run)),
                )
            known = [one.case for one in seen]
            if model is None:
                count = LEAST_CASES if known else design.FIRST
                chosen = design.spread_out(design.quick(able), count, known)
            else:
                chosen = design.most_informative(model, able, min(RUN_S, left_s) - start_s)
            create_run(folder_of(results, setting), chosen, len(made))
            continue

        def show(state: measuring.Progress, timed: int = len(seen)) -> None:
            spent_s = min(time.monotonic() - began_s, budget_s)
            watch(spent_s, f"{timed} networks timed, {state.now}")

        measured.add(unfinished.folder)
        try:
            measuring.execute(unfinished.folder, data_of(unfinished), show)
        except measuring.NothingMeasuredError:
            if model is None:
                raise


def create_run(folder: Path, cases: Sequence[Case], number: int) -> Path:
    """Lay out a run of a calibration, of the first free number from `number` on."""
    study = Study(effort=Effort(launches=1, blocks=1, seed=number, limit=LIMIT_S))
    sweeps = design.SWEEPS[cases[0].path]
    chosen = list(dict.fromkeys(cases))
    wanted = measuring.specification(study, chosen, kinds=("phases",), sweeps=sweeps)
    while (folder / f"{number:03d}").exists():
        number += 1
    return runs.create(folder, f"{number:03d}", wanted, fingerprint.take())
