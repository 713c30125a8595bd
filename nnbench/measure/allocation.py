"""How many blocks a launch of steps alone is worth: by what its blocks and launches vary.

A launch costs its start, and each block in it a network made anew. The variance of the mean of n
launches of b blocks is (L + B / b) / n, for variances L between launches and B between blocks of
one; at a given cost it is least at b = sqrt(start / block * B / L). Source: Cochran, "Sampling
Techniques" (1977), section 10.6, on two-stage sampling; for benchmarks Kalibera and Jones,
"Rigorous benchmarking in reasonable time", ISMM 2013.
"""

import math

import numpy as np

from nnbench.measure.decision import seconds_spent
from nnbench.phases import STEP
from nnbench.stats.blocks import Blocks
from nnbench.store.runs import Run

LEAST_ROUNDS = 4
"""Before that nothing is known of how launches vary."""

MOST_BLOCKS = 8
"""However alike launches are: they are what the verdict counts."""


def blocks(earlier: Run) -> int:
    """Blocks of the next launch of a run with two sides, given its records so far."""
    usual: int = earlier.specification["blocks"]
    found = Blocks.of(earlier)
    if len(set(found.rounds.tolist())) < LEAST_ROUNDS or usual < 2:
        return usual
    shares = [share for key in found.keys if (share := _variances(found, key)) is not None]
    if not shares:
        return usual
    places, rounds = (
        len(earlier.trials.groups(names)[0]) for names in (("round", "block"), ("round",))
    )
    trials_s = earlier.trials.spent_s
    start_s, block_s = (seconds_spent(earlier) - trials_s) / rounds, trials_s / places
    within, between = np.median(shares, axis=0)
    if between <= 0 or block_s <= 0:
        return MOST_BLOCKS
    return int(np.clip(round(math.sqrt(start_s / block_s * within / between)), 1, MOST_BLOCKS))


def _variances(found: Blocks, key: str) -> tuple[float, float] | None:
    """Of a case's log ratios: between blocks of a launch, and between launches beyond that."""
    row = np.log(found.paired[STEP][found.keys.index(key)])
    first, second = dict.fromkeys(unit.side for unit in found.units)
    sides: dict[str, dict[tuple[int, int], float]] = {first: {}, second: {}}
    for unit, value in zip(found.units, row, strict=True):
        if np.isfinite(value):
            sides[unit.side][unit.round, unit.block] = float(value)
    of_rounds: dict[int, list[float]] = {}
    for place, value in sides[second].items():
        if place in sides[first]:
            of_rounds.setdefault(place[0], []).append(value - sides[first][place])
    several = [values for values in of_rounds.values() if len(values) > 1]
    if len(several) < LEAST_ROUNDS:
        return None
    within = float(np.mean([np.var(values, ddof=1) for values in several]))
    means = np.array([np.mean(values) for values in several])
    spread = float(np.var(means, ddof=1))
    return within, spread - within * float(np.mean([1 / len(values) for values in several]))
