"""Whole checks on real launches: false alarms, what is found, when they end, and what others say.

    python benchmarks/calibration/check.py results/quiet results/tenants

Reads runs of `measure.py --phase step` with the sides same1 and same2, and plus5 unless one says
`--exactly`. Each check draws its rounds with replacement from those of a run, as many as fit into
`--seconds` a side by what they took there, and lets `compare`'s own sequential rule look at them as
they come. What is printed are resampled comparisons, therefore, and the number of real rounds is
said beside them, with what all of them together say of identical code. Which of two identical sides
is the first is drawn for each round; of `plus5` the extra work that this copy does in every step is
to be found. Other tools get what nnbench had measured when it ended, in samples of 10 ms, as asv
takes them: means of turns in sequence. asv is shown a second time as it would have used the same
seconds itself: as many processes as fit, each with ten samples of one network, as many as it takes
of a process.
"""

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import TOOLS as JUDGES
from peers import Decision
from rich.console import Console
from rich.table import Table

from nnbench.measure import decision
from nnbench.phases import STEP
from nnbench.stats import verdict
from nnbench.stats.blocks import ratio_of_turns
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison, Look
from nnbench.store import runs

BASE, SAME, SLOWER = "same1", "same2", "plus5"
OWN = "nnbench compare --budget"

ALL, ODD, EVEN = slice(None), slice(1, None, 2), slice(0, None, 2)

TOOLS = {name: tool for name, tool in JUDGES.items() if name != "nnbench"}

ASV, ASV_SAMPLES, ASV_SAMPLE_S = "asv", 10, 0.01
"""The defaults of its `repeat` and `sample_time`: it takes 10 at most of one process."""

BY_ITSELF = "asv by itself"


@dataclass(frozen=True)
class Round:
    """A round: by side the samples of each block, shape (blocks, sweeps, samples of a turn).

    `seconds` is what it takes of both sides of a check, `asv_seconds` what asv would take for a
    process of each: its start, one network, and its samples.
    """

    samples: dict[str, NDArray[np.float64]]
    seconds: float
    asv_seconds: float

    def ratios(self, first: str, second: str, sweeps: slice = ALL) -> NDArray[np.float64]:
        """Second / first of each block, by the least of each turn of some of its sweeps."""
        below, above = (self.samples[side][:, sweeps].min(axis=2) for side in (first, second))
        return np.array([ratio_of_turns(*pair) for pair in zip(above, below, strict=True)])

    def launch(self, side: str) -> list[float]:
        """All that was measured of a side, in order, in samples as long as asv's."""
        return [sample for block in self.samples[side] for sample in _together(block)]

    def asv_launch(self, side: str) -> list[float]:
        """What asv would have of a process."""
        return _together(self.samples[side][0])[:ASV_SAMPLES]

    def exchanged(self) -> "Round":
        """The same, each of the two that are the same code taken for the other."""
        swapped = {BASE: self.samples[SAME], SAME: self.samples[BASE]}
        return replace(self, samples={**self.samples, **swapped})

    def slowed(self, factor: float) -> "Round":
        """The same, with a third copy whose samples are the second's, longer by just this."""
        return replace(self, samples={**self.samples, SLOWER: factor * self.samples[SAME]})


def _together(turns: NDArray[np.float64]) -> list[float]:
    """Means of turns in sequence that last as long as a sample of asv's, shape (turns, samples)."""
    count = max(1, math.ceil(ASV_SAMPLE_S / float(turns.sum(axis=1).mean())))
    return [float(turns[begin : begin + count].mean()) for begin in range(0, len(turns), count)]


@dataclass(frozen=True)
class Checked:
    """How one check ended: its verdict, after so many rounds and seconds."""

    found: Comparison
    rounds: list[Round]
    seconds: float


