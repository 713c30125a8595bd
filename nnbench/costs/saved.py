"""Calibrations on disk: their runs, the times in them, and the cost model fitted to them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from nnbench.costs.model import TooFewCasesError
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.setting import Setting
from nnbench.costs.terms import FIRST_EPOCH
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.machine.fields import Field
from nnbench.measure import decision
from nnbench.phases import EPOCH, STEP
from nnbench.store import runs
from nnbench.workload.case import Training
from nnbench.workload.counts import NetworkCount
from nnbench.workload.datasets import Dataset, synthetic

FOLDER, MOST_SWEEPS = "calibration", 1000


class UnusableError(UserError):
    """There is a calibration, but none of its runs can be used here."""


@dataclass(frozen=True)
class Calibrated:
    """The cost model of a setting, when it was last timed, and what is left out of it, and why.

    `spent_s` is how long its timing took.
    """

    model: CostModel
    timed: datetime
    skipped: list[str]
    setting: Setting
    spent_s: float


def folder_of(results: Path, setting: Setting) -> Path:
    """Where the runs of a setting's calibration are, and its page."""
    return results / FOLDER / setting.folder


def observed(of: Iterable[runs.Run]) -> list[Observed]:
    """Times by case and launch; repeated ones' lower quartile: other work only ever adds time."""
    found: list[Observed] = []
    for run in of:
        samples = run.samples()
        if samples.empty:
            continue
        timed = run.trials.are(outcome=runs.OK, trial_kind="phases")
        records = run.trials.records(np.flatnonzero(timed))
        trials = {(trial["case"], trial["launch"]): trial for trial in records}
        grouped = samples.groupby(["case", "launch", "phase"])["seconds"]
        medians, quartiles = grouped.median(), grouped.quantile(0.25)
        steady = medians.index.get_level_values("phase").isin((STEP, EPOCH))
        times = medians.where(~steady, quartiles)
        for key, row in times.unstack("phase").iterrows():
            name, launch = cast("tuple[str, int]", key)
            case, trial = run.cases[name], trials.get((name, launch), {})
            times_s = {str(phase): float(value) for phase, value in row.dropna().items()}
            if case.path == "compiled" and EPOCH in times_s:
                times_s.setdefault(STEP, times_s[EPOCH] / case.steps_per_epoch)
            if "first_epoch_s" in trial:
                times_s[FIRST_EPOCH] = trial["first_epoch_s"]
            counts = case.is_dense_chain or "count" in trial
            if EPOCH in times_s and counts:
                memory = trial.get("peak_host_bytes"), trial.get("host_bytes_before")
                launched = f"{run.folder.name}/{launch}"
                found.append(Observed(case, times_s, *memory, launched, _count(trial)))
    return found


def _count(trial: dict[str, Any]) -> NetworkCount | None:
    return NetworkCount.of(Field(trial["count"], "a trial")) if "count" in trial else None


def read(results: Path, setting: Setting) -> tuple[list[runs.Run], list[str]]:
    """This machine's good runs of a setting, and what had to be skipped, and why.

    Raises UnusableError if there are runs, and all are damaged or were made elsewhere.
    """
    here = fingerprint.take()
    alike: list[runs.Run] = []
    skipped: list[str] = []
    for path in runs.find(folder_of(results, setting)):
        try:
            run = _read(path, setting)
        except UserError as damage:
            skipped.append(str(damage))
            continue
        skipped += run.damage
        if unlike := fingerprint.unlike(run.fingerprint, here):
            skipped.append(f"{path} is of another environment ({'; '.join(unlike)})")
        else:
            alike.append(run)
    if skipped and not alike:
        raise UnusableError(f"{skipped[-1]}; calibrate here with another --results folder")
    return alike, skipped


def _read(path: Path, setting: Setting) -> runs.Run:
    """A run of this setting's own cases. Raises UserError for any other: its data may be code."""
    run = runs.read(path)
    wanted = run.specification
    if wanted["blocks"] != 1 or wanted.get("sweeps", 0) > MOST_SWEEPS:
        raise UserError(f"{path / runs.RUN_FILE} is damaged (it is no run of a calibration)")
    for case in run.cases.values():
        made = case.architecture is not None and case.data.partition(":")[0] == synthetic.PREFIX
        alike = replace(setting, features=case.features) == Setting.of(case)
        if not (made and alike and synthetic.parse(case.data).rows == case.rows):
            reason = f"{case.label} is no case of {setting.label} on data that is made"
            raise UserError(f"{path / runs.RUN_FILE} is damaged ({reason})")
    return run


def load(results: Path, setting: Setting) -> Calibrated:
    """The cost model of a setting. Raises UserError if it was not calibrated, or too little."""
    again = f"nnbench calibrate {setting.options}"
    found, skipped = read(results, setting)
    if not found:
        raise UserError(f"{setting.label} is not calibrated: run {again} first")
    try:
        model = CostModel.fit(observed(found))
    except TooFewCasesError as few:
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        why = f"; skipped {skipped[0]}{more}" if skipped else ""
        raise UserError(
            f"{setting.label} is calibrated too little ({few}, in {found[-1].folder}{why}): "
            f"run {again}"
        ) from None
    told = [run.created for run in found] + [one["began"] for run in found for one in run.launches]
    spent_s = sum(decision.seconds_spent(run) for run in found)
    return Calibrated(model, max(map(datetime.fromisoformat, told)), skipped, setting, spent_s)


def load_nearest(results: Path, setting: Setting) -> Calibrated:
    """The cost model of a setting or, where that is not calibrated, of usual trainings there.

    These with XLA or without, as asked, where that is calibrated. Raises UserError as `load` does.
    """
    trainings = Training(jit=setting.training.jit), Training()
    for near in (setting, *(replace(setting, training=usual) for usual in trainings)):
        if runs.find(folder_of(results, near)):
            try:
                return load(results, near)
            except UserError:
                if near == setting:
                    raise
    return load(results, setting)


def load_if_any(results: Path, setting: Setting) -> tuple[CostModel | None, list[str]]:
    """The cost model of a setting, None where none counts here; what is left out, and why."""
    try:
        found = load(results, setting)
    except UnusableError as why:
        return None, [str(why)]
    except UserError:
        return None, []
    return found.model, found.skipped


def data_of(run: runs.Run) -> Dataset:
    """The data of a run's first case; its workers load those of the others by their names."""
    return synthetic.make(synthetic.parse(next(iter(run.cases.values())).data))


def product_rate(folder: Path) -> float | None:
    """The matrix-product rate that the workers of the runs in a folder measured, in FLOP/s."""
    rates = []
    for path in runs.find(folder):
        try:
            run = runs.read(path)
        except UserError:
            continue
        rates += [
            launch["product_flops_per_s"]
            for launch in run.launches
            if "product_flops_per_s" in launch
        ]
    return float(np.median(rates)) if rates else None
