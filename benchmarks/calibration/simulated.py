"""How often do the intervals hold and the verdicts err, where the truth is known?

    python benchmarks/calibration/simulated.py [--draws 500] [--ledger]

Draws comparisons as `nnbench compare` measures them: two sides whose launches are paired, each
ratio off by what launches differ. The launches' scatter is 2 % (a quiet machine), normal, with
heavy tails (Student's t with 3 degrees of freedom), or skewed (now and then a launch is slow).
Eight phases are judged together, as in a comparison; in one of them something was planted. Real
trainings are what `measure.py` and `judge.py` are for: here are more draws, and the truth is exact.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import print as show
from rich.table import Table

from nnbench.stats.estimate import nested_estimate
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, judge

sys.path.insert(0, str(Path(__file__).parents[2]))

SCATTER = 0.02
PHASES = 8
LAUNCHES = (4, 6, 10, 16)
PLANTED = (0.0, 0.01, 0.02, 0.05)

Array = NDArray[np.float64]


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Mostly quiet, and one launch in ten slow by an exponential amount; of deviation 1."""
    slow = (rng.random(shape) < 0.1) * rng.exponential(2.0, shape)
    found = rng.normal(0, 0.7, shape) + slow
    centre = np.median(found)
    return np.asarray((found - centre) / found.std())


NOISE: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "heavy tails": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
    "skewed": _skewed,
}


def verdicts(
    noise: str, launches: int, planted: float, draws: int
) -> tuple[float, float, float, float]:
    """Shares: the planted phase found, others alarmed, intervals that hold, called equivalent."""
    rng = np.random.default_rng([launches, round(planted * 1000), list(NOISE).index(noise)])
    found = alarms = held = same = 0
    for _ in range(draws):
        # The difference of two sides that scatter alike is symmetric.
        first, second = (NOISE[noise](rng, (PHASES, launches)) for _ in range(2))
        logs = SCATTER / np.sqrt(2) * (first - second)
        logs[0] += np.log1p(planted)
        ratios = {
            str(phase): nested_estimate(np.exp(one), np.arange(launches))
            for phase, one in enumerate(logs)
        }
        judged = judge(ratios)
        found += judged[0].verdict == DIFFERENT
        same += judged[0].verdict == EQUIVALENT
        alarms += sum(one.verdict == DIFFERENT for one in judged[1:])
        held += ratios["0"].low <= 1 + planted <= ratios["0"].high
    return found / draws, alarms / draws / (PHASES - 1), held / draws, same / draws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    table = Table(title=f"{options.draws:,} comparisons of {PHASES} phases each, scatter 2 %")
    for name in ("launches' noise", "launches a side", "intervals hold", "false alarms"):
        table.add_column(name)
    for planted in PLANTED[1:]:
        table.add_column(f"+{planted:.0%} found")
    table.add_column("+0 % called equivalent")
    worst, least = 0.0, 1.0
    for noise in NOISE:
        for launches in LAUNCHES:
            told = {one: verdicts(noise, launches, one, options.draws) for one in PLANTED}
            alarms = float(np.mean([one[1] for one in told.values()]))
            held = float(np.mean([one[2] for one in told.values()]))
            worst, least = max(worst, alarms), min(least, held)
            power = [f"{told[one][0]:.0%}" for one in PLANTED[1:]]
            row = f"{held:.1%}", f"{alarms:.2%}", *power, f"{told[0.0][3]:.0%}"
            table.add_row(noise, str(launches), *row)
    show(table)
    answer = (
        f"At least {least:.1%} of 95 % intervals hold the truth, and at most {worst:.2%} of phases "
        "without a change raise an alarm, whatever the noise looks like."
    )
    show(answer)
    if options.ledger:
        from benchmarks import ledger

        ledger.keep("simulated", "Do the statistics keep what they promise?", answer, [table])


if __name__ == "__main__":
    main()