def read(folder: Path) -> list[Round]:
    """The rounds of a run in which all sides have all blocks and sweeps."""
    run = runs.read(folder)
    table = run.samples()
    parts: dict[int, dict[str, list[NDArray[np.float64]]]] = {}
    of_block = table[table["phase"] == STEP].groupby(["round", "side", "block"])
    for (number, side, _), group in of_block:
        values = group.sort_values("position")["seconds"].to_numpy()
        turns = values.reshape(group["trial"].nunique(), -1)
        parts.setdefault(number, {}).setdefault(side, []).append(turns)
    found = []
    for number, sides in parts.items():
        shapes = {(len(blocks), *one.shape) for blocks in sides.values() for one in blocks}
        if len(shapes) == 1 and sides.keys() == set(run.specification["sides"]):
            starts = [one for one in run.launches if one["round"] == number]
            start_s = max(one["import_s"] + one["first_use_s"] for one in starts)
            trials = run.trials.where(run.trials.column("round") == number)
            network = (trials.column("sweep") == 0) & (trials.column("block") == 0)
            own_s, network_s = (
                one.spent_s * 2 / len(sides) for one in (trials, trials.where(network))
            )
            values_s = {side: np.stack(blocks) for side, blocks in sides.items()}
            asv_s = start_s + network_s + 2 * ASV_SAMPLES * ASV_SAMPLE_S
            found.append(Round(values_s, start_s + own_s, asv_s))
    return found


def look(rounds: Sequence[Round], first: str, second: str, share: float) -> Look:
    """What nnbench makes of rounds: the ratios of their blocks, the round as the unit."""
    ratios = [one.ratios(first, second) for one in rounds]
    numbers = np.repeat(np.arange(len(rounds)), [len(one) for one in ratios])
    return Look(share, {STEP: nested_estimate(np.concatenate(ratios), numbers)})


def drawn_from(
    pool: Sequence[Round], drawn: random.Random, second: str, factor: float | None
) -> Round:
    """A round drawn with replacement.

    Of identical code either side might have been the other: of each round that is drawn, too. So
    a copy that is slower by a known factor is made of either.
    """
    one = drawn.choice(pool)
    if second == SAME or factor:
        one = one.exchanged() if drawn.random() < 0.5 else one
    return one.slowed(factor) if factor else one


def asv_alone(
    pool: Sequence[Round], second: str, seconds: float, seed: str, factor: float | None
) -> Decision:
    """What asv would say after these seconds of its own processes."""
    drawn, rounds = random.Random(seed), []
    while not rounds or sum(one.asv_seconds for one in rounds) < seconds:
        rounds.append(drawn_from(pool, drawn, second, factor))
    sides = [[one.asv_launch(side) for one in rounds] for side in (BASE, second)]
    return TOOLS[ASV](*sides, swept=False)


def check(
    pool: Sequence[Round], second: str, budget_s: float, seed: str, factor: float | None
) -> Checked:
    """One check, as `compare --phase step --budget` would go."""
    drawn = random.Random(seed)
    rounds: list[Round] = []
    looks: list[Look] = []
    spent_s = spent_before = 0.0
    at = set(decision.look_rounds(200))
    while not rounds or spent_s + 0.5 * spent_s / len(rounds) <= budget_s:
        rounds.append(drawn_from(pool, drawn, second, factor))
        spent_s += rounds[-1].seconds
        if len(rounds) in at:
            spent = decision.spendable(min(spent_s, budget_s) / budget_s)
            share, spent_before = spent - spent_before, spent
            looks.append(look(rounds, BASE, second, share))
            (found,) = verdict.judge_looks(looks)
            if found.verdict != UNDECIDED:
                return Checked(found, rounds, spent_s)
    rest = 1 - sum(one.share for one in looks)
    (found,) = verdict.judge_looks([*looks, look(rounds, BASE, second, max(rest, 1e-9))])
    return Checked(found, rounds, spent_s)


