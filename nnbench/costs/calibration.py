"""Which architectures to time for the cost model, and timing them within a budget.

A calibration is a folder of small runs. The first times cases spread over the whole space; each
later one those that the model, fitted to everything so far, is least sure of. Runs of the same
machine and versions that are there already count, so the same command goes on where it stopped.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from scipy import stats

from nnbench.costs.model import LEAST_CASES, TooFewCasesError
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.terms import FIRST_EPOCH, place
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure import run as measuring
from nnbench.phases import EPOCH, ONCE, STEP
from nnbench.stats.summary import block_values
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training
from nnbench.workload.datasets import Dataset

FOLDER = "calibration"

DEPTHS, WIDTHS, ROWS = (1, 24), (2, 1024), (500, 20_000)
BATCHES = (32, 512)
"""The calibrated space: from the first to the second, and the full batch."""

FULL_BATCHES = 0.4
"""Share of the candidates that train on the full batch."""

CANDIDATES = 512

LEAST_EPOCHS, MOST_EPOCHS = 3, 30
"""Of a timed training: the first one warms up, the others are samples of `epoch`."""

EPOCHS_S = 0.4
"""The epochs of a timed training are guessed to last so long together."""

SWEEPS = {"fit": 3, "compiled": 0}
"""On the compiled path a step is an epoch divided by its steps: there is nothing to sweep."""

FIRST = 10
LEAST_PER_RUN, MOST_PER_RUN = 3, 16

LEAST_TIMING_S = 0.3
"""What timing any network costs besides its own work."""

RUN_S = 22.0
"""A run of the calibration, one launch, is planned to take so long, its start included."""

LIMIT_S = 120.0

EPOCH_LIMIT_S = 1.0
"""No case is timed whose epoch is guessed to take longer."""

GUESSED_FLOPS_PER_S = 8e10
GUESSED_STEP_S = {"fit": 1e-3, "compiled": 1e-4}
GUESSED_START_S = {"tensorflow": 7.0, "jax": 4.0, "torch": 5.0}

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

    def __post_init__(self) -> None:
        if self.training.batch_size is not None:
            # Every batch size is calibrated together: the place has none of its own.
            object.__setattr__(self, "training", replace(self.training, batch_size=None))

    @classmethod
    def of(cls, case: Case) -> Self:
        """The place of a case."""
        return cls(case.backend, case.device, case.threads, case.path, case.training, case.features)

    @property
    def folder(self) -> str:
        """The name of this place's folder below the calibrations."""
        threads = f"-{self.threads}threads" if self.threads else ""
        return "-".join(
            [f"{self.backend}-{self.device.replace(':', '')}{threads}-{self.path}", *self._unusual]
        )

    @property
    def _unusual(self) -> list[str]:
        usual = Training()
        names = ("task", "optimizer", "activation", "precision", "jit")
        values = {name: getattr(self.training, name) for name in names}
        told = {**values, "jit": f"jit {self.training.jit}".replace(" ", "-")}
        return [told[name] for name in names if values[name] != getattr(usual, name)]

    @property
    def label(self) -> str:
        """That in words: `jax, cpu, fit`."""
        threads = f"{self.threads} threads" if self.threads else ""
        parts = (self.backend, self.device, threads, self.path, *self._unusual)
        return ", ".join(part for part in parts if part)

    @property
    def options(self) -> str:
        """The options of `nnbench calibrate` that name this place."""
        usual = Training(task=self.training.task)
        told = {
            "--backend": (self.backend, ""),
            "--device": (self.device, "cpu"),
            "--threads": (self.threads, None),
            "--path": (self.path, ""),
            "--as": (self.training.task, "classification"),
            "--optimizer": (self.training.optimizer, usual.optimizer),
            "--activation": (self.training.activation, usual.activation),
            "--dtype": (self.training.precision, usual.precision),
            "--jit": (self.training.jit, usual.jit),
        }
        return " ".join(f"{name} {value}" for name, (value, left) in told.items() if value != left)

    def case(self, architecture: Architecture, rows: int, batch_size: int | None) -> Case:
        """A case at this place, on synthetic data."""
        recipe = datasets.synthetic.Recipe(
            rows=rows, features=self.features, task=self.training.task
        )
        case = Case(
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
            MOST_EPOCHS,
        )
        epochs = round(EPOCHS_S / guessed_epoch_s(case))
        return replace(case, cold_epochs=min(MOST_EPOCHS, max(LEAST_EPOCHS, epochs)))


