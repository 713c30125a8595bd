"""Calibrations on disk: their runs, the times in them, and the cost model fitted to them."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np

from nnbench.costs.model import TooFewCasesError
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.setting import Setting
from nnbench.costs.terms import FIRST_EPOCH
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.phases import EPOCH, STEP
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.datasets import Dataset

FOLDER = "calibration"


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
        timed = [trial for trial in run.good_trials() if trial["trial_kind"] == "phases"]
        trials = {(trial["case"], trial["launch"]): trial for trial in timed}
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
            if STEP in times_s and EPOCH in times_s:
                memory = trial.get("peak_host_bytes"), trial.get("host_bytes_before")
                found.append(Observed(case, times_s, *memory, f"{run.folder.name}/{launch}"))
    return found


def read(results: Path, setting: Setting) -> list[runs.Run]:
    """This machine's good runs of a setting. Raises UserError if all were made elsewhere."""
    here = fingerprint.take()
    folder = folder_of(results, setting)
    alike, elsewhere = [], []
    for path in runs.find(folder):
        try:
            run = runs.read(path)
        except UserError:
            continue
        unlike = fingerprint.unlike(run.fingerprint, here)
        if unlike:
            elsewhere = unlike
        else:
            alike.append(run)
    if elsewhere and not alike:
        raise UserError(
            f"the calibration in {folder} is of another environment ({'; '.join(elsewhere)}): "
            "calibrate here with another --results folder"
        )
    return alike


def load(results: Path, setting: Setting) -> CostModel:
    """The cost model of a setting. Raises UserError if it was not calibrated, or too little."""
    again = f"nnbench calibrate {setting.options}"
    found = read(results, setting)
    if not found:
        raise UserError(f"{setting.label} is not calibrated: run {again} first")
    try:
        return CostModel.fit(observed(found))
    except TooFewCasesError as few:
        raise UserError(f"{setting.label} is calibrated too little ({few}): run {again}") from None


def load_if_any(results: Path, setting: Setting) -> CostModel | None:
    """The cost model of a setting; None where there is none that counts here."""
    try:
        return load(results, setting)
    except UserError:
        return None


def calibrated(results: Path, setting: Setting) -> datetime:
    """When a setting that is calibrated was last timed."""
    began = [launch["began"] for run in read(results, setting) for launch in run.launches]
    return datetime.fromisoformat(max(began))


def data_of(run: runs.Run) -> Dataset:
    """The data of a run's first case; its workers load those of the others by their names."""
    return datasets.load(next(iter(run.cases.values())).data)


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
