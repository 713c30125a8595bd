"""The figures of a race: loss against wall-clock, and time against loss."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from nnbench.race.time_to_loss import CLOCKS, COLD, TRAINED, Race, Racer
from nnbench.show import figures, units
from nnbench.show.palette import SERIES_COLOURS
from nnbench.stats.median import Median

TIMES = {TRAINED: "time, steady epochs only", COLD: "time from nothing, once-costs too"}
STYLES = ("-", "--", ":")


def loss_against_time(race: Race) -> Figure:
    """Median loss of each network against both clocks, with intervals over seeds and the target."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    target = race.shown(race.target)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        for number, racer in enumerate(race.racers):
            _band(axis, race, racer, clock, number)
            time = racer.time_to(race.target, clock)
            if time.reached:
                axis.plot([time.value], [target], "o", color=_colour(number), markersize=6)
        if math.isfinite(target):
            axis.axhline(target, color="black", linewidth=0.8, linestyle="--")
        _dress(axis, clock, TIMES[clock])
    _loss_axis(axes[0])
    own = race.goal.metric is not None or race.case.architecture is None
    axes[0].set_ylabel(race.goal.name + ("" if own else f" ({race.case.training.loss})"))
    if math.isfinite(target):
        position = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        text = f"target {target:.3g}"
        axes[0].annotate(text, (0.01, target), (0, 3), fontsize=8, **position)
    figures.legend_above(figure)
    _footnote(figure, race)
    return figure


def _band(axis: Axes, race: Race, racer: Racer, clock: str, number: int) -> None:
    moments_s = race.moments_s(clock)
    first_s = min(float(curve.clock(clock)[0]) for curve in racer.curves)
    moments_s = moments_s[(moments_s >= first_s) & (moments_s <= racer.whole(clock).value)]
    middle, low, high = racer.band(moments_s, clock)
    shown = np.isfinite(middle)
    finite = shown & np.isfinite(high)
    colour, style = _colour(number), STYLES[number // len(SERIES_COLOURS) % len(STYLES)]
    middle, low, high = (race.goal.sign * each for each in (middle, low, high))
    band = moments_s[finite], low[finite], high[finite]
    axis.fill_between(*band, color=colour, alpha=0.18, linewidth=0)
    line = moments_s[shown], middle[shown]
    axis.plot(*line, style, color=colour, linewidth=1.6, label=racer.name)


def pareto(race: Race) -> Figure:
    """Time and loss after all epochs, with intervals over seeds; unbeaten networks are joined."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        front = race.front(clock)
        corners = [
            (one.whole(clock).value, race.shown(one.final_loss.value))
            for one in front
            if one.final_loss.reached
        ]
        axis.step(*zip(*corners, strict=True), where="post", color="#999999", zorder=1)
        points = [
            (racer.whole(clock), racer.final_loss, racer, _colour(number))
            for number, racer in enumerate(race.racers)
            if racer.final_loss.reached
        ]
        points.sort(key=lambda point: (point[0].value, point[1].value))
        for turn, (time, loss, racer, colour) in enumerate(points):
            point = (time.value, race.shown(loss.value))
            _point(axis, race, time, loss, colour, filled=racer in front)
            figures.name_point(axis, racer.name, point, right=turn % 2 == 0)
        axis.margins(x=0.22, y=0.14)
        _dress(axis, clock, f"time for {race.epochs:,} epochs")
    _loss_axis(axes[0])
    axes[0].set_ylabel(f"{race.goal.name} at the end")
    _footnote(figure, race)
    return figure


def _point(
    axis: Axes, race: Race, time: Median, loss: Median, colour: str, *, filled: bool
) -> None:
    # An infinite end (a seed that diverged) cannot be drawn: the bar ends at the point.
    high = loss.high if np.isfinite(loss.high) else loss.value
    up = [[loss.value - loss.low], [high - loss.value]][:: race.goal.sign]
    across = figures.bar_lengths([time])
    style: dict[str, Any] = {"fmt": "o", "markersize": 7, "capsize": 3, "linewidth": 1.1}
    inside = colour if filled else "white"
    point = [time.value], [race.shown(loss.value)]
    axis.errorbar(*point, up, across, color=colour, markerfacecolor=inside, **style)


def _colour(number: int) -> str:
    return SERIES_COLOURS[number % len(SERIES_COLOURS)]


def _dress(axis: Axes, clock: str, label: str) -> None:
    axis.set_xscale("log")
    decades = np.subtract(*np.log10(axis.get_xlim()[::-1]))
    few = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    subdivisions = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0) if decades < 0.8 else few
    axis.xaxis.set_major_locator(LogLocator(subs=subdivisions, numticks=12))
    axis.xaxis.set_minor_formatter(NullFormatter())
    figures.seconds_axis(axis.xaxis)
    axis.set_title(clock, fontsize=11)
    axis.set_xlabel(label)
    axis.grid(alpha=0.3)


def _loss_axis(axis: Axes) -> None:
    if axis.dataLim.ymin > 0:
        axis.set_yscale("log")
        figures.log_numbers_axis(axis.yaxis)


def _footnote(figure: Figure, race: Race) -> None:
    case, seeds = race.case, len(race.racers[0].curves)
    figures.footnote(
        figure,
        f"{case.context}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. Medians "
        f"over {seeds} seeds with {units.share(race.confidence)} intervals of order statistics.",
    )
