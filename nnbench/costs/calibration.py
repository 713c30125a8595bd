"""Which architectures to time for the cost model, and timing them within a budget.

A calibration is a folder of small runs. The first times cases spread over the whole space; each
later one those that the model, fitted to everything so far, is least sure of. Runs of the same
machine and versions that are there already count, so the same command goes on where it stopped.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnbench import datasets, fingerprint, results
from nnbench.architecture import Architecture
from nnbench.case import Case, Training
from nnbench.costs.model import TooFewCasesError
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.terms import place
from nnbench.datasets import Dataset
from nnbench.errors import UserError
from nnbench.measure import run as measuring
from nnbench.phases import EPOCH, STEP
from nnbench.summary import block_values

FOLDER = "calibration"

DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
ROWS = (500, 1000, 2000, 5000, 20000)
BATCHES = (32, 128, 512, None)

EPOCHS = 6
"""Of a timed training: the first one warms up, the others are samples of `epoch`."""

SWEEPS = 5
FIRST = 12
PER_RUN = 6

LIMIT_S = 300.0

EPOCH_LIMIT_S = 1.0
"""No case is timed whose epoch is guessed to take longer."""

GUESSED_FLOPS_PER_S = 5e10
GUESSED_STEP_S = {"fit": 1e-3, "compiled": 1e-4}

Watcher = Callable[[float, str], None]


@dataclass(frozen=True)
class Place:
    """What one cost model is for: backend, device, threads, path, and how it is trained."""

    backend: str
    device: str = "cpu"
    threads: int | None = None
    path: str = "fit"
    training: Training = field(default_factory=Training)
    features: int = 4

    @property
    def folder(self) -> str:
        """The name of this place's folder below the calibrations."""
        threads = f"-{self.threads}threads" if self.threads else ""
        plain = f"{self.backend}-{self.device.replace(':', '')}{threads}-{self.path}"
        unusual = [
            value
            for value, usual in zip(
                (
                    self.training.optimizer,
                    self.training.activation,
                    self.training.precision,
                    self.training.jit,
                ),
                ("adam", "relu", "float32", "auto"),
                strict=True,
            )
            if value != usual
        ]
        return "-".join([plain, *unusual])

    def case(self, architecture: Architecture, rows: int, batch_size: int | None) -> Case:
        """A case at this place, on synthetic data."""
        recipe = datasets.synthetic.Recipe(rows=rows, features=self.features)
        return Case(
            architecture,
            replace(self.training, batch_size=batch_size),
            recipe.name,
            # The recipe is the data: there is nothing else to tell apart.
            recipe.name,
            rows,
            self.features,
            self.backend,
            self.device,
            self.threads,
            self.path,
            EPOCHS,
        )


def candidates(place_: Place) -> list[Case]:
    """Every case that may be timed: those of the grid whose epoch is affordable."""
    found: dict[str, Case] = {}
    for depth in DEPTHS:
        for width in WIDTHS:
            for rows in ROWS:
                for batch in BATCHES:
                    case = place_.case(Architecture((width,) * depth), rows, batch)
                    if guessed_epoch_s(case) <= EPOCH_LIMIT_S:
                        found[case.key] = case
    return list(found.values())


def guessed_epoch_s(case: Case) -> float:
    """What an epoch may take, before anything is known of this machine."""
    cost = case.step_cost
    assert cost is not None
    # The update of the weights moves memory rather than computing: it counts tenfold.
    flops = cost.forward_flops + cost.backward_flops + 10 * cost.update_flops
    return case.steps_per_epoch * (GUESSED_STEP_S[case.path] + flops / GUESSED_FLOPS_PER_S)


def spread_out(cases: Sequence[Case], count: int, taken: Sequence[Case] = ()) -> list[Case]:
    """So many cases, each as far as possible from those before it (maximin distance)."""
    places = np.array([place(case) for case in cases])
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - low) / np.maximum(high - low, 1e-9)
    chosen: list[int] = []
    if taken:
        others = (np.array([place(case) for case in taken]) - low) / np.maximum(high - low, 1e-9)
        nearest = np.min(np.linalg.norm(scaled[:, None] - others[None], axis=2), axis=1)
    else:
        chosen = [int(np.argmin(np.linalg.norm(scaled, axis=1)))]
        nearest = np.linalg.norm(scaled - scaled[chosen[0]], axis=1)
    while len(chosen) < min(count, len(cases)):
        best = int(np.argmax(nearest))
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(scaled - scaled[best], axis=1))
    return [cases[index] for index in chosen]


def least_sure(model: CostModel, cases: Sequence[Case], count: int) -> list[Case]:
    """The cases that the model is least sure of, each chosen as if those before were timed."""
    chosen: list[Case] = []
    for _ in range(count):
        best = max(cases, key=model.uncertainty)
        chosen.append(best)
        model = model.as_if_timed(best)
    return chosen


