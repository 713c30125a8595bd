"""A race as a table and as plain data."""

import math
from typing import Any

from nnbench.race.analysis import Outcome, Standing
from nnbench.race.time_to_loss import CLOCKS, COLD, TRAINED
from nnbench.race.words import sentences, warnings
from nnbench.show import intervals, units
from nnbench.show.intervals import MISSING, RATIO, SECONDS
from nnbench.show.table import Cell, Table
from nnbench.stats.median import Median


def table(outcome: Outcome) -> Table:
    """A row a network: weights, time to the target on both clocks, seeds there, loss, ratio."""
    first = outcome.race.racers[0]
    return Table(
        title=f"{outcome.context}: time to a loss of {outcome.target_loss:.4g} on "
        f"{first.case.data}, {outcome.race.epochs:,} epochs at most",
        columns=(
            *("network", "weights", "to target, training", "from cold", "seeds there"),
            *("an epoch", "loss at the end", f"to target, {first.label} = 1"),
        ),
        rows=[_row(outcome, one) for one in outcome.standings],
        caption=f"medians over seeds, {units.share(outcome.confidence)} intervals below; "
        "training = steady epochs only; ratios of the same seeds",
    )


def _row(outcome: Outcome, one: Standing) -> list[Cell]:
    trained = one.time_to_target_s[TRAINED]
    epoch_s = one.time_for_all_epochs_s[TRAINED].value / outcome.race.epochs
    parameters = one.racer.case.parameters
    return [
        Cell(one.racer.label),
        Cell(f"{parameters:,}" if parameters else MISSING),
        _time(trained),
        _time(one.time_to_target_s[COLD]),
        Cell(f"{trained.count - trained.censored} of {trained.count}"),
        Cell(units.seconds(epoch_s)),
        _loss(one.racer.final_loss),
        _ratio(one.ratio_to_first[TRAINED] if one is not outcome.standings[0] else None),
    ]


def _time(found: Median) -> Cell:
    if math.isfinite(found.high):
        return intervals.cell(found, SECONDS)
    low = f"from {units.seconds(found.low)}" if math.isfinite(found.low) else ""
    return Cell(units.seconds(found.value) if found.reached else "not reached", low)


def _loss(found: Median) -> Cell:
    if not found.reached:
        return Cell("diverged")
    high = f"{found.high:.3g}" if math.isfinite(found.high) else "diverged"
    return Cell(f"{found.value:.3g}", f"{found.low:.3g}–{high}")


def _ratio(found: Median | None) -> Cell:
    if found is None or (found.value > 0 and math.isfinite(found.high)):
        return intervals.cell(found, RATIO)
    if found.value == 0 or not found.reached:
        return Cell("only this one" if found.reached else "only the first")
    return Cell(units.ratio(found.value), f"{units.significant(found.low)}–∞")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """A race as plain data: null for what was not reached."""
    return {
        "place": outcome.context,
        "target_loss": outcome.target_loss,
        "epochs": outcome.race.epochs,
        "networks": [
            {
                "architecture": one.racer.label,
                "parameters": one.racer.case.parameters,
                "seeds": [curve.seed for curve in one.racer.curves],
                "time_to_target_s": {c: _plain(one.time_to_target_s[c]) for c in CLOCKS},
                "time_for_all_epochs_s": {c: _plain(one.time_for_all_epochs_s[c]) for c in CLOCKS},
                "final_loss": _plain(one.racer.final_loss),
                "ratio_to_first": _plain(one.ratio_to_first[TRAINED]),
                "on_pareto_front": one.racer in outcome.front[TRAINED],
            }
            for one in outcome.standings
        ],
        "leaders": [
            {"from_s": moment_s, "architecture": one.label} for moment_s, one in outcome.leaders
        ],
        "sentences": sentences(outcome),
        "warnings": warnings(outcome),
    }


def _plain(found: Median | None) -> dict[str, Any] | None:
    if found is None:
        return None
    named = {"seeds": found.count, "not_reached": found.censored}
    own = {name: value for name, value in vars(found).items() if name not in ("count", "censored")}
    return {**own, **named}