def candidates(place_: Place, count: int = CANDIDATES, seed: int = 0) -> list[Case]:
    """Cases spread evenly over the logarithms of depth, width, rows and batch size.

    Left out are those whose epoch is not affordable. The same seed gives the same cases
    (a scrambled Sobol sequence, Owen 1998).
    """
    # Twice as many, for those left out; Sobol sequences come in powers of two.
    enough = int(np.ceil(np.log2(2 * count)))
    points = stats.qmc.Sobol(4, rng=np.random.default_rng(seed)).random_base2(enough)
    found: dict[str, Case] = {}
    for depth, width, rows, batch in points:
        full = batch < FULL_BATCHES
        share = (batch - FULL_BATCHES) / (1 - FULL_BATCHES)
        case = place_.case(
            Architecture((_between(WIDTHS, width),) * _between(DEPTHS, depth)),
            _between(ROWS, rows),
            None if full else _between(BATCHES, share),
        )
        if guessed_epoch_s(case) <= EPOCH_LIMIT_S:
            found.setdefault(case.key, case)
    return list(found.values())[:count]


def _between(ends: tuple[int, int], share: float) -> int:
    return int(ends[0] * (ends[1] / ends[0]) ** share + 0.5)


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


def least_sure(model: CostModel, cases: Sequence[Case], seconds: float) -> list[Case]:
    """The cases not yet timed whose timing tells most a second, for about so many seconds.

    What the model is unsure of, its coefficients and what they leave, is summed over all cases and
    phases; each choice lowers it most for what its timing will cost, and is made as if those before
    it were timed. Source: Cohn, "Neural network exploration using optimal experiment design"
    (1996), the criterion of integrated variance.
    """
    timed = {one.case.key for one in model.observed}
    cases = [case for case in cases if case.key not in timed]
    costs_s = np.array([timing_s(model, case) for case in cases])
    places = np.array([place(case) for case in cases])
    lefts = [
        phase.surrogate.left(places)
        # Of a first epoch coefficients are only what comes on top: most is not theirs.
        + (0.0 if phase.phase == FIRST_EPOCH else phase.unknown(cases))
        for phase in model.phases.values()
    ]
    noises = [phase.surrogate.single**2 for phase in model.phases.values()]
    chosen: list[int] = []
    while len(chosen) < MOST_PER_RUN:
        gains = np.zeros(len(cases))
        for left, noise in zip(lefts, noises, strict=True):
            gains += np.sum(left**2, axis=0) / (np.diag(left) + noise)
        gains[chosen] = 0.0
        best = int(np.argmax(gains / (LEAST_TIMING_S + costs_s)))
        if len(chosen) >= LEAST_PER_RUN and costs_s[[*chosen, best]].sum() > seconds:
            break
        chosen.append(best)
        for left, noise in zip(lefts, noises, strict=True):
            left -= np.outer(left[:, best], left[best]) / (left[best, best] + noise)
    return [cases[index] for index in chosen]


def timing_s(model: CostModel, case: Case) -> float:
    """What timing a case will take: its network is built to warm up, trained, and stepped."""
    told = model.predict(case, case.cold_epochs)
    once_s = sum(told.parts_s.get(phase, 0.0) for phase in ONCE)
    if case.path == "compiled":
        # Each sample lasts a while even where the epoch is short (see `measure.trial`).
        return once_s + 13 * max(told.epoch_s.value, 0.012)
    return told.total_s.value + once_s / 2 + 5 * SWEEPS["fit"] * max(told.step_s.value, 0.012)


def observed(runs: Iterable[runs.Run]) -> list[Observed]:
    """The times of every case and launch of these runs."""
    found: list[Observed] = []
    for run in runs:
        samples = run.samples()
        if samples.empty:
            continue
        values = block_values(samples)
        told = {
            (trial["case"], trial["launch"]): trial
            for trial in run.good_trials()
            if trial["trial_kind"] == "phases"
        }
        for keys, group in values.groupby(["case", "launch"]):
            name, launch = str(keys[0]), int(str(keys[1]))
            times = group.groupby("phase")["seconds"].median()
            times.update(_undisturbed(samples, name, launch))
            case, trial = run.cases[name], told.get((name, launch), {})
            plain = {str(phase): float(value) for phase, value in times.items()}
            if case.path == "compiled" and EPOCH in plain:
                plain.setdefault(STEP, plain[EPOCH] / case.steps_per_epoch)
            if "first_epoch_s" in trial:
                plain[FIRST_EPOCH] = trial["first_epoch_s"]
            if STEP in plain and EPOCH in plain:
                memory = trial.get("peak_host_bytes"), trial.get("host_bytes_before")
                found.append(Observed(case, plain, *memory, f"{run.folder.name}/{launch}"))
    return found


