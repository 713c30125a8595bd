"""Whole checks on real launches: false alarms, what is found, when they end, and what others say.

    python benchmarks/calibration/check.py results/quiet results/tenants

Reads runs of `measure.py --phase step` with the sides same1, same2 and plus5. Each check draws its
rounds with replacement from those of a run, as many as fit into `--seconds` a side by what they
took there, and lets `compare`'s own sequential rule look at them as they come. What is printed are
resampled comparisons, therefore, and the number of real rounds is said beside them. Identical code
is compared in both directions, drawn by chance; of `plus5` the extra work that this copy does in
every step is to be found. Other tools get the very samples that nnbench had when it ended.
"""

import argparse
import itertools
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import TOOLS as JUDGES
from rich.console import Console
from rich.table import Table

from nnbench.measure import decision
from nnbench.phases import STEP
from nnbench.stats import verdict
from nnbench.stats.blocks import LOWEST_STEPS
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison, Look
from nnbench.store import runs

BASE, SAME, SLOWER = "same1", "same2", "plus5"
OWN = "nnbench compare --budget"

TOOLS = {name: tool for name, tool in JUDGES.items() if name != "nnbench"}


@dataclass(frozen=True)
class Round:
    """A round: the samples of each block by side, and what it takes of both sides of a check."""

    blocks: dict[str, list[list[float]]]
    seconds: float

    @cached_property
    def lowest(self) -> dict[str, NDArray[np.float64]]:
        """What nnbench makes of each block's samples, by side."""
        return {
            side: np.quantile(found, LOWEST_STEPS, axis=1) for side, found in self.blocks.items()
        }

    def ratios(self, first: str, second: str) -> NDArray[np.float64]:
        """Second / first of each block."""
        return np.asarray(self.lowest[second] / self.lowest[first])

    def slowed(self, factor: float) -> "Round":
        """The same, with a third copy whose samples are the second's, longer by just this."""
        longer = [[factor * one for one in block] for block in self.blocks[SAME]]
        return Round({**self.blocks, SLOWER: longer}, self.seconds)


@dataclass(frozen=True)
class Checked:
    """How one check ended: its verdict, after so many rounds and seconds."""

    found: Comparison
    rounds: list[Round]
    seconds: float


def read(folder: Path) -> list[Round]:
    """The rounds of a run in which all sides have all blocks."""
    run = runs.read(folder)
    table = run.samples()
    blocks: dict[int, dict[str, dict[int, list[float]]]] = {}
    for (number, side, block), group in table[table["phase"] == STEP].groupby(
        ["round", "side", "block"]
    ):
        of_side = blocks.setdefault(number, {}).setdefault(side, {})
        of_side[block] = group.sort_values("position")["seconds"].to_list()
    wanted = run.specification["blocks"]
    found = []
    for number, sides in blocks.items():
        if set(sides) == {BASE, SAME, SLOWER} and all(len(one) == wanted for one in sides.values()):
            starts = [one for one in run.launches if one["round"] == number]
            start_s = max(one["import_s"] + one["first_use_s"] for one in starts)
            trials = run.trials.where(run.trials.column("round") == number)
            trials_s = trials.spent_s * 2 / len(sides)
            values = {side: list(one.values()) for side, one in sides.items()}
            found.append(Round(values, start_s + trials_s))
    return found


def look(rounds: Sequence[Round], first: str, second: str, share: float) -> Look:
    """What nnbench makes of rounds: ratios of the lowest tenths by block, the round as the unit."""
    ratios = [one.ratios(first, second) for one in rounds]
    numbers = np.repeat(np.arange(len(rounds)), [len(one) for one in ratios])
    return Look(share, {STEP: nested_estimate(np.concatenate(ratios), numbers)})


def check(pool: Sequence[Round], first: str, second: str, budget_s: float, seed: str) -> Checked:
    """One check, as `compare --phase step --budget` would go."""
    drawn = random.Random(seed)
    rounds: list[Round] = []
    looks: list[Look] = []
    spent_s = looked_s = 0.0
    at = set(decision.look_rounds(200))
    while not rounds or spent_s + 0.5 * spent_s / len(rounds) <= budget_s:
        rounds.append(drawn.choice(pool))
        spent_s += rounds[-1].seconds
        if len(rounds) in at:
            share = (min(spent_s, budget_s) - looked_s) / budget_s
            looked_s = min(spent_s, budget_s)
            looks.append(look(rounds, first, second, share))
            (found,) = verdict.judge_looks(looks)
            if found.verdict != UNDECIDED:
                return Checked(found, rounds, spent_s)
    rest = 1 - sum(one.share for one in looks)
    (found,) = verdict.judge_looks([*looks, look(rounds, first, second, max(rest, 1e-9))])
    return Checked(found, rounds, spent_s)


