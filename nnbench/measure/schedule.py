"""Which trial is measured when: all cases in turn, in a seeded random order, round by round.

A round is one launch of every worker: of each combination of backend, device and threads, on
each side of a comparison. What slows the machine for a while hits all cases alike, because they
take turns in every block, and with steps in every sweep. Ratios are formed within blocks.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.machine import devices
from nnbench.measure.trial import KINDS, STEP_KIND, SUM_KIND, SWEPT
from nnbench.workload.case import Case

ONE_SIDE = ("",)

SWEEPS = 30
"""Times that each case's turn for step samples comes in a block."""


@dataclass(frozen=True)
class Planned:
    """One trial to be measured. `block` counts within the round; `sweep` is for steps only."""

    round: int
    side: str
    block: int
    case: Case
    kind: str
    sweep: int = 0

    @property
    def key(self) -> tuple[int, str, int, str, str, int]:
        """What makes it the same trial in another process."""
        return self.round, self.side, self.block, self.case.key, self.kind, self.sweep


def plan_round(
    number: int,
    cases: Sequence[Case],
    *,
    blocks: int,
    seed: int,
    sides: Sequence[str] = ONE_SIDE,
    kinds: Sequence[str] = KINDS,
    sweeps: int = SWEEPS,
) -> list[list[Planned]]:
    """The trials of one round: a list for each worker, in order, its sides mixed.

    A block holds every case on every side once for each of `kinds`, then `sweeps` sweeps of steps,
    in an order drawn from `seed` and `number`. The kind `sum` is sampled in the sweeps, too, of
    cases with several devices. The first backend alternates from round to round.
    """
    workers = list(dict.fromkeys(case.worker for case in cases))
    first = number % max(1, len(workers))
    plans = []
    once = tuple(kind for kind in kinds if kind != SUM_KIND)
    by_turns = SWEPT if SUM_KIND in kinds else (STEP_KIND,)
    turns = [(once, 0), *((by_turns, sweep) for sweep in range(sweeps))]
    for worker in workers[first:] + workers[:first]:
        mine = [case for case in cases if case.worker == worker]
        order = random.Random(f"{seed}/{number}/{worker}")
        trials: list[Planned] = []
        for block, (of_kinds, sweep) in itertools.product(range(blocks), turns):
            planned = [
                Planned(number, side, block, case, kind, sweep)
                for side in sides
                for case in mine
                for kind in of_kinds
                if kind != SUM_KIND or devices.replicas(case.device) > 1
            ]
            order.shuffle(planned)
            trials += planned
        plans.append(trials)
    return plans


def starting_order(number: int, sides: Sequence[str]) -> list[str]:
    """The order of starting processes: A B, B A, A B; many are drawn anew, to leave no trend."""
    if len(sides) > 2:
        drawn = list(sides)
        random.Random(f"start/{number}").shuffle(drawn)
        return drawn
    return list(sides) if number % 2 == 0 else list(reversed(sides))
