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

RUN_S = 40.0
"""A run of the calibration, one launch, is planned to take about so long, its start included."""

FIRST_RUN_S = 8.0
"""The first: before it, nobody knows how much slower than guessed this machine is.

On the path of `fit` steps come after the phases of all networks of a run: of a long first one on a
slow machine the budget would be spent before any step is timed.
"""

LEAST_RUN_S = 4.0
"""What is left of a budget beyond a start is worth a run where it is more."""

LIMIT_S = 60.0

GUESSED_START_S = {"tensorflow": 7.0, "jax": 4.0, "torch": 5.0}

Watcher = Callable[[float, str], None]


@dataclass(frozen=True)
class Calibration:
    """A cost model, the runs that were measured for it now, and which others are left out, why."""

    model: CostModel
    measured: Sequence[Run]
    skipped: Sequence[str]


class _SpentError(Exception):
    """The budget is spent while a run is not at its end: the next command goes on with it."""


def calibrate(
    results: Path,
    setting: Setting,
    budget_s: float,
    watch: Watcher,
    families: Sequence[str] = ("dense",),
) -> Calibration:
    """Time networks of these families in runs until the budget is spent; fit to all there are.

    As many as a model needs are timed in any case, and a trial that has begun is waited for. Raises
    UserError where that is no model: nothing could be timed, or too little.
    """
    began_s = time.monotonic()
    pool = design.candidates(setting, families)
    measured: set[Path] = set()

    def left_s() -> float:
        return budget_s - (time.monotonic() - began_s)

    while True:
        made, skipped = read(results, setting)
        seen = observed(made)
        unfinished = next((run for run in made if not measuring.is_complete(run)), None)
        start_s = GUESSED_START_S[setting.backend]
        enough_s = start_s + LEAST_RUN_S
        if unfinished is None:
            tried = {key for run in made for key in run.cases}
            able = [case for case in pool if case.key not in tried]
            if not able or (left_s() < enough_s and (measured or seen)):
                break
            measuring_s = min(RUN_S if made else FIRST_RUN_S, left_s()) - start_s
            # So many are wanted for a model in any case.
            least = max(1, LEAST_CASES - len(seen))
            if least > 1:
                able = design.cheap_first(able)
            chosen = design.next_cases(able, design.slowdown(made), measuring_s, least)
            create_run(folder_of(results, setting), chosen, len(made))
            continue

        # A case has a trial of its phases and, on the path of fit, steps.
        def show(
            state: measuring.Progress,
            timed: int = len(seen),
            each: int = 2 if setting.path == "fit" else 1,
        ) -> None:
            now = f"{timed + state.done // each} networks timed, {state.now}"
            watch(budget_s - left_s(), now)
            # On the path of fit the phases of all networks come before their steps.
            if left_s() <= 0 and timed + state.done >= LEAST_CASES:
                raise _SpentError

        measured.add(unfinished.folder)
        try:
            measuring.execute(unfinished.folder, data_of(unfinished), show)
        except _SpentError:
            break
        except measuring.NothingMeasuredError:
            if len(seen) < LEAST_CASES:
                raise
            break
    made, skipped = read(results, setting)
    now = [run for run in made if run.folder in measured]
    seen = observed(made)
    watch(budget_s - left_s(), f"{len(seen)} networks timed, fitting")
    try:
        return Calibration(CostModel.fit(seen), now, skipped)
    except TooFewCasesError as few:
        raise UserError(
            f"{setting.label} is calibrated too little ({few}): run nnbench calibrate "
            f"{setting.options}",
            *(failure.told for run in now for failure in measuring.failures(run)),
        ) from None


def create_run(folder: Path, cases: Sequence[Case], number: int) -> Path:
    """Lay out a run of a calibration, of the first free number from `number` on."""
    study = Study(effort=Effort(launches=1, blocks=1, seed=number, limit=LIMIT_S))
    sweeps = design.SWEEPS[cases[0].path]
    chosen = list(dict.fromkeys(cases))
    wanted = measuring.specification(study, chosen, kinds=("phases",), sweeps=sweeps)
    while (folder / f"{number:03d}").exists():
        number += 1
    return runs.create(folder, f"{number:03d}", wanted, fingerprint.take())