def table(name: str, pool: Sequence[Round], comparisons: int, seconds: float, others: int) -> Table:
    """False alarms and what is found: by nnbench's check, and by others on the same samples."""
    budget_s = 2 * seconds
    title = (
        f"{name}: {comparisons} checks of {seconds:.0f} s a side, resampled from {len(pool)} real "
        f"rounds of {np.mean([one.seconds for one in pool]):.1f} s for both sides; others judge "
        f"the first {others}"
    )
    shown = Table(title=title)
    names = ("false alarms", "slower found", "median half width", "identical: verdicts", "ended at")
    shown.add_column("tool")
    for one in names:
        shown.add_column(one, justify="right")
    alarms: Counter[str] = Counter()
    found: Counter[str] = Counter()
    widths: dict[str, list[float]] = {name: [] for name in TOOLS}
    said: Counter[str] = Counter()
    took: list[float] = []
    own_alarms = own_found = wrong = 0
    own_widths: list[float] = []
    for number in range(comparisons):
        # The two are the same code: which is first is drawn.
        same = [BASE, SAME]
        random.Random(f"sides/{number}").shuffle(same)
        equal = check(pool, *same, budget_s, f"same/{number}")
        slow = check(pool, BASE, SLOWER, budget_s, f"slow/{number}")
        probable = " (probably different)" if equal.found.is_probable else ""
        said[f"{equal.found.verdict}{probable}"] += 1
        own_alarms += equal.found.verdict == DIFFERENT
        own_found += slow.found.verdict == DIFFERENT and slow.found.ratio.value > 1
        wrong += slow.found.verdict == EQUIVALENT or (
            slow.found.verdict == DIFFERENT and slow.found.ratio.value < 1
        )
        took.append(slow.seconds)
        own_widths.append(np.log(equal.found.ratio.high / equal.found.ratio.low) / 2)
        for tool_name, tool in TOOLS.items() if number < others else ():
            decisions = []
            for one, first, second in ((equal, *same), (slow, BASE, SLOWER)):
                sides = [
                    [list(itertools.chain(*launch.blocks[side])) for launch in one.rounds]
                    for side in (first, second)
                ]
                decisions.append(tool(*sides, swept=True))
            alarms[tool_name] += decisions[0].alarm
            found[tool_name] += decisions[1].alarm
            if np.isfinite(decisions[0].low):
                widths[tool_name].append(np.log(decisions[0].high / decisions[0].low) / 2)
    verdicts = ", ".join(f"{count} {what}" for what, count in said.most_common())
    own = f"{own_found / comparisons:.1%} ({wrong} wrong)"
    shown.add_row(
        OWN,
        f"{own_alarms / comparisons:.1%}",
        own,
        f"±{np.median(own_widths):.2%}",
        verdicts,
        f"{np.median(took) / 2:.0f} s a side",
    )
    for tool_name in TOOLS if others else ():
        width = f"±{np.median(widths[tool_name]):.2%}" if widths[tool_name] else "no interval"
        rates = (f"{one[tool_name] / max(1, others):.1%}" for one in (alarms, found))
        shown.add_row(tool_name, *rates, width, "", "")
    return shown


def variances(pool: Sequence[Round]) -> str:
    """What the log ratio of identical code varies by in a launch, as standard deviations."""
    logs = np.log([one.ratios(BASE, SAME) for one in pool])
    within = float(logs.var(axis=1, ddof=1).mean())
    between = float(logs.mean(axis=1).var(ddof=1)) - within / logs.shape[1]
    return (
        f"the ratio of two blocks varies by ±{within**0.5:.1%} within a launch (networks made "
        f"anew, and their sweeps), by ±{max(0.0, between) ** 0.5:.1%} more between launches"
    )


def main() -> None:
    """Print a table for each run given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--others", type=int, default=40, help="checks that other tools judge")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--exactly", type=float, help="instead of plus5: same2, by so much slower")
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    console = Console(width=150)
    tables, notes = [], []
    for folder in options.runs:
        pool = read(folder)
        if options.exactly:
            pool = [one.slowed(1 + options.exactly / 100) for one in pool]
        truth = look(pool, BASE, SLOWER, 1.0).ratios[STEP]
        shown = table(folder.name, pool, options.comparisons, options.seconds, options.others)
        console.print(shown)
        size = f"{truth.value - 1:+.1%} [{truth.low - 1:+.1%}, {truth.high - 1:+.1%}]"
        told = [variances(pool), f"plus5 is really {size}, of all {len(pool)} rounds together"]
        console.print(*told, sep="\n")
        tables.append(shown)
        notes += [f"{folder.name}: {one}." for one in told]
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from benchmarks import ledger

        question = "Is a check in a pull request right, quiet and beside other tenants?"
        told = [
            f"{folder.name}: {ledger.cell(one, OWN, 'false alarms')} false alarms, "
            f"{ledger.cell(one, OWN, 'slower found')} of what is slower found"
            for folder, one in zip(options.runs, tables, strict=True)
        ]
        answer = (
            f"{'; '.join(told).capitalize()}. Checks are resampled from real rounds, and not "
            "independent of each other; other tools judge the very samples."
        )
        ledger.keep("check", question, answer, tables, notes)


if __name__ == "__main__":
    main()
