"""The figures of a cost model, one function each."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import geometric_mean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from nnbench.costs import words
from nnbench.costs.context import Context
from nnbench.costs.model import PhaseModel, around
from nnbench.costs.questions import DEPTHS, answered_depths
from nnbench.costs.terms import FIRST_EPOCH, FLOPS, LAYERS
from nnbench.phases import COLD, COMPILE, EPOCH, ONCE, STEP
from nnbench.show import units
from nnbench.show.figures import bar_lengths, footnote
from nnbench.show.palette import COLOURS, LIGHT_ON_FILLS, SERIES_COLOURS
from nnbench.workload.architecture import Architecture

SHADES = "viridis"
GRID_WIDTHS, GRID_DEPTHS = 22, 16

Array = NDArray[np.float64]


def heat_maps(context: Context) -> Figure:
    """Predicted times by depth and width; circles were timed with these batches, crosses not."""
    phases = [phase for phase in (STEP, COLD, COMPILE) if phase in (COLD, *context.model.phases)]
    figure = Figure(figsize=(4.2 * len(phases), 4.3), layout="constrained")
    axes = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    depths = _spaced(1, context.deepest, GRID_DEPTHS)
    widths = _spaced(context.narrowest, context.widest, GRID_WIDTHS)
    for axis, phase in zip(axes, phases, strict=True):
        times_s = np.array(
            [[_time_s(context, depth, width, phase) for width in widths] for depth in depths]
        )
        _heat(axis, figure, widths, depths, times_s)
        _timed(axis, context, phase, times_s)
        axis.set_title(f"{phase}, {context.epochs:,} epochs" if phase == COLD else phase)
        axis.set_xlabel("width")
    axes[0].set_ylabel("depth")
    footnote(
        figure,
        f"{words.where(context)}. Circles: timed with these rows and batches, in the colour of "
        "the measured time; crosses: timed with others.",
    )
    return figure


def _spaced(low: int, high: int, count: int) -> list[int]:
    return sorted({int(one) for one in np.geomspace(low, max(high, low + 1), count).round()})


def _time_s(context: Context, depth: int, width: int, phase: str) -> float:
    one = Architecture((width,) * depth)
    if phase == COMPILE:
        return context.model.phases[COMPILE].predict(context.counted(one)).seconds.value
    found = context.predict(one)
    return (found.step_s if phase == STEP else found.total_s).value


def _heat(
    axis: Axes, figure: Figure, widths: Sequence[int], depths: Sequence[int], times_s: Array
) -> None:
    low, high = float(times_s.min()), float(times_s.max())
    norm = _norm(times_s)
    axis.pcolormesh(widths, depths, times_s, norm=norm, cmap=SHADES, shading="gouraud")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    levels = _levels(low, high)
    if levels:
        lines = axis.contour(
            widths, depths, times_s, levels=levels, colors=LIGHT_ON_FILLS, linewidths=0.9
        )
        axis.clabel(lines, fmt=_short, fontsize=8)
    shown = [2**power for power in range(0, 21, 2) if widths[0] <= 2**power <= widths[-1]]
    _ticks(axis.xaxis, shown or [widths[0], widths[-1]])
    _ticks(axis.yaxis, [one for one in DEPTHS if one <= depths[-1]])
    bar = figure.colorbar(ScalarMappable(norm, SHADES), ax=axis, location="bottom", aspect=30)
    _ticks(bar.ax.xaxis, _round(low, high, 4), _short)
    bar.ax.tick_params(labelsize=8)


def _levels(low: float, high: float) -> list[float]:
    decades = math.log10(high / low)
    factors = (1.0,) if decades > 4 else (1.0, 3.0) if decades > 1.5 else (1.0, 1.5, 2.0, 3.0, 5.0)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [f * 10.0**p for p in powers for f in factors if 1.05 * low < f * 10.0**p < 0.95 * high]


def _round(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    tenths = tuple(1 + tenth / 10 for tenth in range(90))
    for factors in (tenths, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        ticks = [f * 10.0**p for p in range(first, last + 1) for f in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= most:
            return inside
    return inside[:: -(-len(inside) // most)]


def _ticks(
    axis: Axis, at: Sequence[float], written: Callable[[float], str] = "{:g}".format
) -> None:
    axis.set_major_locator(FixedLocator(at))
    axis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axis.set_minor_locator(NullLocator())


def _short(value_s: float) -> str:
    number, unit = units.seconds(value_s).split(" ")
    return f"{float(number.replace(',', '')):g} {unit}"


def _short_flops(value: float) -> str:
    return re.sub(r"\.0+ ", " ", units.flops(value))


def _timed(axis: Axes, context: Context, phase: str, times_s: Array) -> None:
    here = context.case(Architecture((context.narrowest,)))
    shape = here.batch_rows, here.steps_per_epoch
    same, others = [], set()
    for one in context.model.observed:
        if one.case.architecture is None or not one.case.is_dense_chain:
            continue
        depth, width = one.case.architecture.depth, geometric_mean(one.case.architecture.widths)
        measured_s = _measured_s(one.times_s, phase, context.epochs)
        alike = (one.case.batch_rows, one.case.steps_per_epoch) == shape
        if alike and measured_s is not None:
            same.append((width, depth, measured_s))
        else:
            others.add((width, depth))
    if others:
        spots = np.array(sorted(others)).T
        axis.plot(*spots, "x", color=LIGHT_ON_FILLS, markersize=3.5, alpha=0.75, clip_on=False)
    if same:
        widths, depths, measured = np.array(same).T
        colours: dict[str, Any] = {"c": measured, "norm": _norm(times_s), "cmap": SHADES}
        edges: dict[str, Any] = {"edgecolors": LIGHT_ON_FILLS, "linewidths": 1.2}
        axis.scatter(widths, depths, s=48, zorder=3, clip_on=False, **colours, **edges)


def _norm(times_s: Array) -> LogNorm:
    low = float(times_s.min())
    return LogNorm(low, max(float(times_s.max()), 1.001 * low))


def _measured_s(times: Mapping[str, float], phase: str, epochs: int) -> float | None:
    if phase != COLD or EPOCH not in times:
        return times.get(phase)
    return float(sum(times.get(once, 0.0) for once in ONCE) + epochs * times[EPOCH])


def roofline(context: Context, product_flops_per_s: float | None = None) -> Figure:
    """Achieved FLOP/s of every timed step against its FLOPs.

    Rising lines: nothing but overhead (shallowest, deepest network); level: nothing but compute.
    """
    figure = Figure(figsize=(8.5, 5), layout="constrained")
    axis = figure.subplots()
    model = context.model.phases[STEP]
    flops = np.array([float(one.count.flops) for one in model.cases])
    achieved = flops / model.times_s
    depths = np.array([sum(one.step[term] for term in LAYERS.values()) for one in model.cases])
    colours: dict[str, Any] = {"c": depths, "norm": LogNorm(1, max(2, depths.max()))}
    edges: dict[str, Any] = {"edgecolors": "#333333", "linewidths": 0.5}
    shown = axis.scatter(flops, achieved, cmap=SHADES, s=30, zorder=3, **colours, **edges)
    span = np.geomspace(flops.min() / 1.5, flops.max() * 1.5, 60)
    for depth, style in ((1, "-"), (context.deepest, "--")):
        overhead_s = _overhead_s(context, depth)
        if overhead_s > 0:
            label = f"overhead alone, depth {depth}: {units.seconds(overhead_s)} a step"
            colour = COLOURS["epoch overhead"]
            axis.plot(span, span / overhead_s, style, color=colour, linewidth=1.5, label=label)
    dense = model.coefficients.get(FLOPS["dense"])
    rates = [("the model's FLOPs", 1 / dense.value, "-", COLOURS[STEP])] if dense else []
    if product_flops_per_s:
        rates.append(("matrix product, measured", product_flops_per_s, ":", "black"))
    for name, rate, style, colour in rates:
        label = f"{name}: {units.flops(rate)}/s"
        axis.axhline(rate, color=colour, linewidth=1.5, linestyle=style, label=label)
    top = max([float(achieved.max()), *(rate for _, rate, _, _ in rates)])
    axis.set(xscale="log", xlim=(span[0], span[-1]), xlabel="FLOPs of a step")
    axis.set(yscale="log", ylim=(achieved.min() / 2, 3 * top), ylabel="achieved FLOP/s")
    _ticks(axis.xaxis, _round(*axis.get_xlim(), 6), _short_flops)
    _ticks(axis.yaxis, _round(*axis.get_ylim(), 6), lambda value: f"{_short_flops(value)}/s")
    axis.grid(alpha=0.3)
    bar = figure.colorbar(shown, ax=axis, label="layers", aspect=30)
    _ticks(bar.ax.yaxis, [depth for depth in DEPTHS if depth <= depths.max()])
    axis.legend(fontsize=8, loc="lower right")
    footnote(
        figure,
        f"{words.where(context).partition(';')[0]}; every timed step, of all rows and batches: "
        f"{len(flops)} timings.",
    )
    return figure


def _overhead_s(context: Context, depth: int) -> float:
    alone = replace(context, rows=2, batch_size=None).counted(Architecture((2,) * depth))
    return float(context.model.phases[STEP].plain_s([alone])[1][0])


def overhead_share(context: Context) -> Figure:
    """Which part of a predicted epoch is overhead, against parameters, a line a depth."""
    figure = Figure(figsize=(8.5, 4.4), layout="constrained")
    axis = figure.subplots()
    widths = _spaced(context.narrowest, context.widest, GRID_WIDTHS)
    shown = answered_depths(context)[:: 2 if context.deepest > 8 else 1]
    for number, depth in enumerate(shown):
        networks = [Architecture((width,) * depth) for width in widths]
        sizes = [context.parameters(one) for one in networks]
        percents = [100 * context.predict(one).overhead_share for one in networks]
        style: dict[str, Any] = {"markersize": 3.5, "linewidth": 1.4, "label": f"depth {depth}"}
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        axis.plot(sizes, percents, "o-", color=colour, **style)
    axis.set(xscale="log", xlabel="parameters")
    axis.set(ylim=(-2, 102), ylabel="overhead, % of an epoch")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9, ncols=2)
    footnote(figure, f"{words.where(context)}. Overhead: paid whatever the width of the layers.")
    return figure


def residuals(context: Context) -> Figure:
    """Each timing against what is predicted of it from all others, by phase, with intervals."""
    phases = [phase for phase in (*ONCE, FIRST_EPOCH, STEP, EPOCH) if phase in context.model.phases]
    columns = min(4, len(phases))
    lines = -(-len(phases) // columns)
    figure = Figure(figsize=(3 * columns, 0.5 + 2.9 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axis, phase in zip(grid.flat, phases, strict=False):
        _residuals(axis, context.model.phases[phase])
        axis.set_title(phase, fontsize=10)
    for axis in grid.flat[len(phases) :]:
        axis.set_axis_off()
    for axis in grid[:, 0]:
        axis.set_ylabel("predicted / measured", fontsize=9)
    footnote(
        figure,
        f"{words.where(context).partition(';')[0]}. Each point is predicted from all others, with "
        "its 95 % interval; dotted: 10 % off.",
    )
    return figure


def _residuals(axis: Axes, model: PhaseModel) -> None:
    log_reaches = model.quantile * model.left_out_deviations()
    found = [
        around(1 + float(error), float(reach))
        for error, reach in zip(model.left_out_errors(), log_reaches, strict=True)
    ]
    colour = COLOURS.get(model.phase, "#0072b2") if model.phase != "prepare" else "#b8a900"
    style: dict[str, Any] = {"fmt": "o", "markersize": 3.5, "linewidth": 0.7, "alpha": 0.8}
    values, reaches = [one.value for one in found], bar_lengths(found)
    axis.errorbar(model.times_s, values, yerr=reaches, color=colour, **style)
    axis.axhline(1, color="black", linewidth=1)
    for edge in (1 / 1.1, 1.1):
        axis.axhline(edge, color="#777777", linewidth=0.8, linestyle=":")
    axis.set(xscale="log", yscale="log")
    # A few wild intervals would flatten all others.
    low = min(max(min(one.low for one in found), 0.1), 0.8)
    high = max(min(max(one.high for one in found), 10.0), 1.25)
    axis.set_ylim(low / 1.05, high * 1.05)
    near = [] if high / low > 6 else [0.8, 1.25]
    _ticks(axis.yaxis, [0.1, 0.2, 0.5, 1, 2, 5, 10, *near], "{:g}×".format)
    _ticks(axis.xaxis, _round(*axis.get_xlim(), 3), _short)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
