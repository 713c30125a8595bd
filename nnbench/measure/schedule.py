"""Which trial is measured when: all cases in turn, in a seeded random order, round by round.

A round is one launch of every worker: of each combination of backend, device and threads, on
each side of a comparison. What slows the machine for a while hits all cases alike, and ratios
are formed within blocks or, between sides, within rounds.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.case import Case
from nnbench.measure.trial import KINDS

ONE_SIDE = ("",)


@dataclass(frozen=True)
class Planned:
    """One trial to be measured. `block` counts within the round's launch."""

    round: int
    side: str
    block: int
    case: Case
    kind: str

    @property
    def key(self) -> tuple[int, str, int, str, str]:
        """What makes it the same trial in another process."""
        return self.round, self.side, self.block, self.case.key, self.kind


def plan_round(
    number: int,
    cases: Sequence[Case],
    *,
    blocks: int,
    seed: int,
    sides: Sequence[str] = ONE_SIDE,
) -> list[list[Planned]]:
    """The launches of one round, each a list of trials in order.

    Within a launch every block holds each of its cases once for each kind of trial, in an order
    drawn from `seed` and the round's number. Who begins moves on from round to round, so that
    no backend is always first; two sides go A B, B A, A B (the order ABBA), so that a steady
    drift of the machine cancels.
    """
    workers = list(dict.fromkeys(case.worker for case in cases))
    first = number % max(1, len(workers))
    turned = list(sides) if number % 2 == 0 else list(reversed(sides))
    launches = []
    for worker in workers[first:] + workers[:first]:
        mine = [case for case in cases if case.worker == worker]
        for side in turned:
            order = random.Random(f"{seed}/{number}/{worker}/{side}")
            trials = []
            for block in range(blocks):
                turns = [(case, kind) for case in mine for kind in KINDS]
                order.shuffle(turns)
                trials += [Planned(number, side, block, case, kind) for case, kind in turns]
            launches.append(trials)
    return launches
