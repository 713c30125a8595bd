"""Where the estimates of a run stand while it is measured: what is settled, what needs more."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nnbench.machine import noise
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.stats.blocks import Blocks
from nnbench.stats.estimate import Estimate, student_quantile
from nnbench.stats.verdict import MARGIN
from nnbench.store.runs import Run
from nnbench.workload.case import Case

SETTLED, SETTLING, MORE, EARLY = "settled", "settling", "more needed", "too early to say"

NARROW = 0.10
"""Half width of an interval that is good enough where no precision was asked for."""

FEWEST = 3
"""Launches before which a spread is too little known to say what it will become."""


@dataclass(frozen=True)
class Standing:
    """A network's estimates by phase (of two sides the ratios of the second to the first).

    `settled`: all intervals are narrow enough; `settling`: they probably will be after the launches
    that are planned; else `more needed`, or after few launches `too early to say`.
    """

    name: str
    context: str
    times: Mapping[str, Estimate]
    are_ratios: bool
    state: str


def standings(run: Run, launches: int) -> tuple[Standing, ...]:
    """Every network that was timed, in the run's order; `launches` are planned in all."""
    if not run.trials:
        return ()
    blocks, sides = Blocks.of(run), run.specification["sides"]
    found = []
    for case in run.cases.values():
        for name, times in _timed(run, blocks, case, sides):
            shown = {phase: one for phase, one in times.items() if phase in (COLD, EPOCH, STEP)}
            if shown:
                pair = len(sides) == 2
                wanted = run.specification["precision"] or (MARGIN if pair else NARROW)
                state = _state(shown, wanted, launches)
                found.append(Standing(name, case.context, shown, pair, state))
    return tuple(found)


def _timed(
    run: Run, blocks: Blocks, case: Case, sides: list[str]
) -> Iterator[tuple[str, dict[str, Estimate]]]:
    name = run.name(case)
    if len(sides) == 2:
        first, second = sides
        yield name, blocks.between_sides(case, first, second)
        return
    for side in sides:
        yield f"{name} ({side})" if side else name, blocks.times(case, side, (COLD, EPOCH, STEP))


def _state(times: Mapping[str, Estimate], wanted: float, launches: int) -> str:
    known = _known(times)
    if known and all(one.relative_half_width <= wanted for one in known):
        return SETTLED
    begun = max(one.launches for one in times.values())
    if begun < FEWEST:
        return EARLY
    if all(_projected(one, launches) <= wanted for one in known):
        return SETTLING
    return MORE


def _known(times: Mapping[str, Estimate]) -> list[Estimate]:
    """Those with an interval between launches."""
    return [one for one in times.values() if one.has_interval and one.launches > 1]


def _projected(one: Estimate, launches: int) -> float:
    """The half width after so many launches: standard errors shrink with their square root."""
    error = one.log_error * math.sqrt(one.launches / max(launches, one.launches))
    return error * student_quantile(max(launches, one.launches) - 1)


class Watched:
    """What the noise watch has seen of a run's blocks until now."""

    def __init__(self, run: Run) -> None:
        named = ("launch", "block")
        begun, _ = run.trials.groups(named)
        self._blocks = set(run.trials.values(named, begun))
        self._noisy: set[tuple[int, int]] = set()
        self._last = ""
        for block, seen in run.looks():
            self._add(block, seen)

    def add(self, trial: Mapping[str, Any]) -> None:
        """Take what a trial's record says of it."""
        block = trial["launch"], trial["block"]
        self._blocks.add(block)
        self._add(block, trial.get("noise", {}))

    def _add(self, block: tuple[int, int], seen: Mapping[str, Any]) -> None:
        if reasons := noise.contamination(seen):
            self._noisy.add(block)
            self._last = reasons[0]

    @property
    def told(self) -> str:
        """That in words."""
        count = len(self._blocks)
        blocks = f"{count} block{'' if count == 1 else 's'}"
        if self._noisy:
            return f"noisy in {len(self._noisy)} of {blocks}; last: {self._last}"
        return f"quiet in {blocks}" if count else ""
