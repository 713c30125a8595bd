"""Attributions, and steps by layer, as tables for a person and as plain data for scripts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnbench.explain.attribution import Attribution
from nnbench.explain.by_layer import Part, StepByLayer
from nnbench.phases import COLD
from nnbench.show import intervals, units
from nnbench.show.intervals import SECONDS
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
        "context": found.first_case.context,
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


def layer_table(found: StepByLayer) -> Table:
    """The difference of two steps, layer by layer, in the order of the networks."""
    case = found.first_case
    whole_s = found.whole.value if found.whole.excludes_zero else None
    rows: list[list[Cell] | None] = [_layer_row(one, whole_s) for one in found.layers]
    others = [one for one in found.parts if one not in found.layers]
    rows += [None, *(_layer_row(one, whole_s) for one in others)]
    whole = Part("whole step", (), (), found.first_s, found.second_s, found.whole)
    rows.append(_layer_row(whole, whole_s))
    launches = "1 launch" if found.launches == 1 else f"{found.launches} launches"
    batch = f"{case.data}, {case.batch_rows:,} rows a batch"
    return Table(
        f"{case.context}: a step layer by layer; {batch}",
        ("layer", "B minus A", "share", "A", "B"),
        rows,
        f"A is {found.first}, B {found.second}; 95 % intervals below, from {launches}",
        bold=frozenset({len(rows) - 1}),
        spare=("B", "A", "share"),
    )


def _layer_row(part: Part, whole_s: float | None) -> list[Cell]:
    share = units.share(part.difference_s.value / whole_s) if whole_s else intervals.MISSING
    return [
        Cell(part.name),
        intervals.cell(part.difference_s, SECONDS),
        Cell(share),
        intervals.cell(part.first_s, SECONDS),
        intervals.cell(part.second_s, SECONDS),
    ]


def layers_as_json(
    found: StepByLayer, sentences: Sequence[str], warnings: Sequence[str]
) -> dict[str, Any]:
    """The same as plain data, in seconds; null for what a network has not."""
    return {
        "first": found.first,
        "second": found.second,
        "context": found.first_case.context,
        "batch_rows": found.first_case.batch_rows,
        "launches": found.launches,
        "parts": [
            {
                "name": one.name,
                "first": [layer.name for layer in one.first],
                "second": [layer.name for layer in one.second],
                "kinds": list(dict.fromkeys(layer.kind for layer in (*one.first, *one.second))),
                "first_s": one.first_s,
                "second_s": one.second_s,
                "difference_s": one.difference_s,
            }
            for one in found.parts
        ],
        "first_s": found.first_s,
        "second_s": found.second_s,
        "whole_s": found.whole,
        "sentences": sentences,
        "warnings": warnings,
    }
