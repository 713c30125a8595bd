"""How far off are predictions of networks that were never timed?

    python benchmarks/calibration/predictions.py

For each backend and path: calibrates within a budget, draws networks that were not in it, writes
down what the cost model predicts of each, and only then times them. Prints, for a step, an epoch
and the whole cold training, the median and 95th percentile of the absolute relative error and how
often the 95 % interval held, against the goals; the exit status is 1 where one was missed.
Everything is kept below `--results`; the same command goes on where it was stopped, and repeats
nothing that is there.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from rich import print as show
from rich.table import Table

from nnbench.costs import calibration, design, saved
from nnbench.costs.prediction import CostModel
from nnbench.costs.setting import Setting
from nnbench.errors import UserError
from nnbench.machine import devices, fingerprint, whole_file
from nnbench.measure import run as measuring
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.show.progress import Bar
from nnbench.store import runs
from nnbench.workload import quantities
from nnbench.workload.case import Case
from nnbench.workload.study import Effort, Study

GROUPS = (STEP, EPOCH, COLD)
GOALS = {"median": 0.10, "95th percentile": 0.25, "coverage": 0.90}

LAUNCHES = 3
"""Processes that the held-out networks are shared among."""

TIMED_IN = 2
"""Of these, so many time each network: what one process has of its own is no one's mistake."""

LEAST_HELD_OUT = 6
PREDICTED_FILE = "predicted.json"


def calibrated(folder: Path, setting: Setting, budget_s: float) -> CostModel:
    """The cost model, calibrated for what is left of the budget."""
    runs, _ = saved.read(folder, setting)
    complete = all(measuring.is_complete(run) for run in runs)
    left_s = budget_s - sum(measuring.seconds_spent(run) for run in runs)
    if runs and complete and left_s < calibration.RUN_S:
        return saved.load(folder, setting).model
    with Bar(round(left_s), "s") as bar:
        return calibration.calibrate(
            folder,
            setting,
            max(left_s, 1.0),
            lambda spent_s, note: bar.show(round(spent_s), f"{setting.label}: {note}"),
        ).model


def held_out(model: CostModel, setting: Setting, budget_s: float, seed: int) -> list[Case]:
    """Networks drawn at random from the calibrated space, as many as the budget allows."""
    known = {one.case.key for one in model.observed}
    start_s = LAUNCHES * calibration.GUESSED_START_S[setting.backend]
    chosen: list[Case] = []
    spent_s = start_s
    for case in design.candidates(setting, seed=10_000 + seed):
        if case.key in known:
            continue
        total_s = model.predict(case, case.cold_epochs).total_s.value
        spent_s += TIMED_IN * (design.timing_s(model, case) + total_s)
        if spent_s > budget_s and len(chosen) >= LEAST_HELD_OUT:
            break
        chosen.append(case)
    return chosen


def predictions(model: CostModel, cases: list[Case]) -> dict[str, dict[str, list[float]]]:
    """For each case the value, low and high of each group, in seconds."""
    told = {}
    for case in cases:
        found = model.predict(case, case.cold_epochs)
        told[case.key] = {
            name: [interval.value, interval.low, interval.high]
            for name, interval in (
                (STEP, found.step_s),
                (EPOCH, found.epoch_s),
                (COLD, found.total_s),
            )
        }
    return told


def prepare(folder: Path, setting: Setting, options: argparse.Namespace) -> None:
    """Calibrate, predict, and lay out the runs that will time what was predicted."""
    model = calibrated(folder, setting, quantities.parse_seconds(options.budget))
    cases = held_out(model, setting, quantities.parse_seconds(options.held_out), options.seed)
    here = folder / "held-out" / setting.folder
    for number in range(LAUNCHES):
        mine = [case for turn, case in enumerate(cases) if (number - turn) % LAUNCHES < TIMED_IN]
        effort = Effort(launches=1, blocks=1, seed=options.seed, limit=calibration.LIMIT_S)
        sweeps = design.SWEEPS[setting.path]
        wanted = measuring.specification(
            Study(effort=effort), mine, kinds=("cold", "phases"), sweeps=sweeps
        )
        if not (here / str(number) / runs.RUN_FILE).exists():
            runs.create(here, str(number), wanted, fingerprint.take())
    # What is laid out counts, also where a command that was stopped has done so.
    laid_out = [case for one in runs.find(here) for case in runs.read(one).cases.values()]
    told = json.dumps(predictions(model, laid_out), indent=1)
    whole_file.write(here / PREDICTED_FILE, told)


def measure(here: Path, setting: Setting) -> None:
    """Time what is missing of the held-out networks."""
    with Bar(0, "trials") as bar:
        for folder in runs.find(here):
            run = runs.read(folder)
            if not measuring.is_complete(run):
                data = saved.data_of(run)
                measuring.execute(
                    folder,
                    data,
                    lambda state: bar.show(
                        state.done, f"{setting.label}, held out: {state.now}", state.total
                    ),
                )


