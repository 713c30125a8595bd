"""The figures of a run, one function each.

Every function takes the summaries of one group (same backend, device, threads and path) and
returns a matplotlib Figure. Error bars are the estimates' 95 % intervals; the footnote says what
stands behind them.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nnbench.phases import COLD, EPOCH, ONCE, PREPARE, STEP, ColdParts
from nnbench.show import figures
from nnbench.show.figures import bar_lengths, legend_above, log_seconds_axis
from nnbench.show.palette import COLOURS, SERIES_COLOURS
from nnbench.stats.summary import CaseSummary

SHOWN = (COLD, EPOCH, STEP)
MARKERS = {COLD: "o", EPOCH: "s", STEP: "^"}
LABELLED = 6
"""More networks than this are distinguished by colour and legend, not named one by one."""

MOST_ROWS = 60
MOST_LANES = 8

Style = dict[str, Any]
BARS: Style = {"capsize": 3, "linewidth": 1, "markersize": 5}
"""How values with their intervals are drawn."""
NAME: Style = {
    "textcoords": "offset points",
    "fontsize": 8,
    "bbox": {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0},
}
LEFT: Style = {"xytext": (-6, -5), "ha": "right", "va": "top"}
RIGHT: Style = {"xytext": (6, 5), "ha": "left", "va": "bottom"}
EDGE: Style = {"edgecolor": "#444444", "linewidth": 0.5}


def _footnote(figure: Figure, group: Sequence[CaseSummary]) -> None:
    times = [time for summary in group for time in summary.times.values()]
    case = group[0].case
    figures.footnote(
        figure,
        f"{case.context}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. 95 % "
        f"intervals; each figure from {_span(time.blocks for time in times)} blocks "
        f"in {_span(time.launches for time in times)} launches.",
    )


def _span(numbers: Iterable[int]) -> str:
    values = sorted(set(numbers))
    return " to ".join(str(value) for value in dict.fromkeys(values[:1] + values[-1:])) or "no"


def cold_parts(group: Sequence[CaseSummary]) -> Figure | None:
    """Stacked phases of a cold training; the whole, timed separately, is marked with its interval.

    None when no network has all the parts.
    """
    shown = [(summary, summary.cold_parts) for summary in group]
    rows = [(summary, parts) for summary, parts in shown if parts is not None][:MOST_ROWS]
    if not rows:
        return None
    figure = Figure(figsize=(9, 1.9 + 0.42 * len(rows)), layout="constrained")
    axis = figure.subplots()
    positions = np.arange(len(rows))[::-1]
    left, below = np.zeros(len(rows)), np.zeros(len(rows))
    named = [_named(parts) for _, parts in rows]
    for name in named[0]:
        widths = np.array([parts[name] for parts in named])
        # A part that came out below zero is drawn to the left of zero, not hidden.
        start = np.where(widths >= 0, left, below)
        shown_as: Style = {"color": COLOURS[name], "hatch": "////" if name == "rest" else None}
        axis.barh(positions, widths, 0.66, start, label=name, **shown_as, **EDGE)
        left += np.maximum(widths, 0)
        below += np.minimum(widths, 0)
    wholes = [summary.times[COLD] for summary, _ in rows]
    x = [whole.value for whole in wholes]
    label = "whole, timed separately"
    axis.errorbar(x, positions, None, bar_lengths(wholes), "D", color="black", label=label, **BARS)
    axis.set_yticks(positions, [summary.case.label for summary, _ in rows])
    axis.set_xlabel(f"cold training of {rows[0][0].case.cold_epochs} epochs")
    figures.seconds_axis(axis.xaxis)
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.axvline(0, color="black", linewidth=0.8)
    legend_above(figure, columns=5)
    _footnote(figure, group)
    return figure


def _named(parts: ColdParts) -> dict[str, float]:
    """Seconds of the parts of a cold training by the names of their colours."""
    once_s = {phase: parts.once_s[phase] for phase in ONCE}
    later_s = {"later steps": parts.steps_s, "epoch overhead": parts.overhead_s}
    return {**once_s, **later_s, "rest": parts.rest_s}


def against_parameters(group: Sequence[CaseSummary]) -> Figure:
    """Cold, epoch and step time against the number of parameters, both axes logarithmic."""
    return _against(
        group,
        "parameters",
        [summary.parameters or 1 for summary in group],
        [f"depth {_depth(summary)}" for summary in group],
    )


def against_depth(group: Sequence[CaseSummary]) -> Figure:
    """Cold, epoch and step time against depth, the number of hidden layers."""
    widths = [max(one.case.architecture.widths) if one.case.architecture else 0 for one in group]
    return _against(group, "depth", list(map(_depth, group)), [f"width {w}" for w in widths])


def _depth(summary: CaseSummary) -> int:
    return summary.case.architecture.depth if summary.case.architecture else 0


def _against(
    group: Sequence[CaseSummary], name: str, sizes: Sequence[int], series: Sequence[str]
) -> Figure:
    """Time by size. Few networks are named at their points; many are joined in series."""
    phases = [phase for phase in SHOWN if any(phase in summary.times for summary in group)]
    figure = Figure(figsize=(9, 3.7), layout="constrained")
    axes = figure.subplots(1, len(phases), squeeze=False)[0]
    for axis, phase in zip(axes, phases, strict=True):
        having = [
            (size, summary, of)
            for size, summary, of in zip(sizes, group, series, strict=True)
            if phase in summary.times
        ]
        few = len(having) <= LABELLED
        axis.set(yscale="log", title=phase, xlabel=name)
        if name == "parameters":
            axis.set_xscale("log")
        else:
            axis.xaxis.get_major_locator().set_params(integer=True)
        axis.margins(x=0.28 if few else 0.22, y=0.2)
        if few:
            points = [(size, summary) for size, summary, _ in having]
            _points(axis, points, phase, COLOURS[phase], MARKERS[phase])
            _name_points(axis, points, phase)
        else:
            for number, of in enumerate(dict.fromkeys(of for _, _, of in having)):
                points = [(size, summary) for size, summary, its in having if its == of]
                colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
                _points(axis, points, phase, colour, "o-", label=of)
        log_seconds_axis(axis.yaxis)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("time")
    legend_above(figure)
    _footnote(figure, group)
    return figure


Point = tuple[int, CaseSummary]


def _points(
    axis: Axes,
    points: Sequence[Point],
    phase: str,
    colour: str,
    style: str,
    label: str | None = None,
) -> None:
    ordered = sorted(points, key=lambda point: point[0])
    times = [summary.times[phase] for _, summary in ordered]
    x, y = [size for size, _ in ordered], [time.value for time in times]
    axis.errorbar(x, y, bar_lengths(times), fmt=style, color=colour, label=label, **BARS)


def _name_points(axis: Axes, points: Sequence[Point], phase: str) -> None:
    """Name each point beside it; of two neighbours the left one to its left, so that they part."""
    ordered = sorted(points, key=lambda point: (point[0], point[1].times[phase].value))
    for turn, (size, summary) in enumerate(ordered):
        point = (size, summary.times[phase].value)
        axis.annotate(summary.case.label, point, **(RIGHT if turn % 2 else LEFT), **NAME)


def ratios(group: Sequence[CaseSummary]) -> Figure | None:
    """Ratio of each phase to the first network, with intervals, on a logarithmic axis.

    None when there is nothing to compare.
    """
    others = [summary for summary in group[1:] if summary.ratios][: MOST_ROWS // 3]
    if not others:
        return None
    phases = (*ONCE, EPOCH, STEP, COLD) if len(others) <= LABELLED else (EPOCH, STEP, COLD)
    rows = [
        (summary.case.label, phase, summary.ratios[phase])
        for summary in others
        for phase in phases
        if phase in summary.ratios
    ]
    figure = Figure(figsize=(9, 1.4 + 0.24 * len(rows)), layout="constrained")
    axis = figure.subplots()
    positions = np.arange(len(rows))[::-1]
    for position, (_, phase, ratio) in zip(positions, rows, strict=True):
        colour = COLOURS[phase] if phase != PREPARE else "#b8a900"
        bars = bar_lengths([ratio])
        axis.errorbar(ratio.value, position, None, bars, "o", color=colour, **BARS)
    axis.set_xscale("log")
    axis.axvline(1, color="black", linewidth=1)
    axis.set_yticks(positions, [f"{label}  {phase}" for label, phase, _ in rows], fontsize=8)
    decades = np.subtract(*np.log10(axis.get_xlim()[::-1]))
    few, many = (1.0,) if decades > 3 else (1.0, 2.0, 5.0), (1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.xaxis.set_major_locator(LogLocator(subs=many if decades < 0.9 else few, numticks=14))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    for boundary, (above, below) in enumerate(itertools.pairwise(rows)):
        if above[0] != below[0]:
            axis.axhline(positions[boundary] - 0.5, color="#bbbbbb", linewidth=0.8)
    axis.set_xlabel(f"times as long as {group[0].case.label}, paired within blocks")
    axis.grid(axis="x", alpha=0.3)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    _footnote(figure, group)
    return figure


def samples(
    group: Sequence[CaseSummary], values: pd.DataFrame, noisy: Collection[tuple[int, int]]
) -> Figure:
    """Every block's value in the order of measurement, a line for each network.

    `values` comes from `summary.block_values`; `noisy` holds the (launch, block) pairs that the
    noise watch found contaminated: they are drawn as crosses. Vertical lines part launches.
    """
    lanes = group[:MOST_LANES]
    phases = [phase for phase in SHOWN if (values["phase"] == phase).any()]
    figure = Figure(figsize=(9, 1.2 + 2.0 * len(phases)), layout="constrained")
    axes = figure.subplots(len(phases), 1, sharex=True, squeeze=False)[:, 0]
    mine = values[values["case"].isin([lane.case.key for lane in lanes])]
    blocks = sorted(set(zip(mine["launch"], mine["block"], strict=True)))
    position = {block: number for number, block in enumerate(blocks)}
    for axis, phase in zip(axes, phases, strict=True):
        for number, lane in enumerate(lanes):
            chosen = mine[(mine["case"] == lane.case.key) & (mine["phase"] == phase)]
            chosen = chosen.sort_values(["launch", "block"])
            keys = list(zip(chosen["launch"], chosen["block"], strict=True))
            x, seconds = np.array([position[key] for key in keys]), chosen["seconds"].to_numpy()
            bad = np.array([key in noisy for key in keys], dtype=bool)
            style: Style = {"color": f"C{number}", "markersize": 4}
            axis.plot(x, seconds, "-", color=f"C{number}", alpha=0.35, linewidth=1)
            axis.plot(x[~bad], seconds[~bad], "o", **style)
            axis.plot(x[bad], seconds[bad], "x", **{**style, "markersize": 6})
            axis.plot([], [], "o-", **style, label=lane.case.label)
        axis.set_yscale("log")
        log_seconds_axis(axis.yaxis)
        axis.set_title(phase, fontsize=10)
        axis.grid(axis="y", alpha=0.3)
        for earlier, later in itertools.pairwise(blocks):
            if earlier[0] != later[0]:
                axis.axvline(position[later] - 0.5, color="#bbbbbb", linewidth=0.8)
    axes[-1].set_xlabel("block, in order of measurement; lines part launches, crosses are noisy")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    legend_above(figure)
    _footnote(figure, group)
    return figure
