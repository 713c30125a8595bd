"""The noise floor: identical code compared with itself on this machine.

Measured and compared exactly as `nnbench compare` does it; what lies within one launch says what
`nnbench run` can find between two networks of one run.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from nnbench.machine import fingerprint, noise
from nnbench.measure import decision
from nnbench.measure import run as measuring
from nnbench.measure.protocol import Environment
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.stats.blocks import Blocks
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.stats.interval import CONFIDENCE
from nnbench.stats.summary import Measured
from nnbench.stats.verdict import FALSE_DISCOVERIES
from nnbench.store import runs
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Study

PHASES_TOLD = (STEP, EPOCH, COLD)
SIDES = ("A", "B")
CHANGES = (0.05, 0.02, 0.01)
FOUND = 0.8
"""A change counts as one that can be found if it is found in this share of attempts."""
MANY_DEGREES = 100
"""From here on a shifted t distribution stands for the noncentral one to 0.2 %."""


@dataclass(frozen=True)
class Spread:
    """How one phase of one case scatters, as standard deviations of the logarithm.

    `within_launch` is that of what takes turns in one process (samples of steps, blocks of all
    else), `between_launches` that of the processes' medians. `pair` is the ratio of two trials of
    a launch that took turns: what two equal networks of one run would show.
    """

    within_launch: float
    between_launches: float
    pair: Estimate


@dataclass(frozen=True)
class NoiseFloor:
    """What comparing identical code with itself gave.

    `half_widths` are of the 95 % intervals of the log ratio of the two sides, by phase. `looks` is
    how often the noise watch looked meanwhile, `disturbances` what it found wrong, one a look.
    """

    launches: int
    seconds_per_side: float
    half_widths: Mapping[str, float]
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    looks: int = 0
    disturbances: tuple[str, ...] = ()

    @property
    def spread_doubt(self) -> float:
        """By which factor a standard deviation from its launches may be too small (97.5 %)."""
        degrees = self.launches - 1
        return math.sqrt(degrees / float(stats.chi2.ppf((1 - CONFIDENCE) / 2, degrees)))

    def change_within(self, phase: str, budget_s: float) -> float:
        """The smallest change of a phase that `compare` finds with so many seconds a side."""
        return self._found_within(self._error_of_one(phase), budget_s)

    def difference_within(self, phase: str, budget_s: float) -> float:
        """The smallest difference of two networks that a run of so long finds, a block of each."""
        pair = self.spreads[phase].pair
        return self._found_within(pair.log_error * math.sqrt(pair.launches), budget_s)

    def launches_for(self, phase: str, change: float) -> int:
        """Launches of each side with which `compare` finds a change of a phase."""
        return launches_needed(self._error_of_one(phase), math.log1p(change))

    def _found_within(self, error_of_one: float, budget_s: float) -> float:
        launches = budget_s / self.seconds_per_side * self.launches
        return math.expm1(findable(error_of_one, launches))

    def _error_of_one(self, phase: str) -> float:
        """Standard error of the log ratio that a single launch of each side would have."""
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, self.launches - 1))
        return self.half_widths[phase] / quantile * math.sqrt(self.launches)


def findable(error_of_one: float, launches: float) -> float:
    """The log ratio that is found in `FOUND` of attempts, given the error of one launch.

    Found means that the t test rejects equality at the level of `nnbench compare`; its power
    follows from the noncentral t distribution (Cohen, "Statistical Power Analysis", 1988).
    Fewer than two launches decide nothing: infinity.
    """
    whole = math.floor(launches)
    if whole < 2:
        return math.inf
    return _errors_needed(whole - 1) * error_of_one / math.sqrt(whole)


@cache
def _errors_needed(degrees: int) -> float:
    edge, found = (float(stats.t.ppf(q, degrees)) for q in (1 - FALSE_DISCOVERIES / 2, FOUND))
    if degrees > MANY_DEGREES:
        return edge + found
    return float(optimize.brentq(lambda nc: stats.nct.sf(edge, degrees, nc) - FOUND, 0, 5 * edge))


def launches_needed(error_of_one: float, log_change: float) -> int:
    """The fewest launches, three or more, with which a log ratio is found."""
    normal = float(np.sum(stats.norm.ppf([1 - FALSE_DISCOVERIES / 2, FOUND])))
    count = max(3, math.floor((normal * error_of_one / log_change) ** 2))
    while findable(error_of_one, count) > log_change:
        count += 1
    return count


def measure(study: Study, data: Dataset, watch: measuring.Watcher) -> tuple[NoiseFloor, runs.Run]:
    """Compare one case with itself, for minutes. Raises UserError for what cannot be trained."""
    cases = study.cases(data)
    wanted = measuring.specification(study, cases, sides=SIDES)
    with tempfile.TemporaryDirectory() as scratch:
        folder = runs.create(Path(scratch), "noise-floor", wanted, fingerprint.take())
        run = measuring.execute(folder, data, watch, dict.fromkeys(SIDES, Environment()))
    return from_run(run, cases[0], study.effort.seed), run


def from_run(run: runs.Run, case: Case, seed: int = 0) -> NoiseFloor:
    """The noise floor that a run of one case on two equal sides shows."""
    measured = Measured.of(run)
    ratios = Blocks.of(run).between_sides(case, *SIDES)
    looks = [seen for _, seen in run.looks() if seen]
    reasons = [", ".join(noise.contamination(look)) for look in looks]
    known = {phase: ratio for phase, ratio in ratios.items() if ratio.has_interval}
    spreads = {phase: spread_of(measured, phase, seed) for phase in PHASES_TOLD}
    return NoiseFloor(
        launches=len({launch["round"] for launch in run.launches}),
        seconds_per_side=decision.seconds_spent(run) / 2,
        half_widths={phase: math.log(one.high / one.low) / 2 for phase, one in known.items()},
        spreads={phase: spread for phase, spread in spreads.items() if spread is not None},
        looks=len(looks),
        disturbances=tuple(filter(None, reasons)),
    )


def spread_of(measured: Measured, phase: str, seed: int = 0) -> Spread | None:
    """How the samples of one phase scatter; None with too few to tell."""
    samples = measured.samples[measured.samples["phase"] == phase]
    # Steps take turns sample by sample, everything else block by block.
    turns = samples if phase == STEP else measured.blocks[measured.blocks["phase"] == phase]
    pairs = _paired_turns(turns, seed)
    if samples["launch"].nunique() < 2 or pairs.empty:
        return None
    logs = np.log(samples["seconds"]).groupby(samples["launch"])
    variances = np.log(turns["seconds"]).groupby(turns["launch"]).var()
    return Spread(
        within_launch=math.sqrt(float(variances.mean())),
        between_launches=float(logs.median().std()),
        pair=nested_estimate(pairs["ratio"], pairs["launch"]),
    )


def _paired_turns(turns: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Ratios of turns that follow one another within a launch; which is which is drawn."""
    order = [name for name in ("block", "trial", "position") if name in turns]
    generator = np.random.default_rng(seed)
    rows = []
    for launch, group in turns.groupby("launch"):
        seconds: NDArray[np.float64] = group.sort_values(order)["seconds"].to_numpy()
        count = len(seconds) // 2
        first, second = seconds[: 2 * count : 2], seconds[1 : 2 * count : 2]
        signs = generator.choice([-1.0, 1.0], count)
        rows += [(launch, ratio) for ratio in (second / first) ** signs]
    return pd.DataFrame(rows, columns=["launch", "ratio"])
