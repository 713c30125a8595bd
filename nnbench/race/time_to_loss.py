"""What the curves of a race say: time to a target, and which network is worth its time.

All numbers here are of a value that is to fall, such as the loss: those of a metric that is to rise
(see `goal`) are turned, and turned again where they are shown.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.race.goal import LOSS, Goal
from nnbench.stats.median import Median, median
from nnbench.store.runs import OK, TRIALS_FILE, Run
from nnbench.workload.case import Case

COLD, TRAINED = "from cold", "training"
CLOCKS = (TRAINED, COLD)
"""Two clocks: steady epochs only, or everything from nothing, what is paid once included."""
KIND = "curve"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One seeded training: the loss of each epoch, and seconds from nothing to its end.

    `losses` are of whatever is to fall: a metric that is to rise is turned.
    """

    seed: int
    losses: Array
    ended_s: Array

    @cached_property
    def trained_s(self) -> Array:
        """Seconds to each epoch's end; for the first (what is paid once), the others' median."""
        if len(self.ended_s) < 2:
            return self.ended_s
        epoch_s = float(np.median(np.diff(self.ended_s)))
        return np.asarray(self.ended_s - self.ended_s[0] + epoch_s)

    def clock(self, name: str) -> Array:
        """`ended_s` or `trained_s`, by the name in `CLOCKS`."""
        return self.ended_s if name == COLD else self.trained_s

    def time_to(self, target: float, clock: str) -> float:
        """Seconds to the end of the first epoch with this loss or less; infinite without one."""
        there = np.flatnonzero(self.losses <= target)
        return float(self.clock(clock)[there[0]]) if len(there) else math.inf

    def loss_at(self, moments_s: Array, clock: str) -> Array:
        """The loss of the last epoch ended by each moment; before the first, that one's."""
        ended = np.searchsorted(self.clock(clock), moments_s, side="right") - 1
        return self.losses[np.maximum(ended, 0)]


@dataclass(frozen=True, eq=False)
class Racer:
    """One network's trainings, one a seed; `name` is what it is called."""

    case: Case
    curves: Sequence[Curve]
    name: str

    def time_to(self, target: float, clock: str = TRAINED) -> Median:
        """Over seeds: seconds to this loss."""
        return median([curve.time_to(target, clock) for curve in self.curves])

    def whole(self, clock: str = TRAINED) -> Median:
        """Over seeds: seconds for all epochs."""
        return median([curve.clock(clock)[-1] for curve in self.curves])

    @cached_property
    def final_loss(self) -> Median:
        """Over seeds: the loss of the last epoch; a diverged training's is infinite."""
        return median([curve.losses[-1] for curve in self.curves])

    def band(self, moments_s: Array, clock: str = TRAINED) -> Array:
        """Over seeds: the loss at each moment, as median and ends of its interval, (3, moments)."""
        losses = np.array([curve.loss_at(moments_s, clock) for curve in self.curves])
        found = [median(column) for column in losses.T]
        return np.array([(one.value, one.low, one.high) for one in found]).reshape(-1, 3).T

    def ratio(self, other: "Racer", target: float, clock: str = TRAINED) -> Median | None:
        """Time to a loss / `other`'s, of the same seed; None if neither gets there with any."""
        mine, theirs = (
            {curve.seed: curve.time_to(target, clock) for curve in one.curves}
            for one in (self, other)
        )
        ratios = [
            0.0 if math.isinf(theirs[seed]) else mine[seed] / theirs[seed]
            for seed in mine.keys() & theirs.keys()
            if math.isfinite(min(mine[seed], theirs[seed]))
        ]
        return median(ratios) if ratios else None


Lead = tuple[float, Racer]
"""From this moment on, this network has the lowest loss."""


