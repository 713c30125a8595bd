"""The figure of a tuning: each setting's time of an epoch as a ratio to the present one."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from nnbench.show import figures, units
from nnbench.show.palette import SERIES_COLOURS
from nnbench.tune.finding import Finding, Setting
from nnbench.tune.words import now

SAME, CHANGING, NOW = SERIES_COLOURS[0], SERIES_COLOURS[1], "#555555"
MOST_BARS = 28

REACH = 1.6
"""The axis goes on so many times beyond the bars."""


def ratios(found: Finding) -> Figure:
    """A bar a setting on a logarithmic axis, from 1 to its ratio; the fastest on top."""
    shown = [one for one in found.settings if one is not found.present]
    # The slowest would stretch the axis: what counts is how the fastest differ.
    shown = shown[: MOST_BARS - 1]
    shown.append(found.present)
    shown.sort(key=lambda one: -one.ratio.value)
    figure = Figure(figsize=(9, 1.6 + 0.27 * len(shown)), layout="constrained")
    axis = figure.subplots()
    for place, one in enumerate(shown):
        _bar(found, axis, place, one)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_xscale("log")
    # The interval of few launches may go on beyond the axis.
    values = [1.0, *(one.ratio.value for one in shown)]
    axis.set_xlim(min(values) / REACH, max(values) * REACH)
    axis.xaxis.set_major_locator(figures.log_ticks(*axis.get_xlim()))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks(range(len(shown)), [_name(found, one) for one in shown], fontsize=8)
    axis.set_ylim(-0.7, len(shown) - 0.3)
    axis.set_xlabel("time of an epoch, now = 1: left is faster")
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    labels = {"same training": SAME, "changes the training": CHANGING}
    for label, colour in labels.items():
        if any(_colour(found, one) == colour for one in shown):
            axis.barh([0], [0], left=1, color=colour, label=label)
    figures.legend_above(figure)
    case = found.present.case
    launches = figures.span(one.ratio.launches for one in shown)
    figures.footnote(
        figure,
        f"now: {now(found)}; {case.device}; {case.data}, {found.rows:,} rows. 95 % intervals of "
        f"paired ratios, {launches} launches.",
    )
    return figure


def _bar(found: Finding, axis: Axes, place: int, one: Setting) -> None:
    ends = sorted((one.ratio.value, 1.0))
    chosen = one in [each.setting for each in found.answers]
    style: dict[str, Any] = {"height": 0.62, "alpha": 0.9 if chosen else 0.45}
    axis.barh(place, ends[1] - ends[0], left=ends[0], color=_colour(found, one), **style)
    if one is not found.present:
        bar: dict[str, Any] = {"color": "black", "capsize": 2.5, "linewidth": 1.0}
        axis.errorbar(one.ratio.value, place, xerr=figures.bar_lengths([one.ratio]), **bar)


def _name(found: Finding, one: Setting) -> str:
    if one is found.present:
        return f"{one.name} (now)   1"
    return f"{one.name}   {units.ratio(one.ratio.value)}"


def _colour(found: Finding, one: Setting) -> str:
    if one is found.present:
        return NOW
    return SAME if one.keeps else CHANGING
