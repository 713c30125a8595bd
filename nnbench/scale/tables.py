"""What is printed of how cost grows along an axis."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnbench.machine.devices import VIRTUAL
from nnbench.scale.replicas import Scaled
from nnbench.scale.scaling import Series
from nnbench.show import units
from nnbench.show.intervals import EXPONENT, MISSING, RATIO, SECONDS, SHARE, cell
from nnbench.show.table import Cell, Table

COLUMNS_OF_REPLICAS = (
    *("replicas", "batch", "step", "speed-up", "efficiency", "lost", "communication"),
    *("epoch", "cold", "peak"),
)
TOO_WIDE = Cell(MISSING, "too wide")

NOTES_ON_REPLICAS = (
    "Speed-up is that in rows a second, over one device in the same rounds.",
    "Lost is what the efficiency lacks of 1: communication, waiting and, on virtual devices, "
    "shared cores.",
    "Communication is the sum of the gradients over the devices, timed by itself, as a share of a "
    "step: at most that, since in a step it may run beside something else.",
    "Peak is the host's memory.",
)


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
            f"{mine[0].axis.network.name} along {axis}: {context}", columns, rows, caption, texts=0
        )


def replicas(found: Sequence[Scaled], network: str) -> Iterator[Table | list[str]]:
    """A table of strong and one of weak scaling for each backend, and what their columns mean."""
    virtual = any(each.are_virtual for each in found)
    for context in dict.fromkeys(each.context for each in found):
        for weak in (False, True):
            mine = [each for each in found if each.context == context and each.weak == weak]
            how = "as many rows a device" if weak else "the same batch, shared out"
            yield Table(
                f"{network}, {'weak' if weak else 'strong'} scaling ({how}): {context}",
                COLUMNS_OF_REPLICAS,
                [_replicas(each) for each in mine],
                "95 % intervals below each figure" + "; the devices are virtual" * virtual,
                texts=0,
                spare=["peak", "cold", "epoch", "lost"],
            )
    yield [*NOTES_ON_REPLICAS, *[VIRTUAL] * virtual]


def _replicas(each: Scaled) -> list[Cell]:
    gained = [cell(each.speed_up, RATIO), cell(each.efficiency, SHARE), cell(each.lost, SHARE)]
    if not each.is_known:
        gained = [TOO_WIDE] * 3
    communication = cell(each.communication, SHARE)
    return [
        Cell(str(each.count)),
        Cell(f"{each.rows:,}"),
        cell(each.step, SECONDS),
        *gained,
        communication if each.is_communication_known else TOO_WIDE,
        cell(each.epoch, SECONDS),
        cell(each.cold, SECONDS),
        Cell(units.data_size(each.host_bytes) if each.host_bytes else MISSING),
    ]


def replicas_json(found: Sequence[Scaled]) -> list[dict[str, Any]]:
    """The same for `show.plain`; times in seconds, ratios of rows a second."""
    return [
        {
            "context": each.context,
            "scaling": "weak" if each.weak else "strong",
            "replicas": each.count,
            "virtual": each.are_virtual,
            "batch_rows": each.rows,
            "step_s": each.step,
            "epoch_s": each.epoch,
            "cold_s": each.cold,
            "sum_s": each.sum,
            "speed_up": each.speed_up,
            "is_known": each.is_known,
            "efficiency": each.efficiency,
            "lost": each.lost,
            "communication_at_most": each.communication,
            "is_communication_known": each.is_communication_known,
            "peak_host_bytes": each.host_bytes,
        }
        for each in found
    ]


def as_json(found: dict[str, list[Series]], pictures: Sequence[Path]) -> dict[str, Any]:
    """The series of each axis, for `show.plain`; times in seconds."""
    axes = {axis: [_series(each) for each in series] for axis, series in found.items()}
    networks = [each.axis.network.name for series in found.values() for each in series]
    return {"network": networks[0] if networks else None, "axes": axes, "charts": pictures}


def _series(each: Series) -> dict[str, Any]:
    grows = each.exponent
    return {
        "context": each.context,
        "phase": each.phase,
        "sizes": each.sizes,
        "times_s": each.times,
        "exponent": [grows.value, grows.low, grows.high] if grows else None,
    }
