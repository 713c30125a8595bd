"""The waterfall chart of an attribution: from no difference, part by part, to the whole."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from nnbench.explain.attribution import Attribution, Part
from nnbench.show import units

MORE, LESS, WHOLE = "#d55e00", "#0072b2", "#555555"


def waterfall(found: Attribution) -> Figure:
    """A bar a part, each beginning where the one before ended, with its 95 % interval."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    axis = figure.subplots()
    parts = [*found.parts, found.whole]
    names = [*(part.name for part in found.parts), "whole"]
    level = 0.0
    tops, bottoms = [], []
    for place, part in enumerate(parts):
        is_whole = part is found.whole
        start = 0.0 if is_whole else level
        end = start + part.value_s
        colour = WHOLE if is_whole else MORE if part.value_s > 0 else LESS
        axis.bar(place, part.value_s, bottom=start, width=0.62, color=colour, alpha=0.85)
        if part.has_interval:
            reach = np.array([[part.value_s - part.low_s], [part.high_s - part.value_s]])
            axis.errorbar(place, end, yerr=reach, color="black", capsize=4, linewidth=1.2)
        if not is_whole:
            axis.plot([place + 0.31, place + 0.69], [end, end], color="#888888", linewidth=0.8)
            level = end
        reach_s = part.high_s - part.value_s if part.has_interval else 0.0
        tops.append(max(start, end + reach_s))
        bottoms.append(min(start, end - reach_s))
    _labels(axis, parts, tops, bottoms)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(parts)), [name.replace(" ", "\n") for name in names], fontsize=9)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.seconds(value)))
    axis.set_ylabel(f"{found.second} minus {found.first}")
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    case = found.first_case
    axis.set_title(
        f"Cold, {case.cold_epochs} epochs: {found.first} {units.seconds(found.first_cold_s)}, "
        f"{found.second} {units.seconds(found.second_cold_s)}",
        fontsize=11,
    )
    figure.supxlabel(
        f"{case.place}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. 95 % "
        f"intervals from {found.count} {found.units}; rest is what no part explains.",
        fontsize=8,
        color="#555555",
        x=0.01,
        ha="left",
    )
    return figure


def _labels(axis: Axes, parts: list[Part], tops: list[float], bottoms: list[float]) -> None:
    """Each difference above its bar and whisker, or below where it takes less."""
    height = max(*tops, 0.0) - min(*bottoms, 0.0)
    for place, (part, top, bottom) in enumerate(zip(parts, tops, bottoms, strict=True)):
        more = part.value_s >= 0
        axis.annotate(
            f"{'+' if more else '-'}{units.seconds(abs(part.value_s))}",
            (place, top if more else bottom),
            xytext=(0, 3 if more else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if more else "top",
            fontsize=8,
        )
    axis.set_ylim(min(*bottoms, 0.0) - 0.09 * height, max(*tops, 0.0) + 0.09 * height)


def write(found: Attribution, folder: Path) -> Path:
    """Draw it as a PNG in `folder`, named after what it explains."""
    case = found.second_case
    threads = [f"{case.threads}threads"] if case.threads else []
    parts = ["explain", case.backend, case.device, *threads, case.path]
    parts += [found.first_case.label, case.label] if case != found.first_case else [case.label]
    path = folder / ("-".join(parts).replace(",", "_").replace(":", "") + ".png")
    waterfall(found).savefig(path, dpi=130)
    return path
