"""Is the setting that `nnbench tune` names within 5 % of the best of a full grid?

    python -m benchmarks.tune MODELS [NAME ...] [--results DIR] [--backend jax] [--budget 5min]

MODELS is a folder of files, each with `build()` and `load()`; NAMEs are some of them, such as one
at a time. Each model is tuned; then every setting that `tune` could have come to is timed. Those
that may be the fastest are timed again beside the one that was named, in new processes, six times.
The ratio of what was named to the best is told with its interval; in each of the six the best is
the one that the other five found, since the fastest of several alike is also the luckiest.
`--ledger` keeps it for the documentation.

All is on disk before the next is timed: the same command goes on where it stopped, and tells the
models of before, too, in one table; `--tell` tells them without timing any.

Of one backend all settings on it make the grid; of several the backend is one of the settings. The
grid is of the settings that train the same; with `--all` also of those that do not: five times as
many. Exit status 1 where fewer than nine of ten are within 5 %; a model that cannot be tuned is
not. Besides the tuning's budget a model's grid takes minutes on one backend, several times as long
on all three; the table tells how many.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import ledger
from nnbench.errors import UserError
from nnbench.show import units
from nnbench.show.table import Table, text_table
from nnbench.show.terminal import note, print_table, say
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.store.folder import Writer
from nnbench.tune import execution, saved
from nnbench.tune.finding import likeliest, named
from nnbench.tune.halving import HALVED, LAST_TURNS, Rung
from nnbench.tune.saved import Tuning
from nnbench.tune.space import name
from nnbench.workload import datasets
from nnbench.workload.case import Case

WITHIN, WANTED = 1.05, 0.9

TOGETHER = 40
"""Settings of the grid that are timed in one life of the processes: they hold all of them."""

GRID_TURNS = 2
"""Turns of each setting of the grid: who may be the fastest is timed again."""

SLACK, FEWEST, MOST = 1.2, 3, 8
"""Timed again are those that take up to so many times the fastest's time, but so many of them."""

LAUNCHES = 6
UNSURE = " (likely)"
"""Of a setting that was named, but not shown to be faster than the present one."""

GRID = "grid"


@dataclass(frozen=True)
class Checked:
    """A model's answer beside the best of the grid; `ratio` is its time over the best's.

    `spent_s` is what the tuning took of its `budget_s`, `grid_s` what the grid took.
    """

    model: str
    settings: int
    timed: int
    named: str
    best: str
    ratio: Estimate
    spent_s: float
    budget_s: float
    grid_s: float

    @property
    def holds(self) -> bool:
        return self.ratio.value <= WITHIN


@dataclass(frozen=True)
class Asked:
    """How every model is tuned, where its results lie, and whether the grid is of all settings."""

    results: Path
    options: Sequence[str]
    every: bool

    def folders(self, model: str) -> tuple[Path, Path]:
        """Of a model's tuning and of its grid."""
        return self.results / f"tune-{model}", self.results / f"grid-{model}"


def tuned(file: Path, asked: Asked) -> Tuning:
    """The tuning of a model, by the command itself; one that is there already is gone on with."""
    folder, _ = asked.folders(file.stem)
    command = [sys.executable, "-m", "nnbench", "tune", f"{file}:build", "--data", f"{file}:load"]
    command += ["--results", str(folder.parent), "--name", folder.name, *asked.options]
    answer = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise UserError(f"not tuned (exit status {answer.returncode})")
    return saved.read(Path(json.loads(answer.stdout)["folder"]))


def allowed(tuning: Tuning, cases: Sequence[Case], asked: Asked) -> list[Case]:
    """Those of the settings that the grid is of."""
    return [one for one in cases if asked.every or tuning.space.keeps_training(one)]


def grid_of(tuning: Tuning, asked: Asked) -> list[Case]:
    """Every setting but the present one."""
    return [
        one for one in allowed(tuning, tuning.space.everything(), asked) if one != tuning.present
    ]


