"""False alarms, coverage and power of nnbench's verdict and of other tools', on saved runs.

    python benchmarks/calibration/judge.py results/calibration

Reads runs written by `measure.py`. A comparison takes `--launches` rounds drawn from the run, in
the order they were measured, and the second side's launches of the same rounds. Identical code
(`base` and `same`) is also compared the other way round.
"""

import argparse
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peers import TOOLS, Launches
from rich import print as show
from rich.table import Table

from nnbench import results
from nnbench.phases import PHASES
from nnbench.statistics import nested_estimate, steady_from

DRAWS = 200


@dataclass(frozen=True)
class Measured:
    """Steady samples in seconds: by side and phase, the launches in order of rounds."""

    samples: dict[tuple[str, str], Launches]
    launch_s: dict[str, float]
    rounds: int


def read(folder: Path) -> Measured:
    """Read one run, keeping the rounds that every side has finished."""
    run = results.read(folder)
    table = run.samples()
    sides = run.specification["sides"]
    complete = [
        number
        for number, group in table.groupby("round")
        if all((group["side"] == side).any() for side in sides)
    ]
    samples: dict[tuple[str, str], Launches] = {}
    for (side, phase), group in table[table["round"].isin(complete)].groupby(["side", "phase"]):
        launches = []
        for _, launch in group.groupby("round"):
            series = launch.sort_values("position")["seconds"].to_numpy()
            launches.append(series[steady_from(series) :].tolist())
        samples[side, phase] = launches
    spent = {side: [] for side in sides}
    for record in run.launches:
        trials = [t["wall_s"] for t in run.trials if t["launch"] == record["launch"]]
        spent[record["side"]].append(record["import_s"] + record["first_use_s"] + sum(trials))
    return Measured(
        samples, {side: statistics.mean(found) for side, found in spent.items()}, len(complete)
    )


def draws(measured: Measured, launches: int, rng: random.Random) -> Iterator[list[int]]:
    """Rounds of each comparison: neighbours in time first, then random choices in order."""
    for start in range(0, measured.rounds - launches + 1, launches):
        yield list(range(start, start + launches))
    for _ in range(DRAWS):
        yield sorted(rng.sample(range(measured.rounds), launches))


def chosen(measured: Measured, side: str, phase: str, rounds: list[int]) -> Launches:
    """The samples of one side and phase in these rounds."""
    return [measured.samples[side, phase][number] for number in rounds]


def identical_code(measured: Measured, launches: int) -> Table:
    """False alarms and coverage, over every phase."""
    table = Table(title=f"identical code, {launches} launches a side")
    table.add_column("tool")
    for name in ("comparisons", "false alarms", "rate", "covered by its interval"):
        table.add_column(name, justify="right")
    for name, tool in TOOLS.items():
        rng = random.Random(0)
        alarms = count = covered = with_interval = 0
        for rounds in draws(measured, launches, rng):
            for phase in PHASES:
                if ("base", phase) not in measured.samples:
                    continue
                # A coin for each round decides which launch is called which: both are the same.
                swap = [rng.random() < 0.5 for _ in rounds]
                base = chosen(measured, "base", phase, rounds)
                same = chosen(measured, "same", phase, rounds)
                first = [s if flip else b for b, s, flip in zip(base, same, swap, strict=True)]
                second = [b if flip else s for b, s, flip in zip(base, same, swap, strict=True)]
                decision = tool(first, second)
                count += 1
                alarms += decision.alarm
                if not np.isnan(decision.low):
                    with_interval += 1
                    covered += decision.low <= 1 <= decision.high
        share = f"{covered / with_interval:.1%}" if with_interval else "no interval"
        table.add_row(name, str(count), str(alarms), f"{alarms / count:.1%}", share)
    return table


def power(measured: Measured, launches: int, phase: str) -> Table:
    """How often each planted slow-down is found, and how wide the intervals are."""
    budget_s = launches * measured.launch_s["base"]
    planted = [
        side for side, found in measured.samples if side.startswith("plus") and found == phase
    ]
    planted.sort(key=lambda side: int(side.removeprefix("plus")))
    table = Table(title=f"planted in the {phase}, {launches} launches = {budget_s:.0f} s a side")
    table.add_column("tool")
    for side in planted:
        truth = nested_estimate(
            [
                statistics.median(after) / statistics.median(before)
                for before, after in zip(
                    measured.samples["base", phase], measured.samples[side, phase], strict=True
                )
            ],
            range(measured.rounds),
        )
        table.add_column(
            f"{side}\nreally {truth.value - 1:+.1%}\n[{truth.low - 1:+.1%}, {truth.high - 1:+.1%}]",
            justify="right",
        )
    table.add_column("median half width", justify="right")
    for name, tool in TOOLS.items():
        found = []
        widths = []
        for side in planted:
            decisions = [
                tool(chosen(measured, "base", phase, rounds), chosen(measured, side, phase, rounds))
                for rounds in draws(measured, launches, random.Random(1))
            ]
            found.append(f"{sum(d.alarm for d in decisions) / len(decisions):.0%}")
            widths += [np.log(d.high / d.low) / 2 for d in decisions if not np.isnan(d.low)]
        width = f"±{np.median(widths):.1%}" if widths else "no interval"
        table.add_row(name, *found, width)
    return table


def main() -> None:
    """Print the tables for each run given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--launches", type=int, nargs="+", default=[4, 6, 8])
    parser.add_argument("--phase", default="step")
    options = parser.parse_args()
    for folder in options.runs:
        measured = read(folder)
        show(f"{folder}: {measured.rounds} rounds, {measured.launch_s['base']:.1f} s a launch")
        for launches in options.launches:
            if launches > measured.rounds:
                continue
            sides = {side for side, _ in measured.samples}
            if {"base", "same"} <= sides:
                show(identical_code(measured, launches))
            if any(side.startswith("plus") for side in sides):
                show(power(measured, launches, options.phase))


if __name__ == "__main__":
    main()
