"""False alarms of verdicts that are looked at often, by simulation: seeded, two minutes of a core.

    python benchmarks/calibration/looks.py

Draws the log ratios of up to 40 launches from distributions of several shapes, and looks at them
after 4, 5, 6, 8, ... launches as `compare --budget` does: it stops once every phase is decided,
whether different or equivalent. Of equal sides it prints how many were called different in any
phase, with the 95 % interval of that share (Clopper and Pearson, Biometrika 26, 1934), and
equivalent; then differences found of 0.5 and 0.75 standard deviations of a launch, the launches
they took, and how often the 95 % interval at the end holds the truth, both of the first phase.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import special

from nnbench.measure.decision import look_rounds, spendable
from nnbench.stats import verdict
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.interval import CONFIDENCE
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Look

MOST = 40
EFFECTS = (0.5, 0.75)
SPREAD = 0.05
"""Of a launch: the smaller effect is then beyond the margin of 2 %."""

CORRELATION = 0.8
"""Of the phases of a launch: an epoch consists of steps, a whole training of epochs."""

THREE = "normal, three phases"


NAMES = (
    *("false alarms", "95 % interval of that", "as if looked at once"),
    *("equivalent", "95 % interval holds"),
)


def drawn(shape: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of 40 launches, a row a phase, symmetric as the ratio of two equal sides is."""
    normal = rng.normal(0, 1, MOST)
    if shape == THREE:
        own = rng.normal(0, 1, (3, MOST))
        return np.sqrt(CORRELATION) * normal + np.sqrt(1 - CORRELATION) * own
    one = {
        "normal": normal,
        "short tails (uniform)": rng.uniform(-1.7, 1.7, MOST),
        "long tails (t, 3 degrees)": rng.standard_t(3, MOST),
        "bursts (one in seven 6 times as wide)": normal * np.where(rng.random(MOST) < 0.15, 6, 1),
        "two speeds": 3.0 * ((rng.random(MOST) < 0.3) * 1.0 - (rng.random(MOST) < 0.3))
        + 0.3 * normal,
    }[shape]
    return np.asarray(one)[np.newaxis]


SHAPES = (
    *("normal", "short tails (uniform)", "long tails (t, 3 degrees)"),
    *("bursts (one in seven 6 times as wide)", "two speeds", THREE),
)


@dataclass(frozen=True)
class Stopped:
    """How a comparison ended: what was said of each phase, and after how many launches.

    `holds` says whether the first phase's interval at the end holds the truth.
    """

    said: tuple[str, ...]
    launches: int
    holds: bool


def stopped(logs: NDArray[np.float64], truth: float, shares: bool) -> Stopped:
    """Look at the log ratios, a row a phase, as they come, until every phase is decided."""
    looks: list[Look] = []
    spent = 0
    for number in dict.fromkeys([*look_rounds(MOST), MOST]):
        launches = np.arange(number)
        ratios = {
            str(phase): nested_estimate(np.exp(row[:number]), launches)
            for phase, row in enumerate(logs)
        }
        # Without shares each look would be judged as if it were the only one.
        share = spendable(number / MOST) - spendable(spent / MOST) if shares else 1.0
        looks = [*looks, Look(share, ratios, number)]
        spent = number
        said = tuple(one.verdict for one in verdict.judge_looks(looks))
        if UNDECIDED not in said:
            break
    first = ratios["0"]
    return Stopped(said, number, first.low <= np.exp(truth) <= first.high)


def binomial(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share, from a count."""
    tail = (1 - CONFIDENCE) / 2
    low = special.betaincinv(count, total - count + 1, tail) if count else 0.0
    high = special.betaincinv(count + 1, total - count, 1 - tail) if count < total else 1.0
    return float(low), float(high)


def row(shape: str, draws: int) -> list[str]:
    """A line of the table; what is costly is of a quarter of the draws."""
    rng = np.random.default_rng(0)
    noise = [SPREAD * drawn(shape, rng) for _ in range(draws)]
    some = noise[: draws // 4]
    equal = [stopped(one, 0.0, shares=True) for one in noise]
    careless = np.mean([DIFFERENT in stopped(one, 0.0, shares=False).said for one in some])
    alarms = sum(DIFFERENT in one.said for one in equal)
    low, high = binomial(alarms, draws)
    equivalent = np.mean([set(one.said) == {EQUIVALENT} for one in equal])
    cells = [f"{alarms / draws:.1%}", f"{low:.1%} to {high:.1%}", f"{careless:.1%}"]
    cells += [f"{equivalent:.0%}", f"{np.mean([one.holds for one in equal]):.1%}"]
    for effect in EFFECTS:
        size = effect * float(np.std(np.concatenate(noise)))
        found = [stopped(one + size, size, shares=True) for one in some]
        cells += [f"{np.mean([one.said[0] == DIFFERENT for one in found]):.0%}"]
        cells += [f"{np.median([one.launches for one in found]):.0f}"]
    return cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1200)
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    table = Table(
        title=f"{options.draws} comparisons each, looked at {len(look_rounds(MOST))} times at most"
    )
    table.add_column("noise")
    found = [name for effect in EFFECTS for name in (f"{effect:g} found", "launches")]
    for name in (*NAMES, *found):
        table.add_column(name, justify="right")
    for shape in SHAPES:
        table.add_row(shape, *row(shape, options.draws))
    Console(width=150).print(table)
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from benchmarks import ledger

        question = "Does looking often raise false alarms?"
        alarms = max(ledger.cell(table, shape, NAMES[0]) for shape in SHAPES)
        answer = (
            f"At most {alarms} of simulated checks of identical code raise an alarm, whatever the "
            "noise looks like. They look often, and end as soon as they are decided."
        )
        ledger.keep("looks", question, answer, [table])


if __name__ == "__main__":
    main()
