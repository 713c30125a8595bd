"""What is printed of how cost grows along an axis."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnbench.scale.scaling import Series
from nnbench.show.intervals import EXPONENT, SECONDS, cell
from nnbench.show.table import Cell, Table


def scaling(found: Sequence[Series]) -> Iterator[Table]:
    """A table for each backend and path: a row a size along the axis, a column a phase."""
    for context in dict.fromkeys(each.context for each in found):
        mine = [each for each in found if each.context == context]
        times = [dict(zip(each.sizes, each.times, strict=True)) for each in mine]
        rows: list[list[Cell] | None] = [
            [Cell(f"{size:,}"), *(cell(of.get(size), SECONDS) for of in times)]
            for size in sorted({size for each in mine for size in each.sizes})
        ]
        rows += [None, [Cell("~ size^"), *(cell(each.exponent, EXPONENT) for each in mine)]]
        axis, caption = mine[0].axis.name, "95 % intervals below each figure"
        columns = [axis, *(each.phase for each in mine)]
        yield Table(
            f"{mine[0].axis.network.label} along {axis}: {context}", columns, rows, caption, texts=0
        )


def as_json(found: dict[str, list[Series]], pictures: Sequence[Path]) -> dict[str, Any]:
    """The series of each axis, for `show.plain`; times in seconds."""
    axes = {axis: [_series(each) for each in series] for axis, series in found.items()}
    networks = [each.axis.network.label for series in found.values() for each in series]
    return {"network": networks[0] if networks else None, "axes": axes, "charts": pictures}


def _series(each: Series) -> dict[str, Any]:
    grows = each.exponent
    return {
        "place": each.context,
        "phase": each.phase,
        "sizes": each.sizes,
        "times_s": each.times,
        "exponent": [grows.value, grows.low, grows.high] if grows else None,
    }
