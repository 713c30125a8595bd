"""False alarms of verdicts that are looked at often, by simulation: seeded, a minute.

    python benchmarks/calibration/looks.py

Draws the log ratios of up to 40 launches from distributions of several shapes, looks at them after
4, 5, 6, 8, ... launches as `compare --budget` does, and stops once the verdict is a difference. It
prints false alarms, differences found of 0.5 and 0.75 standard deviations of a launch, the launches
they took, and how often the 95 % interval at the end holds the truth.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from nnbench.measure.decision import look_rounds
from nnbench.stats import verdict
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.verdict import DIFFERENT, Look

MOST = 40
EFFECTS = (0.5, 0.75)
SPREAD = 0.03


def drawn(shape: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of 40 launches, symmetric as the ratio of two equal sides is."""
    normal = rng.normal(0, 1, MOST)
    return {
        "normal": normal,
        "short tails (uniform)": rng.uniform(-1.7, 1.7, MOST),
        "long tails (t, 3 degrees)": rng.standard_t(3, MOST),
        "bursts (one in seven 6 times as wide)": normal * np.where(rng.random(MOST) < 0.15, 6, 1),
        "two speeds": 3.0 * ((rng.random(MOST) < 0.3) * 1.0 - (rng.random(MOST) < 0.3))
        + 0.3 * normal,
    }[shape]


SHAPES = (
    *("normal", "short tails (uniform)", "long tails (t, 3 degrees)"),
    *("bursts (one in seven 6 times as wide)", "two speeds"),
)


def stopped(logs: NDArray[np.float64], shares: bool) -> tuple[bool, int, bool, bool]:
    """Whether a difference was told, after how many launches, below 1, and whether 0 is inside."""
    looks: list[Look] = []
    spent = 0
    for number in dict.fromkeys([*look_rounds(MOST), MOST]):
        ratio = nested_estimate(np.exp(logs[:number]), np.arange(number))
        # Without shares each look would be judged as if it were the only one.
        share = (number - spent) / MOST if shares else 1.0
        looks = [*looks, Look(share, {"step": ratio})]
        spent = number
        (found,) = verdict.judge_looks(looks)
        if found.verdict == DIFFERENT:
            break
    inside = ratio.low <= 1 <= ratio.high
    return found.verdict == DIFFERENT, number, ratio.value < 1, inside


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    table = Table(
        title=f"{options.draws} comparisons each, looked at {len(look_rounds(MOST))} times"
    )
    table.add_column("noise")
    for name in ("false alarms", "as if looked at once", "95 % interval holds",
                 "0.5 found", "launches", "0.75 found", "launches"):  # fmt: skip
        table.add_column(name, justify="right")
    for shape in SHAPES:
        rng = np.random.default_rng(0)
        noise = [SPREAD * drawn(shape, rng) for _ in range(options.draws)]
        equal = [stopped(one, shares=True) for one in noise]
        careless = [stopped(one, shares=False)[0] for one in noise[: options.draws // 4]]
        cells = [np.mean([one[0] for one in equal]), np.mean(careless)]
        row = [f"{one:.1%}" for one in (*cells, np.mean([one[3] for one in equal]))]
        for effect in EFFECTS:
            size = effect * float(np.std(np.concatenate(noise)))
            found = [stopped(one + size, shares=True) for one in noise[: options.draws // 4]]
            row += [f"{np.mean([one[0] for one in found]):.0%}"]
            row += [f"{np.median([one[1] for one in found]):.0f}"]
        table.add_row(shape, *row)
    Console(width=130).print(table)
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from benchmarks import ledger

        question = "Does looking often raise false alarms?"
        answer = (
            "Simulated checks that end as soon as they are decided, for noise of several shapes."
        )
        ledger.keep("looks", question, answer, [table])


if __name__ == "__main__":
    main()