def table(
    name: str, pool: Sequence[Round], options: argparse.Namespace, factor: float | None
) -> Table:
    """False alarms and what is found: by nnbench's check, and by others on the same samples."""
    comparisons, seconds, others = options.comparisons, options.seconds, options.others
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
    widths: dict[str, list[float]] = {name: [] for name in (BY_ITSELF, *TOOLS)}
    said: Counter[str] = Counter()
    took: list[float] = []
    own_alarms = own_found = wrong = 0
    own_widths: list[float] = []
    for number in range(comparisons):
        equal = check(pool, SAME, budget_s, f"same/{number}", None)
        slow = check(pool, SLOWER, budget_s, f"slow/{number}", factor)
        probable = " (probably different)" if equal.found.is_probable else ""
        said[f"{equal.found.verdict}{probable}"] += 1
        own_alarms += equal.found.verdict == DIFFERENT
        own_found += slow.found.verdict == DIFFERENT and slow.found.ratio.value > 1
        wrong += slow.found.verdict == EQUIVALENT or (
            slow.found.verdict == DIFFERENT and slow.found.ratio.value < 1
        )
        took.append(slow.seconds)
        own_widths.append(np.log(equal.found.ratio.high / equal.found.ratio.low) / 2)
        ended = ((equal, SAME, None), (slow, SLOWER, factor))
        for tool_name in widths if number < others else ():
            decisions = []
            for one, second, by in ended:
                sides = [[launch.launch(side) for launch in one.rounds] for side in (BASE, second)]
                decisions.append(
                    asv_alone(pool, second, one.seconds, f"asv/{second}/{number}", by)
                    if tool_name == BY_ITSELF
                    else TOOLS[tool_name](*sides, swept=True)
                )
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
    for tool_name in widths if others else ():
        width = f"±{np.median(widths[tool_name]):.2%}" if widths[tool_name] else "no interval"
        rates = (f"{one[tool_name] / max(1, others):.1%}" for one in (alarms, found))
        shown.add_row(tool_name, *rates, width, "", "")
    return shown


def variances(pool: Sequence[Round]) -> str:
    """What the log ratio of identical code varies by, in stages, as standard deviations.

    That of sweeps is from those with even and with odd numbers, which what lasts hits alike: the
    mean of two halves varies by a quarter of what their difference does.
    """
    logs = [np.log(one.ratios(BASE, SAME)) for one in pool]
    apart = [np.log(one.ratios(BASE, SAME, ODD) / one.ratios(BASE, SAME, EVEN)) for one in pool]
    turns = np.array([one.samples[BASE].shape[1] for one in pool])
    blocks = np.array([len(one) for one in logs])
    of_sweeps = float(np.mean(turns * [np.mean(one**2) / 4 for one in apart]))
    within = float(np.mean([np.var(one, ddof=1) for one in logs]))
    of_networks = within - of_sweeps * float(np.mean(1 / turns))
    of_launches = np.var([np.mean(one) for one in logs], ddof=1) - within * np.mean(1 / blocks)
    sweeps, networks, launches = np.sqrt(np.maximum(0, [of_sweeps, of_networks, of_launches]))
    return (
        f"the ratio of identical code varies by ±{launches:.1%} between launches, by "
        f"±{networks:.1%} between networks of one, by ±{sweeps:.1%} between sweeps of one, of "
        f"which there are {np.median(turns):.0f}, and {np.median(blocks):.0f} networks"
    )


def really(pool: Sequence[Round], side: str, name: str) -> str:
    """How much longer a side takes than the first, by all rounds."""
    truth = look(pool, BASE, side, 1.0).ratios[STEP]
    size = f"{truth.value - 1:+.1%} [{truth.low - 1:+.1%}, {truth.high - 1:+.1%}]"
    return f"{name}: {size}, of all {len(pool)} rounds together"


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
    factor = 1 + options.exactly / 100 if options.exactly else None
    for folder in options.runs:
        pool = read(folder)
        if not (options.exactly or all(SLOWER in one.samples for one in pool)):
            raise SystemExit(f"{folder} has no {SLOWER}: say --exactly 5, or measure it")
        shown = table(folder.name, pool, options, factor)
        console.print(shown)
        told = [variances(pool), really(pool, SAME, "identical code")]
        if not options.exactly:
            told.append(really(pool, SLOWER, SLOWER))
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
