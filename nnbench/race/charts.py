"""The figures of a race: loss against wall-clock, and time against loss."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from nnbench.race.time_to_loss import CLOCKS, TRAINED, Race, Racer
from nnbench.show import ticks, units
from nnbench.show.palette import SERIES_COLOURS

STYLES = ("-", "--", ":")

FEW_DECADES = 2.5


def loss_against_time(race: Race, target: float | None) -> Figure:
    """Median loss of each network against both clocks, with its interval over seeds.

    The target is a line; where a median gets to it is marked.
    """
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        for number, racer in enumerate(race.racers):
            _band(axis, race, racer, clock, number)
            time = racer.time_to(target, clock) if target is not None else None
            if time is not None and time.reached:
                axis.plot([time.value], [target], "o", color=_colour(number), markersize=6)
        if target is not None:
            axis.axhline(target, color="black", linewidth=0.8, linestyle="--")
        axis.set_xscale("log")
        time_axis(axis, race, clock)
        axis.set_xlabel(
            "time, steady epochs only" if clock == TRAINED else "time from nothing, once-costs too"
        )
        axis.set_title(clock, fontsize=11)
        axis.grid(alpha=0.3)
    _loss_axis(axes[0])
    axes[0].set_ylabel(f"loss ({race.racers[0].case.training.loss})")
    if target is not None:
        axes[0].annotate(
            f"target {target:.3g}",
            (0.01, target),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=8,
        )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=8, fontsize=9, frameon=False)
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
    axis.fill_between(
        moments_s[finite], low[finite], high[finite], color=colour, alpha=0.18, linewidth=0
    )
    axis.plot(
        moments_s[shown], middle[shown], style, color=colour, linewidth=1.6, label=racer.label
    )


def pareto(race: Race) -> Figure:
    """Time for all epochs against the loss at their end, with intervals over seeds.

    Networks that no other beats in both are joined.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        front = race.front(clock)
        corners_s = [one.whole(clock).value for one in front]
        axis.step(
            corners_s,
            [one.final_loss().value for one in front],
            where="post",
            color="#999999",
            linewidth=1.2,
            zorder=1,
        )
        having = [one for one in race.racers if one.final_loss().reached]
        order = sorted(having, key=lambda one: (one.whole(clock).value, one.final_loss().value))
        for turn, racer in enumerate(order):
            _point(axis, race, racer, clock, racer in front, turn % 2 == 0)
        axis.set_xscale("log")
        axis.margins(x=0.22, y=0.14)
        time_axis(axis, race, clock)
        axis.set_title(clock, fontsize=11)
        axis.set_xlabel(f"time for {race.epochs:,} epochs")
        axis.grid(alpha=0.3)
    _loss_axis(axes[0])
    axes[0].set_ylabel("loss at the end")
    _footnote(figure, race)
    return figure


def _point(axis: Axes, race: Race, racer: Racer, clock: str, on_front: bool, above: bool) -> None:
    time, loss = racer.whole(clock), racer.final_loss()
    # An infinite end (a seed that diverged) cannot be drawn: the bar ends at the point.
    high = loss.high if np.isfinite(loss.high) else loss.value
    colour = _colour(list(race.racers).index(racer))
    axis.errorbar(
        [time.value],
        [loss.value],
        xerr=[[time.value - time.low], [time.high - time.value]],
        yerr=[[loss.value - loss.low], [high - loss.value]],
        fmt="o",
        color=colour,
        markerfacecolor=colour if on_front else "white",
        markersize=7,
        capsize=3,
        linewidth=1.1,
    )
    axis.annotate(
        racer.label,
        (time.value, loss.value),
        xytext=(7 if above else -7, 5 if above else -5),
        textcoords="offset points",
        ha="left" if above else "right",
        va="bottom" if above else "top",
        fontsize=9,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0},
    )


def _colour(number: int) -> str:
    return SERIES_COLOURS[number % len(SERIES_COLOURS)]


def time_axis(axis: Axes, race: Race, clock: str) -> None:
    """Ticks of a logarithmic time axis, written in seconds, few enough to be read."""
    low, high = axis.get_xlim()
    decades = np.log10(high / low)
    subdivisions: tuple[float, ...] = (1.0,) if decades > FEW_DECADES else (1.0, 2.0, 5.0)
    if decades < 0.8:
        subdivisions = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    axis.xaxis.set_major_locator(LogLocator(subs=subdivisions, numticks=12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.seconds(value)))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _loss_axis(axis: Axes) -> None:
    if axis.dataLim.ymin <= 0:
        return
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(ticks.logarithmic(*axis.get_ylim()))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def _footnote(figure: Figure, race: Race) -> None:
    case = race.racers[0].case
    seeds = len(race.racers[0].curves)
    confidence = units.share(race.racers[0].whole().confidence)
    text = (
        f"{case.place}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. Medians "
        f"over {seeds} seeds with {confidence} intervals of order statistics."
    )
    figure.supxlabel(text, fontsize=8, color="#555555", x=0.01, ha="left")