@dataclass(frozen=True)
class Race:
    """All racers on one backend, device and path, over the same data, seeds and epochs."""

    racers: Sequence[Racer]
    target: float
    goal: Goal = LOSS

    @classmethod
    def of(cls, run: Run, target: float | None = None, goal: Goal | None = None) -> list[Self]:
        """Races to `target`, else to what all get to; the goal is the cases' unless named.

        Raises UserError if none ended, or if the goal was not recorded.
        """
        goal = goal or Goal.of(next(iter(run.cases.values())))
        curves: dict[str, list[Curve]] = {}
        ended = np.flatnonzero(run.trials.are(outcome=OK, trial_kind=KIND))
        for trial in run.trials.records(ended):
            curves.setdefault(trial["case"], []).append(_curve(run, trial, goal))
        if not curves:
            raise UserError(f"no training ended well: {run.folder / TRIALS_FILE} says why")
        found: dict[tuple[Any, ...], list[Racer]] = {}
        for key, case in run.cases.items():
            if key in curves:
                found.setdefault(case.comparable, []).append(
                    Racer(case, curves[key], run.name(case))
                )
        return [
            cls(one, _common_target(one) if target is None else goal.sign * target, goal)
            for one in found.values()
        ]

    def shown(self, value: float) -> float:
        """A value as it is shown."""
        return self.goal.sign * value

    @property
    def case(self) -> Case:
        """The case of the first network: all but the network is everyone's."""
        return self.racers[0].case

    @property
    def epochs(self) -> int:
        """The epochs of each training."""
        return self.case.cold_epochs

    @cached_property
    def confidence(self) -> float:
        """That of the intervals: 95 % at least where there are six seeds."""
        return self.racers[0].whole().confidence

    @cached_property
    def winners(self) -> dict[str, tuple[Racer, list[Racer]]]:
        """By clock: who gets to the target first, and who cannot be distinguished from it."""
        there = [one for one in self.racers if one.time_to(self.target).reached]
        found = {}
        for clock in CLOCKS if there else ():
            best = min(there, key=lambda one: one.time_to(self.target, clock).value)
            ratios = {one: one.ratio(best, self.target, clock) for one in there if one is not best}
            alike = [one for one, its in ratios.items() if not its or its.low <= 1 <= its.high]
            found[clock] = best, alike
        return found

    def front(self, clock: str = TRAINED) -> list[Racer]:
        """Those that no other beats in both time and loss at the end, from the quickest on."""
        kept: list[Racer] = []
        for one in sorted(
            self.racers, key=lambda one: (one.whole(clock).value, one.final_loss.value)
        ):
            if one.final_loss.value < (kept[-1].final_loss.value if kept else math.inf):
                kept.append(one)
        return kept

    def moments_s(self, clock: str = TRAINED) -> Array:
        """Moments from the first epoch's end to the last, spread evenly over the logarithm."""
        ended_s = [curve.clock(clock) for one in self.racers for curve in one.curves]
        return np.geomspace(min(one[0] for one in ended_s), max(one[-1] for one in ended_s), 160)

    @cached_property
    def leaders(self) -> list[Lead]:
        """Who has the lowest median loss when; one that has ended keeps the loss it ended with."""
        moments_s = self.moments_s()
        medians = [one.band(moments_s)[0] for one in self.racers]
        best = [self.racers[number] for number in np.argmin(medians, axis=0)]
        return _changes(list(zip(moments_s.tolist(), best, strict=True)))

    @property
    def lasting_leaders(self) -> list[Lead]:
        """Those whose lead lasts a tenth of the time so far: of a moment it is jitter."""
        ends_s = [*(moment_s for moment_s, _ in self.leaders[1:]), math.inf]
        leads = zip(self.leaders, ends_s, strict=True)
        return _changes([lead for lead, end_s in leads if end_s > 1.1 * lead[0]])


def _common_target(racers: Sequence[Racer]) -> float:
    """Of networks that do not diverge: the lowest loss most trainings of each get to; else NaN."""
    lowest = [
        float(np.sort([curve.losses.min() for curve in one.curves])[len(one.curves) // 2])
        for one in racers
    ]
    return max((loss for loss in lowest if math.isfinite(loss)), default=math.nan)


def _changes(leads: Sequence[Lead]) -> list[Lead]:
    return [next(same) for _, same in itertools.groupby(leads, key=lambda lead: lead[1])]


def _curve(run: Run, trial: dict[str, Any], goal: Goal) -> Curve:
    known = {"loss": trial["losses"], **trial.get("logs", {})}
    if goal.name not in known:
        raise UserError(f"{run.folder} holds no {goal.name}: it holds {', '.join(known)}")
    values = [math.inf if one is None else goal.sign * one for one in known[goal.name]]
    return Curve(trial["seed"], np.array(values, float), np.array(trial["ended_s"], float))