def pairs(here: Path) -> Iterator[tuple[str, str, float, list[float]]]:
    """Group, network, timed seconds and predicted (value, low, high)."""
    predicted = json.loads((here / PREDICTED_FILE).read_text())
    held = [runs.read(folder) for folder in runs.find(here)]
    found = saved.observed(held)
    for case in dict.fromkeys(one.case for one in found):
        batch = case.training.batch_size or "full"
        name = f"{case.label}, {case.rows} rows, batch {batch}"
        mine = [one.times_s for one in found if one.case == case]
        for group in GROUPS:
            times_s = [times[group] for times in mine if group in times]
            if times_s:
                yield group, name, geometric_mean(times_s), predicted[case.key][group]


def judged(here: Path) -> dict[str, dict[str, float | str]]:
    """Errors and coverage of each group in one setting."""
    found: dict[str, list[tuple[float, bool, str]]] = {group: [] for group in GROUPS}
    for group, name, timed_s, (value, low, high) in pairs(here):
        found[group].append((value / timed_s - 1, low <= timed_s <= high, name))
    return {
        group: {
            "networks": len(mine),
            "median": float(np.median([abs(error) for error, _, _ in mine])),
            "95th percentile": float(np.quantile([abs(error) for error, _, _ in mine], 0.95)),
            "coverage": float(np.mean([inside for _, inside, _ in mine])),
            "worst": "{2} ({0:+.0%})".format(*max(mine, key=lambda one: abs(one[0]))),
        }
        for group, mine in found.items()
        if mine
    }


def ratios_held(model: CostModel, here: Path) -> tuple[float, int]:
    """In how many of all pairs the ratio of two epochs lies in its interval; how many pairs."""
    times_s: dict[Case, list[float]] = {}
    for one in saved.observed([runs.read(folder) for folder in runs.find(here)]):
        times_s.setdefault(one.case, []).append(one.times_s[EPOCH])
    timed_s = {case: geometric_mean(mine) for case, mine in times_s.items()}
    held = []
    for first, second in itertools.combinations(timed_s, 2):
        told = model.phases[EPOCH].ratio(first, second)
        held.append(told.low <= timed_s[first] / timed_s[second] <= told.high)
    return float(np.mean(held)), len(held)


def reached(name: str, value: float) -> bool:
    """Whether a figure reaches its goal."""
    return value >= GOALS[name] if name == "coverage" else value <= GOALS[name]


def table_of(found: dict[str, dict[str, dict[str, float | str]]]) -> Table:
    """All settings, one line a group."""
    table = Table(
        title="Networks that were never timed, predicted and then timed",
        caption="goals: median <= 10 %, 95th percentile <= 25 %, coverage >= 90 %",
    )
    for name in ("setting", "of", "networks"):
        table.add_column(name)
    for name in (*GOALS, "worst"):
        table.add_column(name, justify="right")
    for label, groups in found.items():
        for group, told in groups.items():
            cells = [
                f"[{'green' if reached(name, float(told[name])) else 'red'}]{told[name]:.1%}[/]"
                for name in GOALS
            ]
            table.add_row(label, group, str(told["networks"]), *cells, str(told["worst"]))
        table.add_section()
    return table


def keep(table: Table) -> None:
    """Write the result file of the documentation's ledger."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from benchmarks import ledger

    answer = f"Errors of networks that the calibration had not seen; {table.caption}."
    question = "How far off are predictions of networks that were never timed?"
    ledger.keep("predictions", question, answer, [table])


def main() -> int:
    """Calibrate, predict, time and judge every setting; 1 where a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", default="jax,tensorflow,torch")
    parser.add_argument("--paths", default="fit,compiled")
    parser.add_argument("--budget", default="3min", help="of each calibration")
    parser.add_argument("--held-out", default="2min", help="for timing the held-out networks")
    parser.add_argument("--seed", type=int, default=0, help="of the held-out networks")
    parser.add_argument("--results", type=Path, default=Path("results/predictions"))
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    backends = options.backends.split(",")
    for backend in backends:
        devices.check_installed(backend)
    paths = options.paths.split(",")
    settings = [Setting(backend, path=path) for backend in backends for path in paths]
    found = {}
    for setting in settings:
        here = options.results / "held-out" / setting.folder
        if not (here / PREDICTED_FILE).exists():
            prepare(options.results, setting, options)
        measure(here, setting)
        found[setting.label] = judged(here)
        (options.results / "judged.json").write_text(json.dumps(found, indent=1))
        show(table_of({setting.label: found[setting.label]}))
        held, pairs_ = ratios_held(saved.load(options.results, setting).model, here)
        show(f"ratios of two epochs: {held:.0%} of {pairs_} pairs lie in their 95 % intervals")
    if len(settings) > 1:
        show(table_of(found))
    if options.ledger:
        keep(table_of(found))
    missed = [
        f"{label}: {group} {name}"
        for label, groups in found.items()
        for group, told in groups.items()
        for name in GOALS
        if not reached(name, float(told[name]))
    ]
    show("every goal reached" if not missed else "missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as mistake:
        sys.exit(f"predictions: {mistake}")
