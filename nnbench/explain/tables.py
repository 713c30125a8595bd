"""An attribution as a table for a person and as plain data for scripts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from nnbench.explain.attribution import Attribution, Part
from nnbench.show import units
from nnbench.show.terminal import open_console


def print_attribution(found: Attribution, sentences: Sequence[str]) -> None:
    """The difference of two cold trainings, part by part."""
    case = found.first_case
    batch = "full batch" if case.training.batch_size is None else f"batch {case.batch_rows}"
    table = Table(
        title=f"{case.place}: {case.data}, {case.rows:,} rows, {batch}; "
        f"{case.cold_epochs} epochs cold",
        caption=f"95 % intervals from {found.count} {found.units}; {found.first} takes "
        f"{units.seconds(found.first_cold_s)}, {found.second} {units.seconds(found.second_cold_s)}",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("part")
    for name in (f"{found.second} minus {found.first}", "95 % interval", "share"):
        table.add_column(name, justify="right")
    for part in (*found.parts, found.whole):
        if part is found.whole:
            table.add_section()
        # Shares of a difference that may be none mean nothing.
        of_whole = 1.0 if part is found.whole else found.shares[part.name][0]
        share = units.share(of_whole) if found.whole.is_told else "-"
        table.add_row(
            "whole" if part is found.whole else part.name,
            units.seconds(part.value_s),
            _span(part),
            share,
            style="bold" if part is found.whole else None,
        )
    console = open_console()
    console.print(table)
    for sentence in sentences:
        console.print(sentence, markup=False)


def _span(part: Part) -> str:
    if not part.has_interval:
        return "-"
    return f"{units.seconds(part.low_s)} to {units.seconds(part.high_s)}"


def attribution_as_json(
    found: Attribution, sentences: Sequence[str], chart: Path
) -> dict[str, Any]:
    """An attribution as plain data, in seconds; null where there is no interval."""

    def plain(part: Part) -> dict[str, Any]:
        return {
            "name": part.name,
            "value_s": part.value_s,
            "low_s": _finite(part.low_s),
            "high_s": _finite(part.high_s),
        }

    flip = found.epochs_flip
    return {
        "first": found.first,
        "second": found.second,
        "place": found.first_case.place,
        "epochs": found.first_case.cold_epochs,
        "first_cold_s": found.first_cold_s,
        "second_cold_s": found.second_cold_s,
        "parts": [plain(part) for part in found.parts],
        "whole": plain(found.whole),
        "shares": {name: [_finite(each) for each in share] for name, share in found.shares.items()},
        "epochs_flip": {
            "value": flip.value,
            "low": _finite(flip.low),
            "high": _finite(flip.high),
        },
        "sentences": list(sentences),
        "chart": str(chart),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
