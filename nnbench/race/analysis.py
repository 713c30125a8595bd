"""What a race says, computed once for its table, its page and JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.errors import UserError
from nnbench.race.time_to_loss import CLOCKS, TRAINED, Array, Race, Racer, changes
from nnbench.stats.median import Median
from nnbench.store.folder import RECORDS_FILE
from nnbench.store.runs import Run


@dataclass(frozen=True)
class Standing:
    """What became of one network; times and ratios by clock.

    `ratio_to_first` is its time to the target over that of the race's first network, None where
    nothing can be said; `band` are moments and the loss at each, from the end of the first
    epoch to that of the last.
    """

    racer: Racer
    time_to_target_s: dict[str, Median]
    time_for_all_epochs_s: dict[str, Median]
    ratio_to_first: dict[str, Median | None]
    band: dict[str, tuple[Array, list[Median]]]


@dataclass(frozen=True)
class Winner:
    """Who gets to the target first on a clock, and who cannot be distinguished from it."""

    clock: str
    label: str
    time_s: float
    rivals: list[str]


@dataclass(frozen=True)
class Outcome:
    """A race, read at one target.

    `front` holds by clock those that no other beats in both time and loss; `leaders` who has the
    lowest loss from which moment on, `lasting` those of them that lead for more than a moment.
    """

    race: Race
    target_loss: float
    standings: list[Standing]
    winners: list[Winner]
    front: dict[str, list[Racer]]
    leaders: list[tuple[float, Racer]]
    lasting: list[tuple[float, Racer]]

    @property
    def confidence(self) -> float:
        """That of the intervals: 95 % at least where there are six seeds."""
        return self.standings[0].time_for_all_epochs_s[TRAINED].confidence

    @property
    def context(self) -> str:
        """Backend, device, threads and path in words."""
        return self.race.racers[0].case.place


def outcomes(run: Run, target: float | None = None) -> list[Outcome]:
    """Every race of a run, read at a target. Raises UserError where no training ended well."""
    races = Race.of(run)
    if not races:
        raise UserError(f"no training ended well: {run.folder / RECORDS_FILE} says why")
    return [analyse(race, target) for race in races]


def analyse(race: Race, target: float | None = None) -> Outcome:
    """Read a race at a target, by default the lowest loss that all networks get to."""
    target = race.common_target() if target is None else target
    leaders = race.leaders()
    return Outcome(
        race=race,
        target_loss=target,
        standings=[_standing(race, one, target) for one in race.racers],
        winners=_winners(race, target),
        front={clock: race.front(clock) for clock in CLOCKS},
        leaders=leaders,
        lasting=_lasting(leaders),
    )


def _standing(race: Race, racer: Racer, target: float) -> Standing:
    whole = {clock: racer.whole(clock) for clock in CLOCKS}
    band = {}
    for clock in CLOCKS:
        first_s = min(float(curve.clock(clock)[0]) for curve in racer.curves)
        moments_s = race.moments_s(clock)
        moments_s = moments_s[(moments_s >= first_s) & (moments_s <= whole[clock].value)]
        band[clock] = moments_s, racer.band(moments_s, clock)
    return Standing(
        racer,
        {clock: racer.time_to(target, clock) for clock in CLOCKS},
        whole,
        {clock: racer.ratio(race.racers[0], target, clock) for clock in CLOCKS},
        band,
    )


def _winners(race: Race, target: float) -> list[Winner]:
    there = [one for one in race.racers if one.time_to(target).reached]
    found = []
    for clock in CLOCKS if there else ():
        best = min(there, key=lambda one: one.time_to(target, clock).value)
        rivals = [
            one.label
            for one in there
            if one is not best and not _differs(one.ratio(best, target, clock))
        ]
        found.append(Winner(clock, best.label, best.time_to(target, clock).value, rivals))
    return found


def _differs(ratio: Median | None) -> bool:
    return ratio is not None and not ratio.low <= 1 <= ratio.high


def _lasting(leaders: Sequence[tuple[float, Racer]]) -> list[tuple[float, Racer]]:
    """Those whose lead lasts a tenth of the time so far: of a moment it is jitter."""
    ends_s = [*(moment_s for moment_s, _ in leaders[1:]), math.inf]
    leads = zip(leaders, ends_s, strict=True)
    return changes([lead for lead, end_s in leads if end_s > 1.1 * lead[0]])
