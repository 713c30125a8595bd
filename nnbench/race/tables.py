"""A race as a table and as plain data."""

import math
from typing import Any

from nnbench.race.time_to_loss import CLOCKS, COLD, Race, Racer
from nnbench.race.words import sentences, warnings
from nnbench.show import intervals, units
from nnbench.show.intervals import MISSING, RATIO, SECONDS
from nnbench.show.table import Cell, Table
from nnbench.stats.median import Median


def table(race: Race) -> Table:
    """A row a network: weights, time to the target on both clocks, seeds there, loss, ratio."""
    return Table(
        title=f"{race.case.context}: time to a {race.goal.name} of "
        f"{race.shown(race.target):.4g} on {race.case.data}, {race.epochs:,} epochs at most",
        columns=(
            *("network", "weights", "to target, training", "from cold", "seeds there"),
            *("an epoch", f"{race.goal.name} at the end", f"to target, {race.racers[0].name} = 1"),
        ),
        rows=[_row(race, one) for one in race.racers],
        caption=f"medians over seeds, {units.share(race.confidence)} intervals below; "
        "training = steady epochs only; ratios of the same seeds",
    )


def _row(race: Race, racer: Racer) -> list[Cell]:
    trained, first = racer.time_to(race.target), race.racers[0]
    ratio = racer.ratio(first, race.target) if racer is not first else None
    return [
        Cell(racer.name),
        Cell(f"{racer.case.parameters:,}" if racer.case.parameters else MISSING),
        _time(trained),
        _time(racer.time_to(race.target, COLD)),
        Cell(f"{trained.count - trained.censored} of {trained.count}"),
        Cell(units.seconds(racer.whole().value / race.epochs)),
        _loss(race, racer.final_loss),
        _ratio(ratio),
    ]


def _time(found: Median) -> Cell:
    if math.isfinite(found.high):
        return intervals.cell(found, SECONDS)
    low = f"from {units.seconds(found.low)}" if math.isfinite(found.low) else ""
    return Cell(units.seconds(found.value) if found.reached else "not reached", low)


def _loss(race: Race, found: Median) -> Cell:
    if not found.reached:
        return Cell("diverged")
    worst = f"{race.shown(found.high):.3g}" if math.isfinite(found.high) else "diverged"
    ends = [f"{race.shown(found.low):.3g}", worst][:: race.goal.sign]
    return Cell(f"{race.shown(found.value):.3g}", "–".join(ends))


def _ratio(found: Median | None) -> Cell:
    if found is None or (found.value > 0 and math.isfinite(found.high)):
        return intervals.cell(found, RATIO)
    if found.value == 0 or not found.reached:
        return Cell("only this one" if found.reached else "only the first")
    return Cell(units.ratio(found.value), f"{units.significant(found.low)}–∞")


def as_json(race: Race) -> dict[str, Any]:
    """A race as plain data."""
    target, front = race.target, race.front()
    return {
        "context": race.case.context,
        "goal": race.goal.name,
        "target_loss": race.shown(target),
        "epochs": race.epochs,
        "networks": [
            {
                "name": one.name,
                "architecture": one.case.label,
                "parameters": one.case.parameters,
                "seeds": [curve.seed for curve in one.curves],
                "time_to_target_s": {c: _plain(one.time_to(target, c)) for c in CLOCKS},
                "time_for_all_epochs_s": {c: _plain(one.whole(c)) for c in CLOCKS},
                "final_loss": _plain(one.final_loss, race.goal.sign),
                "ratio_to_first": _plain(one.ratio(race.racers[0], target)),
                "on_pareto_front": one in front,
            }
            for one in race.racers
        ],
        "leaders": [
            {"from_s": from_s, "name": one.name, "architecture": one.case.label}
            for from_s, one in race.leaders
        ],
        "sentences": sentences(race),
        "warnings": warnings(race),
    }


def _plain(found: Median | None, sign: int = 1) -> dict[str, Any] | None:
    if found is None:
        return None
    low, high = (found.low, found.high)[::sign]
    spread = {"value": sign * found.value, "low": sign * low, "high": sign * high}
    counts = {"seeds": found.count, "not_reached": found.censored}
    return {**spread, "confidence": found.confidence, **counts}
