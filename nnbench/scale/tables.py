"""What is printed of how cost grows along an axis."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from nnbench.scale.scaling import Series
from nnbench.show import units
from nnbench.show.terminal import open_console


def print_scaling(found: Sequence[Series]) -> None:
    """A table for each backend and path: a row a size along the axis, a column a phase."""
    for place in dict.fromkeys(each.place for each in found):
        mine = [each for each in found if each.place == place]
        title = f"Along {mine[0].axis}: {place}"
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
        for name in (mine[0].axis, *(each.phase for each in mine)):
            table.add_column(name, justify="right", no_wrap=True)
        times = [dict(zip(each.sizes, each.times, strict=True)) for each in mine]
        for size in sorted({size for each in mine for size in each.sizes}):
            cells = [units.seconds(of[size].value) if size in of else "-" for of in times]
            table.add_row(f"{size:,}", *cells)
        table.add_section()
        table.add_row("~ size^", *(_exponent(each) for each in mine))
        open_console().print(table)


def _exponent(series: Series) -> str:
    if series.exponent is None:
        return "-"
    value, low, high = (round(each, 2) + 0.0 for each in series.exponent)
    return f"{value:.2f}\n({low:.2f} to {high:.2f})"


def scaling_as_json(found: dict[str, list[Series]], pictures: Sequence[Path]) -> dict[str, Any]:
    """The series of each axis as plain data; times in seconds."""
    return {
        "axes": {
            axis: [
                {
                    "place": each.place,
                    "phase": each.phase,
                    "sizes": list(each.sizes),
                    "times_s": [asdict(time) for time in each.times],
                    "exponent": each.exponent,
                }
                for each in series
            ]
            for axis, series in found.items()
        },
        "charts": [str(picture) for picture in pictures],
    }