def answer_of(tuning: Tuning, asked: Asked) -> Case:
    """The setting that was named, also one that is only likely: the present one where none is."""
    likely = likeliest(tuning)
    said = named(tuning) if likely is None else [likely, *named(tuning)]
    return allowed(tuning, [tuning.present, *said], asked)[-1]


def plan_of(grid: Sequence[Case], answer: Case, asked: Asked) -> execution.Plan:
    """The grid in rungs, then its fastest and the answer several times."""
    chunks = [grid[begin : begin + TOGETHER] for begin in range(0, len(grid), TOGETHER)]

    def plan(tuning: Tuning) -> Rung | None:
        number, present = len(tuning.rungs), tuning.present
        if number < len(chunks):
            return Rung(number, GRID, [present, *chunks[number]], GRID_TURNS, float("inf"))
        if number >= len(chunks) + LAUNCHES:
            return None
        if number > len(chunks):
            return Rung(number, HALVED, tuning.rungs[-1].cases, LAST_TURNS, float("inf"))
        ranked = tuning.ranked
        order = allowed(tuning, sorted(ranked, key=lambda one: ranked[one]), asked)
        near = [one for one in order if ranked[one] <= SLACK * ranked[order[0]]]
        kept = order[: max(FEWEST, min(MOST, len(near)))]
        cases = dict.fromkeys([present, answer, *kept])
        return Rung(number, HALVED, list(cases), LAST_TURNS, float("inf"))

    return plan


def time_grid(file: Path, tuning: Tuning, asked: Asked) -> None:
    """Time a model's grid, or what is left of it."""
    _, folder = asked.folders(file.stem)
    if not folder.exists():
        saved.FORMAT.create(folder.parent, folder.name, tuning.specification, tuning.fingerprint)
        writer = Writer(folder)
        writer.append(tuning.of("look")[0])
        writer.close()
    if saved.read(folder).specification != tuning.specification:
        raise UserError(f"{folder} is the grid of another tuning: name another --results")
    grid = grid_of(tuning, asked)
    told = [""]

    def watch(spent_s: float, now: str, stage: str) -> None:
        if stage != told[-1]:
            told.append(stage)
            note(f"{file.stem}: {stage}, after {units.about(spent_s)}")

    note(
        f"{file.stem}: a grid of {len(grid) + 1} settings, "
        f"about {units.about(grid_s(tuning, grid))}"
    )
    data = datasets.load(tuning.present.data, as_given=True)
    plan = plan_of(grid, answer_of(tuning, asked), asked)
    execution.time_rungs(folder, data, watch, plan)


def grid_s(tuning: Tuning, grid: Sequence[Case]) -> float:
    """What a grid takes about, by what the tuning has seen."""
    finals_s = tuning.cost_s([tuning.present, *grid[:MOST]], LAST_TURNS)
    return tuning.cost_s([tuning.present, *grid], GRID_TURNS) + LAUNCHES * finals_s


def over_best(found: Tuning, answer: Case, last: Sequence[Case]) -> Estimate:
    """The answer's time of an epoch over the best's, which the other launches have found."""
    halved = {rung.number for rung in found.rungs if rung.stage == HALVED}
    timed = {one["launch"] for one in found.of("time") if one["rung"] in halved}

    def mean_log(case: Case, launches: set[int]) -> float:
        ratios = found.ratios(case.key).items()
        logs = [math.log(ratio) for (launch, _), ratio in ratios if launch in launches]
        return float(np.mean(logs)) if logs else math.inf

    ratios: list[float] = []
    launches: list[int] = []
    for launch in sorted(timed):
        best = min(last, key=partial(mean_log, launches=timed - {launch}))
        turns = found.ratios(answer.key, best.key).items()
        here = [ratio for (where, _), ratio in turns if where == launch]
        ratios += here
        launches += [launch] * len(here)
    return nested_estimate(ratios, launches)


