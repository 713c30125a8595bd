"""An attribution as a table for a person and as plain data for scripts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnbench.explain.attribution import Attribution
from nnbench.phases import COLD
from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.stats.interval import Interval


def table(found: Attribution) -> Table:
    """The difference of two cold trainings, part by part."""
    case = found.first_case
    batch = "full batch" if case.training.batch_size is None else f"batch {case.batch_rows}"
    # Shares of a difference that may be none mean nothing.
    shares = found.shares if found.whole.excludes_zero else {}
    rows = [_row(name, part, shares.get(name)) for name, part in found.parts.items()]
    whole = _row("whole", found.whole, Interval(1.0, 1.0, 1.0) if shares else None)
    return Table(
        f"{case.context}: {case.data}, {case.rows:,} rows, {batch}; {case.cold_epochs} epochs cold",
        ("part", f"{found.second} minus {found.first}", "95 % interval", "share"),
        [*rows, None, whole],
        f"95 % intervals from {found.sampled}; {found.first} takes "
        f"{units.seconds(found.first_cold_s)}, {found.second} {units.seconds(found.second_cold_s)}",
        bold=frozenset({len(rows) + 1}),
    )


def _row(name: str, part: Interval, share: Interval | None) -> list[Cell]:
    span = f"{units.seconds(part.low)} to {units.seconds(part.high)}" if part.has_interval else "-"
    of_whole = units.share(share.value) if share else "-"
    return [Cell(text) for text in (name, units.seconds(part.value), span, of_whole)]


def as_json(found: Attribution, sentences: Sequence[str], chart: Path) -> dict[str, Any]:
    """An attribution as plain data, in seconds; null where there is no interval."""

    def part(name: str, of: Interval) -> dict[str, Any]:
        return {"name": name, "value_s": of.value, "low_s": of.low, "high_s": of.high}

    return {
        "first": found.first,
        "second": found.second,
        "place": found.first_case.context,
        "epochs": found.first_case.cold_epochs,
        "first_cold_s": found.first_cold_s,
        "second_cold_s": found.second_cold_s,
        "parts": [part(*each) for each in found.parts.items()],
        "whole": part(COLD, found.whole),
        "shares": {name: (of.value, of.low, of.high) for name, of in found.shares.items()},
        "epochs_flip": found.epochs_flip,
        "parameters": [one.parameters for one in found.counts],
        "step_flops": [one.flops for one in found.counts],
        "not_counted": [one.not_counted for one in found.counts],
        "sentences": sentences,
        "chart": chart,
    }
