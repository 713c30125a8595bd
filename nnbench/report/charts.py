"""The figures of a run, one function each; they read estimates, never clocks.

Every function takes the summaries of one comparison (same backend, device and threads) and
returns a matplotlib Figure. Error bars are the estimates' 95 % intervals; the footnote says what
stands behind them.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nnbench.phases import COLD, EPOCH, ONCE, PREPARE, STEP, ColdParts
from nnbench.show import ticks, units
from nnbench.show.palette import COLOURS, SERIES_COLOURS
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary

SHOWN = (COLD, EPOCH, STEP)
MARKERS = {COLD: "o", EPOCH: "s", STEP: "^"}
LABELLED = 6
"""More networks than this are told apart by colour and legend, not named one by one."""

MOST_ROWS = 60


def _footnote(figure: Figure, group: Sequence[CaseSummary]) -> None:
    times = [time for summary in group for time in summary.times.values()]
    blocks = sorted({time.blocks for time in times})
    launches = sorted({time.launches for time in times})
    case = group[0].case
    text = (
        f"{case.place}; {case.data}, {case.rows:,} rows, "
        f"{case.batch_rows:,} a batch. 95 % intervals; each figure from {_span(blocks)} blocks "
        f"in {_span(launches)} launches."
    )
    figure.supxlabel(text, fontsize=8, color="#555555", x=0.01, ha="left")


def _span(values: Sequence[int]) -> str:
    if not values:
        return "no"
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _seconds_axis(setter: Callable[[FuncFormatter], None]) -> None:
    setter(FuncFormatter(lambda value, _: units.seconds(value)))


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
    names = [*ONCE, "later steps", "epoch overhead", "rest"]
    positions = np.arange(len(rows))[::-1]
    left, below = np.zeros(len(rows)), np.zeros(len(rows))
    for name in names:
        widths = np.array([_part(parts, name) for _, parts in rows])
        # A part that came out below zero is drawn to the left of zero, not hidden.
        start = np.where(widths >= 0, left, below)
        axis.barh(
            positions,
            widths,
            left=start,
            height=0.66,
            color=COLOURS[name],
            edgecolor="#444444",
            linewidth=0.5,
            hatch="////" if name == "rest" else None,
            label=name,
        )
        left += np.maximum(widths, 0)
        below += np.minimum(widths, 0)
    wholes = [summary.times[COLD] for summary, _ in rows]
    axis.errorbar(
        [whole.value for whole in wholes],
        positions,
        xerr=_bars(wholes),
        fmt="D",
        color="black",
        markersize=4.5,
        capsize=3,
        linewidth=1,
        label="whole, timed separately",
    )
    axis.set_yticks(positions, [summary.case.label for summary, _ in rows])
    axis.set_xlabel(f"cold training of {rows[0][0].case.cold_epochs} epochs")
    _seconds_axis(axis.xaxis.set_major_formatter)
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.axvline(0, color="black", linewidth=0.8)
    figure.legend(loc="outside upper center", ncols=5, fontsize=8, frameon=False)
    _footnote(figure, group)
    return figure


def _part(parts: ColdParts, name: str) -> float:
    others = {
        "later steps": parts.steps_s,
        "epoch overhead": parts.overhead_s,
        "rest": parts.rest_s,
    }
    return others[name] if name in others else parts.once_s[name]


def _bars(estimates: Sequence[Estimate]) -> np.ndarray:
    """Lengths below and above for `errorbar`, shape (2, n); 0 where there is no interval."""
    pairs = [
        (one.value - one.low, one.high - one.value) if one.has_interval else (0.0, 0.0)
        for one in estimates
    ]
    return np.array(pairs).T.reshape(2, -1)


def against_parameters(group: Sequence[CaseSummary]) -> Figure:
    """Cold, epoch and step time against the number of parameters, both axes logarithmic."""
    return _against(
        group,
        lambda summary: summary.parameters or 1,
        "parameters",
        lambda summary: f"depth {_depth(summary)}",
        log=True,
    )


def _depth(summary: CaseSummary) -> int:
    architecture = summary.case.architecture
    return architecture.depth if architecture else 0


def _width(summary: CaseSummary) -> int:
    architecture = summary.case.architecture
    return max(architecture.widths) if architecture else 0


def against_depth(group: Sequence[CaseSummary]) -> Figure:
    """Cold, epoch and step time against depth, the number of hidden layers."""
    return _against(
        group,
        _depth,
        "depth",
        lambda summary: f"width {_width(summary)}",
        log=False,
    )


def _against(
    group: Sequence[CaseSummary],
    measure: Callable[[CaseSummary], int],
    name: str,
    series_of: Callable[[CaseSummary], str],
    *,
    log: bool,
) -> Figure:
    """Time by `measure`. Few networks are named at their points; many are joined in series."""
    phases = [phase for phase in SHOWN if any(phase in summary.times for summary in group)]
    figure = Figure(figsize=(9, 3.7), layout="constrained")
    axes = figure.subplots(1, len(phases), squeeze=False)[0]
    for axis, phase in zip(axes, phases, strict=True):
        having = [summary for summary in group if phase in summary.times]
        if len(having) <= LABELLED:
            _points(axis, having, measure, phase, COLOURS[phase], MARKERS[phase])
        else:
            for number, series in enumerate(dict.fromkeys(map(series_of, having))):
                members = [summary for summary in having if series_of(summary) == series]
                colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
                _points(axis, members, measure, phase, colour, "o-", label=series)
        axis.set_yscale("log")
        if log:
            axis.set_xscale("log")
            axis.margins(x=0.3, y=0.2)
        else:
            axis.margins(x=0.22, y=0.2)
            axis.xaxis.get_major_locator().set_params(integer=True)
        _readable_log(axis)
        axis.set_title(phase, fontsize=11)
        axis.set_xlabel(name)
        axis.grid(alpha=0.3, which="both")
        if len(having) <= LABELLED:
            places = np.array([measure(summary) for summary in having], dtype=float)
            _label_points(axis, places, having, phase)
    axes[0].set_ylabel("time")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper center", ncols=8, fontsize=8, frameon=False
        )
    _footnote(figure, group)
    return figure


def _points(
    axis: Axes,
    summaries: Sequence[CaseSummary],
    measure: Callable[[CaseSummary], int],
    phase: str,
    colour: str,
    style: str,
    label: str | None = None,
) -> None:
    ordered = sorted(summaries, key=measure)
    times = [summary.times[phase] for summary in ordered]
    axis.errorbar(
        [measure(summary) for summary in ordered],
        [time.value for time in times],
        yerr=_bars(times),
        fmt=style,
        color=colour,
        markersize=5,
        capsize=2,
        linewidth=1,
        label=label,
    )


def _readable_log(axis: Axes) -> None:
    axis.yaxis.set_major_locator(ticks.logarithmic(*axis.get_ylim()))
    _seconds_axis(axis.yaxis.set_major_formatter)
    axis.yaxis.set_minor_formatter(NullFormatter())


def _label_points(
    axis: Axes, places: np.ndarray, having: Sequence[CaseSummary], phase: str
) -> None:
    """Name each point beside it; of two neighbours the left one to its left, so that they part."""
    axis.margins(x=0.28)
    order = np.lexsort((np.array([one.times[phase].value for one in having]), places))
    for turn, index in enumerate(order):
        summary = having[index]
        right = turn % 2 == 1
        axis.annotate(
            summary.case.label,
            (places[index], summary.times[phase].value),
            xytext=(6 if right else -6, 5 if right else -5),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if right else "top",
            fontsize=8,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0},
        )


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
        axis.errorbar(
            [ratio.value],
            [position],
            xerr=_bars([ratio]),
            fmt="o",
            color=COLOURS[phase] if phase != PREPARE else "#b8a900",
            markersize=5,
            capsize=3,
            linewidth=1.4,
        )
    axis.set_xscale("log")
    axis.axvline(1, color="black", linewidth=1)
    axis.set_yticks(positions, [f"{label}  {phase}" for label, phase, _ in rows], fontsize=8)
    low, high = axis.get_xlim()
    decades = np.log10(high / low)
    subdivisions: Sequence[float] = (1.0,) if decades > 3 else (1.0, 2.0, 5.0)
    if decades < 0.9:
        subdivisions = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.xaxis.set_major_locator(LogLocator(subs=subdivisions, numticks=14))
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


@dataclass(frozen=True)
class _Lane:
    label: str
    key: str


def samples(
    group: Sequence[CaseSummary], values: pd.DataFrame, marked: set[tuple[int, int]]
) -> Figure:
    """Every block's value in the order of measurement, a line for each network.

    `values` comes from `summary.block_values`; `marked` holds the (launch, block) pairs that the
    noise watch found contaminated: they are drawn as crosses. Vertical lines part launches.
    """
    lanes = [_Lane(summary.case.label, summary.case.key) for summary in group]
    lanes = lanes[:8]
    phases = [phase for phase in SHOWN if (values["phase"] == phase).any()]
    figure = Figure(figsize=(9, 1.2 + 2.0 * len(phases)), layout="constrained")
    axes = figure.subplots(len(phases), 1, sharex=True, squeeze=False)[:, 0]
    mine = values[values["case"].isin([lane.key for lane in lanes])]
    blocks = sorted(set(zip(mine["launch"], mine["block"], strict=True)))
    place = {block: number for number, block in enumerate(blocks)}
    for axis, phase in zip(axes, phases, strict=True):
        for number, lane in enumerate(lanes):
            chosen = mine[(mine["case"] == lane.key) & (mine["phase"] == phase)]
            keys = list(zip(chosen["launch"], chosen["block"], strict=True))
            spots = np.array([place[key] for key in keys])
            seconds = chosen["seconds"].to_numpy()
            order = np.argsort(spots)
            colour = f"C{number}"
            axis.plot(spots[order], seconds[order], "-", color=colour, alpha=0.35, linewidth=1)
            bad = np.array([key in marked for key in keys], dtype=bool)
            axis.plot(spots[~bad], seconds[~bad], "o", color=colour, markersize=4)
            axis.plot(spots[bad], seconds[bad], "x", color=colour, markersize=6)
            axis.plot([], [], "o-", color=colour, markersize=4, label=lane.label)
        axis.set_yscale("log")
        _readable_log(axis)
        axis.set_title(phase, fontsize=10)
        axis.grid(axis="y", alpha=0.3)
        for earlier, later in itertools.pairwise(blocks):
            if earlier[0] != later[0]:
                axis.axvline(place[later] - 0.5, color="#bbbbbb", linewidth=0.8)
    axes[-1].set_xlabel("block, in order of measurement; lines part launches, crosses are noisy")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(8, len(lanes)), frameon=False
    )
    _footnote(figure, group)
    return figure
