"""A step's layers as a table, the longest first, and as plain data."""

from typing import Any

from nnbench.layers.breakdown import LOSS, PASSES, REST, UPDATE_PASS, Breakdown, Group
from nnbench.layers.words import sentences, warnings
from nnbench.show import intervals, units
from nnbench.show.intervals import MISSING, SECONDS, SHARE
from nnbench.show.table import Cell, Table
from nnbench.stats.interval import Interval

SPARE = ("output", "bytes", "parameters", "alone", "FLOPs", "time", "of rate", *reversed(PASSES))
"""Columns that go where a terminal is narrow, the first of them first."""


def table(found: Breakdown) -> Table:
    """A row a layer, then what is no layer's, and the whole."""
    case = found.case
    batch = f"{case.batch_rows:,} rows a batch"
    rows: list[list[Cell] | None] = [_row(one) for one in found.sorted]
    rows += [None, _beside(LOSS, found.loss_s, found.loss_share)]
    rows += [_beside(REST, found.rest_s, found.rest_share)]
    rows += [_beside("whole step", found.whole_s, Interval(1.0, 1.0, 1.0))]
    rate = found.product_flops_per_s
    of_rate = f"; rate: {units.rate(rate)}FLOP/s in a matrix product here" if rate else ""
    launches = "1 launch" if found.launches == 1 else f"{found.launches} launches"
    return Table(
        title=f"{found.name} ({case.context}): where a step's time goes; {case.data}, {batch}",
        columns=(
            *("layer", "share", *PASSES, "time", "alone", "of rate"),
            *("FLOPs", "parameters", "bytes", "output"),
        ),
        rows=rows,
        caption=f"shares of the step, 95 % intervals below, from {launches}{of_rate}",
        bold=frozenset({len(rows) - 1}),
        spare=SPARE,
    )


def _row(group: Group) -> list[Cell]:
    used = group.utilisation
    return [
        Cell(group.name),
        intervals.cell(group.share, SHARE),
        *(intervals.cell(group.pass_shares.get(name), SHARE) for name in PASSES),
        intervals.cell(group.time_s, SECONDS),
        intervals.cell(group.alone_s, SECONDS),
        Cell(MISSING if used is None else units.share(used)),
        Cell(units.flops(group.flops) if group.flops else MISSING),
        Cell(f"{group.parameters:,}" if group.parameters else MISSING),
        Cell(units.data_size(group.held_bytes) if group.held_bytes else MISSING),
        Cell(group.layers[-1].output.replace("x", "×") or MISSING),
    ]


def _beside(name: str, time_s: Interval, share: Interval) -> list[Cell]:
    whole = share.value == share.low == share.high
    told = Cell(units.share(share.value)) if whole else intervals.cell(share, SHARE)
    nothing = [Cell("")] * (len(PASSES))
    return [Cell(name), told, *nothing, intervals.cell(time_s, SECONDS), *[Cell("")] * 6]


def as_json(found: Breakdown) -> dict[str, Any]:
    """A breakdown as plain data."""
    return {
        "network": found.name,
        "architecture": found.case.label,
        "context": found.case.context,
        "batch_rows": found.case.batch_rows,
        "launches": found.launches,
        "step_s": found.whole_s,
        "layers": [_plain(one) for one in found.groups],
        LOSS.replace(" ", "_"): {"time_s": found.loss_s, "share": found.loss_share},
        REST: {"time_s": found.rest_s, "share": found.rest_share},
        UPDATE_PASS: {"share": found.update_share},
        "alone": {"share": found.alone_share, "apart": [one.name for one in found.apart]},
        "product_flops_per_s": found.product_flops_per_s,
        "not_counted": found.missing,
        "sentences": sentences(found),
        "warnings": warnings(found),
    }


def _plain(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "layers": group.layers,
        "time_s": group.time_s,
        "share": group.share,
        "passes_s": group.passes_s,
        "pass_shares": group.pass_shares,
        "alone_s": group.alone_s,
        "utilisation": group.utilisation,
        "pass_utilisation": group.pass_utilisation,
        "parameters": group.parameters,
        "flops": group.flops,
        "held_bytes": group.held_bytes,
    }
