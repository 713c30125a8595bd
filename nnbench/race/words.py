"""What a race says in a table, in sentences and as plain data."""

import math
from typing import Any

from nnbench.race.time_to_loss import CLOCKS, COLD, TRAINED, Race, Racer
from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.stats.median import LEAST_FOR_WANTED, Median


def table(race: Race, target: float) -> Table:
    """A row a network: weights, time to the target on both clocks, seeds there, loss, ratio."""
    case = race.racers[0].case
    first = race.racers[0].label
    return Table(
        title=f"{case.place}: time to a loss of {target:.4g} on {case.data}, "
        f"{race.epochs:,} epochs at most",
        columns=(
            *("network", "weights", "to target, training", "from cold", "seeds there"),
            *("an epoch", "loss at the end", f"to target, {first} = 1"),
        ),
        rows=[_row(race, racer, target) for racer in race.racers],
        caption=f"medians over seeds, {confidence(race)} intervals below; "
        "training = steady epochs only; ratios of the same seeds",
    )


def confidence(race: Race) -> str:
    """The confidence of the intervals, `95 %` at least where there are six seeds."""
    return units.share(race.racers[0].whole().confidence)


def _row(race: Race, racer: Racer, target: float) -> list[Cell]:
    trained = racer.time_to(target)
    epoch_s = racer.whole().value / race.epochs
    ratio = race.ratio(racer, target) if racer is not race.racers[0] else None
    return [
        Cell(racer.label),
        Cell(f"{racer.case.parameters:,}" if racer.case.parameters else "–"),
        _time(trained),
        _time(racer.time_to(target, COLD)),
        Cell(f"{trained.count - trained.censored} of {trained.count}"),
        Cell(units.seconds(epoch_s)),
        _loss(racer.final_loss()),
        _ratio(ratio),
    ]


def _time(found: Median) -> Cell:
    if not found.reached:
        low = f"from {units.seconds(found.low)}" if math.isfinite(found.low) else ""
        return Cell("not reached", low)
    if math.isinf(found.high):
        return Cell(units.seconds(found.value), f"from {units.seconds(found.low)}")
    return Cell(units.seconds(found.value), units.beside(found.value, found.low, found.high))


def _loss(found: Median) -> Cell:
    if not found.reached:
        return Cell("diverged")
    high = f"{found.high:.3g}" if math.isfinite(found.high) else "diverged"
    return Cell(f"{found.value:.3g}", f"{found.low:.3g}–{high}")


def _ratio(found: Median | None) -> Cell:
    if found is None:
        return Cell("–")
    if math.isinf(found.value):
        return Cell("only the first")
    if found.value == 0:
        return Cell("only this one")
    high = units.significant(found.high) if math.isfinite(found.high) else "∞"
    return Cell(units.ratio(found.value), f"{units.significant(found.low)}–{high}")


def sentences(race: Race, target: float) -> list[str]:
    """Who is first at the target, who leads when, and who is not worth its time."""
    told = [*_first(race, target), *_leaders(race)]
    if len(race.racers) > 1:
        front = race.front()
        beaten = [one.label for one in race.racers if one not in front]
        names = ", ".join(one.label for one in front)
        told.append(
            f"Over {race.epochs:,} epochs of each, no other is better in both time and loss than "
            f"{names}" + (f"; {', '.join(beaten)} {_is(beaten)} beaten in both." if beaten else ".")
        )
    return told


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _first(race: Race, target: float) -> list[str]:
    there = [one for one in race.racers if one.time_to(target).reached]
    told = []
    missing = [one.label for one in race.racers if one not in there]
    if not there:
        return [
            f"No network gets to a loss of {target:.4g} within {race.epochs:,} epochs with half of "
            "its seeds: give more --epochs or a higher --target-loss."
        ]
    for clock in CLOCKS:
        best = min(there, key=lambda one: one.time_to(target, clock).value)
        time = best.time_to(target, clock)
        rivals = [
            one.label for one in there if one is not best and not _apart(best, one, target, clock)
        ]
        kind = "of training alone" if clock == TRAINED else "from nothing"
        told.append(
            f"{best.label} is first at a loss of {target:.4g}, after "
            f"{units.seconds(time.value)} {kind}"
            + (f"; {', '.join(rivals)} cannot be told apart from it." if rivals else ".")
        )
    if missing:
        told.append(
            f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not get there within "
            f"{race.epochs:,} epochs with half of the seeds."
        )
    return told


def _apart(best: Racer, other: Racer, target: float, clock: str) -> bool:
    ratio = Race([best, other], best.case.cold_epochs).ratio(other, target, clock)
    return ratio is not None and not ratio.low <= 1 <= ratio.high


def _leaders(race: Race) -> list[str]:
    leaders = race.leaders()
    if len(leaders) < 2:
        return [f"{leaders[0][1].label} has the lowest loss at every moment."] if leaders else []
    last = [
        (moment_s, one)
        for place, (moment_s, one) in enumerate(leaders)
        # A lead of a moment is jitter: only one that lasts a tenth of the time so far counts.
        if place + 1 == len(leaders) or leaders[place + 1][0] > 1.1 * moment_s
    ]
    merged: list[tuple[float, Racer]] = []
    for moment_s, one in last:
        if not merged or merged[-1][1] is not one:
            merged.append((moment_s, one))
    if len(merged) == 1:
        return [f"{merged[0][1].label} has the lowest loss at nearly every moment."]
    parts = [f"at first {merged[0][1].label}"] + [
        f"from {units.seconds(moment_s)} on {one.label}" for moment_s, one in merged[1:]
    ]
    return [f"With a given time to train, the lowest loss has {', '.join(parts)}."]


def warnings(race: Race) -> list[str]:
    """What limits the answer."""
    count = min(len(one.curves) for one in race.racers)
    told = []
    if count < LEAST_FOR_WANTED:
        told.append(
            f"{count} seeds hold a median with {confidence(race)} at most: "
            f"{LEAST_FOR_WANTED} are needed for 95 %."
        )
    uneven = {len(one.curves) for one in race.racers}
    if len(uneven) > 1:
        told.append("Some trainings did not end: networks stand on unequal numbers of seeds.")
    told.append("The loss is Keras' mean over the epoch's batches, on the data trained on.")
    return told


def as_json(race: Race, target: float) -> dict[str, Any]:
    """A race as plain data: null for what was not reached."""
    case = race.racers[0].case
    front = race.front()
    return {
        "place": case.place,
        "target_loss": target,
        "epochs": race.epochs,
        "networks": [
            {
                "architecture": one.label,
                "parameters": one.case.parameters,
                "seeds": [curve.seed for curve in one.curves],
                "time_to_target_s": {clock: _plain(one.time_to(target, clock)) for clock in CLOCKS},
                "time_for_all_epochs_s": {clock: _plain(one.whole(clock)) for clock in CLOCKS},
                "final_loss": _plain(one.final_loss()),
                "ratio_to_first": _plain(race.ratio(one, target)),
                "on_pareto_front": one in front,
            }
            for one in race.racers
        ],
        "leaders": [
            {"from_s": moment_s, "architecture": one.label} for moment_s, one in race.leaders()
        ],
        "sentences": sentences(race, target),
        "warnings": warnings(race),
    }


def _plain(found: Median | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        **{
            name: value if math.isfinite(value) else None
            for name, value in (("value", found.value), ("low", found.low), ("high", found.high))
        },
        "confidence": found.confidence,
        "seeds": found.count,
        "not_reached": found.censored,
    }