def checked(model: str, asked: Asked) -> Checked | None:
    """What lies on disk of a model; None where it is not through."""
    tune, grid = asked.folders(model)
    if not (tune.exists() and grid.exists()):
        return None
    tuning, found = saved.read(tune), saved.read(grid)
    ends = len(found.of("end"))
    every_one = grid_of(tuning, asked)
    if not tuning.is_complete or ends < -(-len(every_one) // TOGETHER) + LAUNCHES:
        return None
    present, answer = tuning.present, answer_of(tuning, asked)
    last = [case for case in found.rungs[-1].cases if case in found.ranked]
    if answer not in last:
        raise UserError(f"{model}: what was named could not be timed again")
    candidates = allowed(tuning, last, asked)
    best = min(candidates, key=lambda case: found.ratio(case.key).value)
    return Checked(
        model,
        len(every_one) + 1,
        len(found.ranked),
        name(answer, present) + (UNSURE if answer == likeliest(tuning) else ""),
        name(best, present),
        over_best(found, answer, candidates),
        tuning.spent_s,
        tuning.budget_s,
        found.spent_s,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--results", type=Path, default=Path("results/tune-grids"))
    parser.add_argument("--budget", default="5min")
    parser.add_argument("--backend", default="jax")
    parser.add_argument("--keep", default="")
    parser.add_argument("--all", action="store_true", dest="every")
    parser.add_argument("--tell", action="store_true")
    parser.add_argument("--ledger", action="store_true")
    given = parser.parse_args()
    kept = [one for one in given.keep.split(",") if one]
    kept += [] if "," in given.backend or "backend" in kept else ["backend"]
    options = ["--budget", given.budget, "--backend", given.backend]
    options += ["--keep", ",".join(kept)] if kept else []
    # What was asked otherwise lies elsewhere: no table mixes the two.
    where = "-".join([given.backend.replace(",", "-"), *(["all"] if given.every else [])])
    asked = Asked(given.results / where, options, given.every)
    files = [one for one in sorted(given.models.glob("*.py")) if "def build" in one.read_text()]
    failed: list[str] = []
    for file in [] if given.tell else files:
        if given.names and file.stem not in given.names:
            continue
        try:
            time_grid(file, tuned(file, asked), asked)
        except UserError as mistake:
            failed.append(file.stem)
            note(f"{file.stem}: {mistake}")
    found = [one for one in (checked(file.stem, asked) for file in files) if one]
    table = table_of(found, given.backend)
    print_table(table)
    good = sum(one.holds for one in found)
    answer = f"{good} of {len(found)} within {WITHIN - 1:.0%} of the best of the grid"
    told = {*failed, *(one.model for one in found)}
    left = [file.stem for file in files if file.stem not in told]
    for why, names in (("failed", failed), ("not through", left)):
        answer += f"; {why}: {', '.join(names)}" if names else ""
    say(answer)
    if given.ledger:
        rows = [[cell.text for cell in row] for row in table.rows if row]
        kept_table = {"title": table.title, "columns": list(table.columns), "rows": rows}
        question = "Is what tune names near the best of all settings?"
        ledger.keep("tune", question, f"{answer}.", [kept_table])
    return int(not found or good < WANTED * (len(found) + len(failed)))


def table_of(found: Sequence[Checked], where: str) -> Table:
    rows = [
        [
            one.model,
            f"{one.timed} of {one.settings}",
            one.named,
            "the same" if one.named.removesuffix(UNSURE) == one.best else one.best,
            f"{units.ratio(one.ratio.value)} [{units.ratio_range(one.ratio.low, one.ratio.high)}]",
            "yes" if one.holds else "NO",
            f"{units.about(one.spent_s)} of {units.about(one.budget_s)}",
            units.about(one.grid_s),
        ]
        for one in found
    ]
    columns = ("model", "grid", "named by tune", "best of the grid", "named / best", "within")
    times = ("tuning", "grid took")
    return text_table(f"tune against full grids, {where}", (*columns, *times), rows)


if __name__ == "__main__":
    sys.exit(main())
