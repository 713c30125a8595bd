"""False alarms, coverage and power of nnbench's verdict and of other tools', on saved runs.

    python benchmarks/calibration/judge.py results/identical results/planted

Reads runs written by `measure.py`. A comparison takes `--launches` rounds of a run, and in them
the launches of two sides: neighbouring rounds first, then random choices in the order they were
measured. Identical copies (`same1`, `same2`, ...) are compared in all pairs.
"""

import argparse
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from peers import TOOLS, Decision, Launches
from rich import print as show
from rich.table import Table

from nnbench.phases import PHASES, STEP
from nnbench.stats.estimate import nested_estimate
from nnbench.store import runs

DRAWS, NAME = 200, "nnbench"


@dataclass(frozen=True)
class Measured:
    """Samples in seconds: by side and phase, the launches in order of rounds."""

    samples: dict[tuple[str, str], Launches]
    launch_s: float
    rounds: int


def read(folder: Path) -> Measured:
    """Read one run, keeping the rounds that every side has finished."""
    run = runs.read(folder)
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
            launches.append(series.tolist())
        samples[side, phase] = launches
    ready_s = sorted(
        datetime.fromisoformat(record["began"]).timestamp()
        for record in run.launches
        if record["round"] in complete
    )
    # Processes of a round start together: what a launch costs is its share of the wall-clock.
    launch_s = (ready_s[-1] - ready_s[0]) / (len(complete) - 1) / len(sides)
    return Measured(samples, launch_s, len(complete))


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
    """False alarms and coverage, over every phase and pair of identical copies."""
    table = Table(title=f"identical code, {launches} launches a side")
    table.add_column("tool")
    for name in ("comparisons", "false alarms", "rate", "step: rate", "covered", "step: covered"):
        table.add_column(name, justify="right")
    sides = sorted({side for side, _ in measured.samples if side.startswith("same")})
    pairs = list(itertools.combinations(sides, 2))
    found: dict[str, list[tuple[str, Decision]]] = {name: [] for name in TOOLS}
    for first, second in pairs:
        for rounds in draws(measured, launches, random.Random(0)):
            for phase in [phase for phase in PHASES if (first, phase) in measured.samples]:
                before = chosen(measured, first, phase, rounds)
                after = chosen(measured, second, phase, rounds)
                for name, tool in TOOLS.items():
                    found[name].append((phase, tool(before, after, swept=phase == STEP)))
    for name, decisions in found.items():
        steps = [decision for phase, decision in decisions if phase == STEP]
        every = [decision for _, decision in decisions]
        alarms = sum(decision.alarm for decision in every)
        table.add_row(
            name,
            str(len(every)),
            str(alarms),
            _alarm_rate(every),
            _alarm_rate(steps),
            _coverage(every),
            _coverage(steps),
        )
    return table


def _alarm_rate(decisions: list[Decision]) -> str:
    return f"{sum(decision.alarm for decision in decisions) / len(decisions):.1%}"


def _coverage(decisions: list[Decision]) -> str:
    known = [decision for decision in decisions if not np.isnan(decision.low)]
    if not known:
        return "no interval"
    return f"{sum(decision.low <= 1 <= decision.high for decision in known) / len(known):.1%}"


def power(measured: Measured, launches: int, phase: str) -> Table:
    """How often each planted slow-down is found, and how wide the intervals are."""
    budget_s = launches * measured.launch_s
    planted = [
        side for side, found in measured.samples if side.startswith("plus") and found == phase
    ]
    planted.sort(key=lambda side: int(side.removeprefix("plus")))
    table = Table(title=f"planted in the {phase}, {launches} launches = {budget_s:.0f} s a side")
    table.add_column("tool")
    for side in planted:
        truth = nested_estimate(
            [
                float(np.median(np.divide(after, before)))
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
                tool(
                    chosen(measured, "base", phase, rounds),
                    chosen(measured, side, phase, rounds),
                    swept=phase == STEP,
                )
                for rounds in draws(measured, launches, random.Random(1))
            ]
            found.append(f"{sum(d.alarm for d in decisions) / len(decisions):.0%}")
            widths += [np.log(d.high / d.low) / 2 for d in decisions if not np.isnan(d.low)]
        width = f"±{np.median(widths):.1%}" if widths else "no interval"
        table.add_row(name, *found, width)
    return table


def found(table: Table, cell: Callable[[Table, str, str], str]) -> str:
    """What nnbench found by a table, in a line; `cell` is the ledger's."""
    if "identical" in str(table.title):
        return f"{cell(table, NAME, 'rate')} false alarms"
    planted = [str(column.header) for column in table.columns[1:-1]]
    return ", ".join(
        f"{one.split()[2]} found in {cell(table, NAME, one.split()[0])}" for one in planted
    )


def main() -> None:
    """Print the tables for each run given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--launches", type=int, nargs="+", default=[4, 6, 8])
    parser.add_argument("--phase", default=STEP)
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    tables = []
    for folder in options.runs:
        measured = read(folder)
        show(f"{folder}: {measured.rounds} rounds, {measured.launch_s:.1f} s a launch")
        for launches in options.launches:
            if launches > measured.rounds:
                continue
            sides = {side for side, _ in measured.samples}
            if any(side.startswith("same") for side in sides):
                tables.append(identical_code(measured, launches))
                show(tables[-1])
            if any(side.startswith("plus") for side in sides):
                tables.append(power(measured, launches, options.phase))
                show(tables[-1])
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from benchmarks import ledger

        answer = " ".join(f"{one.title}: {found(one, ledger.cell)}.".capitalize() for one in tables)
        question = "How often is the verdict wrong, on real trainings?"
        ledger.keep("verdict", question, answer, tables)


if __name__ == "__main__":
    main()