def observed(runs: Iterable[results.Run]) -> list[Observed]:
    """The times of every case and launch of these runs."""
    found: list[Observed] = []
    for run in runs:
        samples = run.samples()
        if samples.empty:
            continue
        values = block_values(samples)
        peaks: dict[tuple[str, int], int] = {}
        for trial in run.good_trials():
            if "peak_host_bytes" in trial:
                peaks[trial["case"], trial["launch"]] = trial["peak_host_bytes"]
        for keys, group in values.groupby(["case", "launch"]):
            name, launch = str(keys[0]), int(str(keys[1]))
            times = group.groupby("phase")["seconds"].median()
            if STEP in times and EPOCH in times:
                plain = {str(phase): float(value) for phase, value in times.items()}
                found.append(Observed(run.cases[name], plain, peaks.get((name, launch))))
    return found


def read(results_folder: Path, place_: Place) -> list[results.Run]:
    """The runs of this place's calibration that are like this machine; damaged ones are left out.

    Raises UserError if all there are were made elsewhere.
    """
    here = fingerprint.take()
    runs, elsewhere = [], []
    for folder in results.find(results_folder / FOLDER / place_.folder):
        try:
            run = results.read(folder)
        except UserError:
            continue
        unlike = fingerprint.unlike(run.fingerprint, here)
        if unlike:
            elsewhere = unlike
        else:
            runs.append(run)
    if elsewhere and not runs:
        raise UserError(
            f"the calibration in {results_folder / FOLDER / place_.folder} is of another place "
            f"({'; '.join(elsewhere)}): calibrate here with another --results folder"
        )
    return runs


def load(results_folder: Path, place_: Place) -> CostModel:
    """The cost model of a place. Raises UserError if it was not calibrated, or too little."""
    again = f"nnbench calibrate --backend {place_.backend} --path {place_.path}"
    runs = read(results_folder, place_)
    if not runs:
        raise UserError(f"{place_.folder} is not calibrated: run {again} first")
    try:
        return CostModel.fit(observed(runs))
    except TooFewCasesError as few:
        raise UserError(f"{place_.folder} is calibrated too little ({few}): run {again}") from None


def calibrate(results_folder: Path, place_: Place, budget_s: float, watch: Watcher) -> CostModel:
    """Time cases until the budget is spent; return the model fitted to all of them.

    `watch` is told the seconds spent and what is being done. A run that has begun is finished.
    """
    began_s = time.monotonic()
    folder = results_folder / FOLDER / place_.folder
    pool = candidates(place_)
    model = None
    while True:
        runs = read(results_folder, place_)
        seen = observed(runs)
        unfinished = next((run for run in runs if not measuring.is_complete(run)), None)
        spent_s = time.monotonic() - began_s
        if unfinished is None:
            try:
                model = CostModel.fit(seen)
            except TooFewCasesError:
                model = None
            if spent_s >= budget_s and model is not None:
                return model
            known = [one.case for one in seen]
            chosen = (
                spread_out(pool, FIRST if not known else PER_RUN, known)
                if model is None
                else least_sure(model, pool, PER_RUN)
            )
            _create(folder, chosen, len(runs))
            continue
        count = f"{len(seen)} cases timed"

        def show(state: measuring.Progress, count: str = count) -> None:
            watch(min(time.monotonic() - began_s, budget_s), f"{count}, {state.now}")

        measuring.execute(unfinished.folder, _data(unfinished), show)


def _create(folder: Path, cases: Sequence[Case], number: int) -> None:
    distinct = list(dict.fromkeys(cases))
    wanted = measuring.specification(
        distinct,
        launches=1,
        blocks=1,
        seed=number,
        limit_s=LIMIT_S,
        kinds=("phases",),
        sweeps=SWEEPS,
    )
    name = f"{number:03d}"
    while (folder / name).exists():
        number += 1
        name = f"{number:03d}"
    results.create(folder, name, wanted, fingerprint.take())


def _data(run: results.Run) -> Dataset:
    return datasets.load(next(iter(run.cases.values())).data)


def as_json(model: CostModel) -> dict[str, Any]:
    """Coefficients, softness and residuals of every phase as plain data."""
    told: dict[str, Any] = {}
    for phase, fitted in model.phases.items():
        told[phase] = {
            "times": len(fitted.times_s),
            "softness": fitted.softness,
            "coefficients": [
                {
                    "term": each.term.name,
                    "unit": each.term.unit,
                    "value": each.value,
                    "low": each.low,
                    "high": each.high,
                }
                for each in fitted.coefficients
            ],
            "left_out_error_median": float(np.median(np.abs(fitted.left_out_errors()))),
        }
    return json.loads(json.dumps(told))  # type: ignore[no-any-return]
