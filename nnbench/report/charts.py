"""The figures of a run, one function each, of one group's summaries.

Error bars are 95 % intervals; the footnote says what stands behind them.
"""

import itertools
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from nnbench.phases import COLD, EPOCH, ONCE, PREPARE, STEP, ColdParts
from nnbench.show import figures
from nnbench.show.figures import bar_lengths, legend_above, log_seconds_axis
from nnbench.show.palette import COLOURS, SERIES_COLOURS
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary

SHOWN = (COLD, EPOCH, STEP)
MARKERS = {COLD: "o", EPOCH: "s", STEP: "^"}
LABELLED = 6
"""More networks than this are distinguished by colour and legend, not named one by one."""
MOST_ROWS = 60
MOST_LANES = 8

Style = dict[str, Any]
BARS: Style = {"capsize": 3, "linewidth": 1, "markersize": 5}
EDGE: Style = {"edgecolor": "#444444", "linewidth": 0.5}


def _footnote(figure: Figure, group: Sequence[CaseSummary]) -> None:
    times = [time for summary in group for time in summary.times.values()]
    case = group[0].case
    figures.footnote(
        figure,
        f"{case.context}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. 95 % "
        f"intervals; each figure from {figures.span(time.blocks for time in times)} blocks "
        f"in {figures.span(time.launches for time in times)} launches.",
    )


def cold_parts(group: Sequence[CaseSummary]) -> Figure | None:
    """Stacked phases of a cold training, its whole marked; None when no network has all parts."""
    rows = [(one, parts) for one in group if (parts := one.cold_parts) is not None][:MOST_ROWS]
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
    later_s = {"later steps": parts.steps_s, "epoch overhead": parts.overhead_s}
    return {**parts.once_s, **later_s, "rest": parts.rest_s}


def against_parameters(group: Sequence[CaseSummary]) -> Figure:
    """Cold, epoch and step time against the number of parameters, both axes logarithmic."""
    weights = [summary.parameters or 1 for summary in group]
    return _against(group, "parameters", weights, [f"depth {_depth(one)}" for one in group])


def against_depth(group: Sequence[CaseSummary]) -> Figure:
    """Cold, epoch and step time against depth, the number of hidden layers."""
    widths = [max(one.case.architecture.widths) if one.case.architecture else 0 for one in group]
    return _against(group, "depth", list(map(_depth, group)), [f"width {w}" for w in widths])


def _depth(summary: CaseSummary) -> int:
    return summary.case.architecture.depth if summary.case.architecture else 0


def _against(
    group: Sequence[CaseSummary], name: str, sizes: Sequence[int], series: Sequence[str]
) -> Figure:
    phases = [phase for phase in SHOWN if any(phase in summary.times for summary in group)]
    figure = Figure(figsize=(9, 3.7), layout="constrained")
    axes = figure.subplots(1, len(phases), squeeze=False)[0]
    for axis, phase in zip(axes, phases, strict=True):
        having = [
            Point(size, of, one.times[phase], one.case.label)
            for size, of, one in zip(sizes, series, group, strict=True)
            if phase in one.times
        ]
        having.sort(key=lambda point: (point.size, point.time.value))
        few = len(having) <= LABELLED
        axis.set(yscale="log", title=phase, xlabel=name)
        if name == "parameters":
            axis.set_xscale("log")
        else:
            axis.xaxis.get_major_locator().set_params(integer=True)
        axis.margins(x=0.28 if few else 0.22, y=0.2)
        if few:
            _points(axis, having, color=COLOURS[phase], fmt=MARKERS[phase])
            for turn, one in enumerate(having):
                point = (one.size, one.time.value)
                figures.name_point(axis, one.label, point, right=turn % 2 == 1)
        else:
            for of, colour in zip(dict.fromkeys(series), itertools.cycle(SERIES_COLOURS)):
                mine = [one for one in having if one.series == of]
                _points(axis, mine, color=colour, fmt="o-", label=of)
        log_seconds_axis(axis.yaxis)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("time")
    legend_above(figure)
    _footnote(figure, group)
    return figure


class Point(NamedTuple):
    """What a network takes at a size, and the series that it is joined with."""

    size: int
    series: str
    time: Estimate
    label: str


def _points(axis: Axes, points: Sequence[Point], **style: Any) -> None:
    x, times = [one.size for one in points], [one.time for one in points]
    axis.errorbar(x, [time.value for time in times], bar_lengths(times), **style, **BARS)


def ratios(group: Sequence[CaseSummary]) -> Figure | None:
    """Ratio of each phase to the first network's, log axis; None if there is nothing to compare."""
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
        axis.errorbar(ratio.value, position, None, bar_lengths([ratio]), "o", color=colour, **BARS)
    axis.set_xscale("log")
    axis.axvline(1, color="black", linewidth=1)
    axis.set_yticks(positions, [f"{label}  {phase}" for label, phase, _ in rows], fontsize=8)
    decades = np.subtract(*np.log10(axis.get_xlim()[::-1]))
    few, many = (1.0,) if decades > 3 else (1.0, 2.0, 5.0), (1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.xaxis.set_major_locator(LogLocator(subs=many if decades < 0.9 else few, numticks=14))
    axis.xaxis.set_major_formatter("{x:g}×")
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

    `values` are `summary.block_values`; blocks in `noisy` (launch, block) are drawn as crosses.
    """
    lanes = group[:MOST_LANES]
    phases = [phase for phase in SHOWN if (values["phase"] == phase).any()]
    figure = Figure(figsize=(9, 1.2 + 2.0 * len(phases)), layout="constrained")
    axes = figure.subplots(len(phases), 1, sharex=True, squeeze=False)[:, 0]
    mine = values[values["case"].isin([lane.case.key for lane in lanes])]
    blocks = zip(mine["launch"], mine["block"], strict=True)
    order = mine.groupby(["launch", "block"]).ngroup()
    mine = mine.assign(x=order, noisy=[block in noisy for block in blocks])
    for axis, phase in zip(axes, phases, strict=True):
        for number, lane in enumerate(lanes):
            chosen = mine[(mine["case"] == lane.case.key) & (mine["phase"] == phase)]
            chosen = chosen.sort_values("x")
            x, seconds, bad = (chosen[name].to_numpy() for name in ("x", "seconds", "noisy"))
            style: Style = {"color": f"C{number}", "markersize": 4}
            axis.plot(x, seconds, "-", color=f"C{number}", alpha=0.35, linewidth=1)
            axis.plot(x[~bad], seconds[~bad], "o", **style)
            axis.plot(x[bad], seconds[bad], "x", **{**style, "markersize": 6})
            axis.plot([], [], "o-", **style, label=lane.case.label)
        axis.set_yscale("log")
        log_seconds_axis(axis.yaxis)
        axis.set_title(phase, fontsize=10)
        axis.grid(axis="y", alpha=0.3)
        for first in mine.groupby("launch")["x"].min()[1:]:
            axis.axvline(first - 0.5, color="#bbbbbb", linewidth=0.8)
    axes[-1].set_xlabel("block, in order of measurement; lines part launches, crosses are noisy")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    legend_above(figure)
    _footnote(figure, group)
    return figure