def _undisturbed(samples: pd.DataFrame, case: str, launch: int) -> pd.Series:
    """The lower quartile of what was timed many times: other work only ever adds time."""
    mine = samples[(samples["case"] == case) & (samples["launch"] == launch)]
    steady = mine[mine["phase"].isin((STEP, EPOCH))]
    return steady.groupby("phase")["seconds"].quantile(0.25)


def read(results_folder: Path, place_: Place) -> list[runs.Run]:
    """The runs of this place's calibration that are like this machine; damaged ones are left out.

    Raises UserError if all there are were made elsewhere.
    """
    here = fingerprint.take()
    alike, elsewhere = [], []
    for folder in runs.find(results_folder / FOLDER / place_.folder):
        try:
            run = runs.read(folder)
        except UserError:
            continue
        unlike = fingerprint.unlike(run.fingerprint, here)
        if unlike:
            elsewhere = unlike
        else:
            alike.append(run)
    if elsewhere and not alike:
        raise UserError(
            f"the calibration in {results_folder / FOLDER / place_.folder} is of another place "
            f"({'; '.join(elsewhere)}): calibrate here with another --results folder"
        )
    return alike


def load(results_folder: Path, place_: Place) -> CostModel:
    """The cost model of a place. Raises UserError if it was not calibrated, or too little."""
    again = f"nnbench calibrate {place_.options}"
    runs = read(results_folder, place_)
    if not runs:
        raise UserError(f"{place_.label} is not calibrated: run {again} first")
    try:
        return CostModel.fit(observed(runs))
    except TooFewCasesError as few:
        raise UserError(f"{place_.label} is calibrated too little ({few}): run {again}") from None


def calibrated(results_folder: Path, place_: Place) -> datetime:
    """When a place that is calibrated was last timed."""
    began = [launch["began"] for run in read(results_folder, place_) for launch in run.launches]
    return datetime.fromisoformat(max(began))


def load_if_any(results_folder: Path, place_: Place) -> CostModel | None:
    """The cost model of a place; None where there is none that counts here."""
    try:
        return load(results_folder, place_)
    except UserError:
        return None


def calibrate(results_folder: Path, place_: Place, budget_s: float, watch: Watcher) -> CostModel:
    """Time cases until the budget is spent; return the model fitted to all of them.

    `watch` is told the seconds spent and what is being done. A run that has begun is finished,
    so that the budget may be exceeded by some seconds; the first runs are made whatever it is.
    """
    began_s = time.monotonic()
    folder = results_folder / FOLDER / place_.folder
    pool = candidates(place_)
    while True:
        runs = read(results_folder, place_)
        seen = observed(runs)
        spent_s = time.monotonic() - began_s
        unfinished = next((run for run in runs if not measuring.is_complete(run)), None)
        if unfinished is None:
            watch(min(spent_s, budget_s), f"{len(seen)} networks timed, fitting")
            try:
                model = CostModel.fit(seen, resamples=0)
            except TooFewCasesError:
                model = None
            left_s = budget_s - spent_s
            start_s = GUESSED_START_S[place_.backend]
            if model is not None and left_s < start_s + 0.2 * RUN_S:
                return CostModel.fit(seen)
            known = [one.case for one in seen]
            chosen = (
                spread_out(_quick(pool), FIRST if not known else LEAST_CASES, known)
                if model is None
                else least_sure(model, pool, min(RUN_S, left_s) - start_s)
            )
            _create(folder, chosen, len(runs))
            continue

        def show(state: measuring.Progress, count: int = len(seen)) -> None:
            spent_s = min(time.monotonic() - began_s, budget_s)
            watch(spent_s, f"{count} networks timed, {state.now}")

        measuring.execute(unfinished.folder, data_of(unfinished), show)


def _quick(cases: Sequence[Case]) -> list[Case]:
    """The half of them that costs least: enough to fit a first model to."""
    return sorted(cases, key=guessed_epoch_s)[: len(cases) // 2]


def _create(folder: Path, cases: Sequence[Case], number: int) -> None:
    wanted = measuring.specification(
        list(dict.fromkeys(cases)),
        launches=1,
        blocks=1,
        seed=number,
        limit_s=LIMIT_S,
        kinds=("phases",),
        sweeps=SWEEPS[cases[0].path],
    )
    while (folder / f"{number:03d}").exists():
        number += 1
    runs.create(folder, f"{number:03d}", wanted, fingerprint.take())


def data_of(run: runs.Run) -> Dataset:
    """The data of a run's first case; its workers load those of the others by their names."""
    return datasets.load(next(iter(run.cases.values())).data)
