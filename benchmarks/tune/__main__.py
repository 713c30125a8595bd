"""Is the setting that `nnbench tune` names within 5 % of the best of a full grid?

    python -m benchmarks.tune MODELS [NAME ...] [--budget 5min] [--backend tensorflow,jax] [--all]

MODELS is a folder of files, each with `build()` and `load()`. Each model is tuned; then every
setting that `tune` could have come to is timed, in rungs of a few dozen, and the fastest of them
are timed again beside the one that was named, in new processes. The ratio of the two is printed
with its interval. The grid is of the settings that train the same; with `--all` also of those that
do not: five times as many.

Exit status 1 where fewer than nine of ten are within 5 %; a model that cannot be tuned is not. Of
all backends a model takes a quarter of an hour or more on two cores.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.errors import UserError
from nnbench.show import units
from nnbench.show.table import text_table
from nnbench.show.terminal import note, print_table, say
from nnbench.stats.estimate import Estimate
from nnbench.store.folder import Writer
from nnbench.tune import execution, saved
from nnbench.tune.finding import named
from nnbench.tune.halving import HALVED, LAST_TURNS, TURNS, Rung
from nnbench.tune.saved import Tuning
from nnbench.tune.space import name
from nnbench.workload import datasets
from nnbench.workload.case import Case

WITHIN, WANTED = 1.05, 0.9

TOGETHER = 24
"""Settings of the grid that are timed in one life of the processes: they hold all of them."""

FINALISTS, LAUNCHES = 5, 3
GRID = "grid"


@dataclass(frozen=True)
class Checked:
    """A model's answer beside the best of the grid; `ratio` is its time over the best's."""

    model: str
    settings: int
    timed: int
    named: str
    best: str
    ratio: Estimate
    spent_s: float

    @property
    def holds(self) -> bool:
        return self.ratio.value <= WITHIN


def tuned(file: Path, results: Path, options: Sequence[str]) -> Tuning:
    """The tuning of a model, by the command itself."""
    command = [sys.executable, "-m", "nnbench", "tune", f"{file}:build", "--data", f"{file}:load"]
    command += ["--results", str(results), "--json", *options]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise UserError(f"{file.stem} was not tuned (exit status {answer.returncode})")
    return saved.read(Path(json.loads(answer.stdout)["folder"]))


def plan_of(grid: Sequence[Case], answer: Case, *, every: bool) -> execution.Plan:
    """The grid in rungs, then its fastest and the answer several times."""
    chunks = [grid[begin : begin + TOGETHER] for begin in range(0, len(grid), TOGETHER)]

    def plan(tuning: Tuning) -> Rung | None:
        number, present = len(tuning.rungs), tuning.present
        if number < len(chunks):
            return Rung(number, GRID, [present, *chunks[number]], TURNS, float("inf"))
        if number >= len(chunks) + LAUNCHES:
            return None
        ranked, space = tuning.ranked, tuning.space
        order = sorted(ranked, key=lambda one: ranked[one])
        kept = [one for one in order if every or space.keeps_training(one)]
        cases = dict.fromkeys([present, answer, *kept[:FINALISTS]])
        return Rung(number, HALVED, list(cases), LAST_TURNS, float("inf"))

    return plan


def checked(file: Path, results: Path, options: Sequence[str], *, every: bool) -> Checked:
    """Tune a model, time its grid, and compare."""
    tuning = tuned(file, results, options)
    space, present = tuning.space, tuning.present
    answers = [present, *named(tuning)]
    answer = [one for one in answers if every or space.keeps_training(one)][-1]
    every_one = [one for one in space.everything() if one != present]
    grid = [one for one in every_one if every or space.keeps_training(one)]
    folder = saved.FORMAT.create(results, f"grid-{file.stem}", tuning.specification, {})
    writer = Writer(folder)
    writer.append(tuning.of("look")[0])
    writer.close()

    def watch(spent_s: float, now: str, stage: str) -> None:
        if stage != told[-1]:
            told.append(stage)
            note(f"{file.stem}: {stage}, after {units.about(spent_s)}")

    told = [""]
    data = datasets.load(present.data, as_given=True)
    plan = plan_of(grid, answer, every=every)
    found = execution.time_rungs(folder, data, watch, plan)
    last = [case for case in found.rungs[-1].cases if case in found.ranked]
    if answer not in last:
        raise UserError(f"{file.stem}: what was named could not be timed again")
    allowed = [case for case in last if every or space.keeps_training(case)]
    best = min(allowed, key=lambda case: found.ratio(case.key).value)
    names = name(answer, present), name(best, present)
    ratio = found.ratio(answer.key, best.key)
    return Checked(file.stem, len(grid), len(found.ranked), *names, ratio, tuning.spent_s)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--budget", default="5min")
    parser.add_argument("--backend", default="tensorflow,jax,torch")
    parser.add_argument("--keep", default="")
    parser.add_argument("--all", action="store_true", dest="every")
    asked = parser.parse_args()
    options = ["--budget", asked.budget, "--backend", asked.backend]
    options += ["--keep", asked.keep] if asked.keep else []
    files = [one for one in sorted(asked.models.glob("*.py")) if "def build" in one.read_text()]
    files = [one for one in files if not asked.names or one.stem in asked.names]
    found, failed = [], 0
    with tempfile.TemporaryDirectory() as results:
        for file in files:
            try:
                found.append(checked(file, Path(results), options, every=asked.every))
            except UserError as mistake:
                failed += 1
                note(f"{file.stem}: {mistake}")
    tell(found)
    good = sum(one.holds for one in found)
    say(f"{good} of {len(found)} within {WITHIN - 1:.0%} of the best of the grid; {failed} failed")
    return int(not found or good < WANTED * (len(found) + failed))


def tell(found: Sequence[Checked]) -> None:
    rows = [
        [
            one.model,
            f"{one.timed} of {one.settings + 1}",
            one.named,
            "the same" if one.named == one.best else one.best,
            f"{units.ratio(one.ratio.value)} [{units.ratio_range(one.ratio.low, one.ratio.high)}]",
            "yes" if one.holds else "NO",
        ]
        for one in found
    ]
    columns = ("model", "grid", "named by tune", "best of the grid", "named / best", "within")
    print_table(text_table("tune against full grids", columns, rows))


if __name__ == "__main__":
    sys.exit(main())
