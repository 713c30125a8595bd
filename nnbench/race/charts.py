"""The figures of a race: loss against wall-clock, and time against loss."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from nnbench.race.analysis import Outcome, Standing
from nnbench.race.time_to_loss import CLOCKS, COLD, TRAINED
from nnbench.show import figures, ticks, units
from nnbench.show.palette import SERIES_COLOURS

TIMES = {
    TRAINED: "time, steady epochs only",
    COLD: "time from nothing, once-costs too",
}
STYLES = ("-", "--", ":")


def loss_against_time(outcome: Outcome) -> Figure:
    """Median loss of each network against both clocks, with its interval over seeds.

    The target is a line; where a median gets to it is marked.
    """
    target = outcome.target_loss
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        for number, one in enumerate(outcome.standings):
            _band(axis, one, clock, number)
            time = one.time_to_target_s[clock]
            if time.reached:
                axis.plot([time.value], [target], "o", color=_colour(number), markersize=6)
        if math.isfinite(target):
            axis.axhline(target, color="black", linewidth=0.8, linestyle="--")
        _dress(axis, clock, TIMES[clock])
    _loss_axis(axes[0])
    axes[0].set_ylabel(f"loss ({outcome.race.racers[0].case.training.loss})")
    if math.isfinite(target):
        position = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes[0].annotate(f"target {target:.3g}", (0.01, target), (0, 3), fontsize=8, **position)
    figures.legend_above(figure)
    _footnote(figure, outcome)
    return figure


def _band(axis: Axes, one: Standing, clock: str, number: int) -> None:
    moments_s, losses = one.band[clock]
    middle, high = (np.array([getattr(loss, end) for loss in losses]) for end in ("value", "high"))
    low = np.array([loss.low for loss in losses])
    shown, finite = np.isfinite(middle), np.isfinite(high)
    colour, style = _colour(number), STYLES[number // len(SERIES_COLOURS) % len(STYLES)]
    axis.fill_between(
        moments_s[finite], low[finite], high[finite], color=colour, alpha=0.18, linewidth=0
    )
    axis.plot(
        moments_s[shown], middle[shown], style, color=colour, linewidth=1.6, label=one.racer.label
    )


def pareto(outcome: Outcome) -> Figure:
    """Time for all epochs against the loss at their end, with intervals over seeds.

    Networks that no other beats in both are joined.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        front = outcome.front[clock]
        having = [one for one in outcome.standings if one.racer.final_loss.reached]
        having.sort(key=lambda one: one.time_for_all_epochs_s[clock].value)
        corners = [one for one in having if one.racer in front]
        axis.step(
            [one.time_for_all_epochs_s[clock].value for one in corners],
            [one.racer.final_loss.value for one in corners],
            where="post",
            color="#999999",
            linewidth=1.2,
            zorder=1,
        )
        for turn, one in enumerate(having):
            colour = _colour(outcome.standings.index(one))
            _point(axis, one, clock, colour, filled=one.racer in front, above=turn % 2 == 0)
        axis.margins(x=0.22, y=0.14)
        _dress(axis, clock, f"time for {outcome.race.epochs:,} epochs")
    _loss_axis(axes[0])
    axes[0].set_ylabel("loss at the end")
    _footnote(figure, outcome)
    return figure


def _point(
    axis: Axes, one: Standing, clock: str, colour: str, *, filled: bool, above: bool
) -> None:
    time, loss = one.time_for_all_epochs_s[clock], one.racer.final_loss
    # An infinite end (a seed that diverged) cannot be drawn: the bar ends at the point.
    high = loss.high if np.isfinite(loss.high) else loss.value
    axis.errorbar(
        [time.value],
        [loss.value],
        xerr=figures.bar_lengths([time]),
        yerr=[[loss.value - loss.low], [high - loss.value]],
        fmt="o",
        color=colour,
        markerfacecolor=colour if filled else "white",
        markersize=7,
        capsize=3,
        linewidth=1.1,
    )
    axis.annotate(
        one.racer.label,
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


def _dress(axis: Axes, clock: str, label: str) -> None:
    axis.set_xscale("log")
    figures.log_seconds_axis(axis.xaxis)
    axis.set_title(clock, fontsize=11)
    axis.set_xlabel(label)
    axis.grid(alpha=0.3)


def _loss_axis(axis: Axes) -> None:
    if axis.dataLim.ymin <= 0:
        return
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(ticks.logarithmic(*axis.get_ylim()))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def _footnote(figure: Figure, outcome: Outcome) -> None:
    case, seeds = outcome.race.racers[0].case, len(outcome.race.racers[0].curves)
    figures.footnote(
        figure,
        f"{outcome.context}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. Medians "
        f"over {seeds} seeds with {units.share(outcome.confidence)} intervals of order statistics.",
    )
