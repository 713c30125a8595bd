"""Which trial is measured when: all cases in turn, in a seeded random order, launch by launch."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.case import Case
from nnbench.measure.trial import KINDS


@dataclass(frozen=True)
class Planned:
    """One trial to be measured. `block` counts through the whole run."""

    slot: int
    block: int
    case: Case
    kind: str

    @property
    def key(self) -> tuple[int, str, str]:
        """What makes it the same trial in another process."""
        return self.block, self.case.key, self.kind


def plan(
    cases: Sequence[Case], *, launches: int, blocks: int, seed: int
) -> list[list[Planned]]:
    """The trials of every planned launch, in order.

    Each combination of backend, device and threads gets `launches` launches; they take turns,
    and who begins moves on from round to round, so that no backend is always first. Within a
    launch every block holds each of its cases once for each kind of trial, in an order drawn
    from `seed`: what slows the machine for a while hits all cases alike, and ratios are formed
    within blocks.
    """
    order = random.Random(seed)
    workers = list(dict.fromkeys(case.worker for case in cases))
    planned: list[list[Planned]] = []
    for round_number in range(launches):
        first = round_number % len(workers)
        for worker in workers[first:] + workers[:first]:
            slot = len(planned)
            mine = [case for case in cases if case.worker == worker]
            trials = []
            for number in range(blocks):
                turns = [(case, kind) for case in mine for kind in KINDS]
                order.shuffle(turns)
                block = slot * blocks + number
                trials += [Planned(slot, block, case, kind) for case, kind in turns]
            planned.append(trials)
    return planned
