"""Waterfall charts: from no difference, part by part, to the whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnbench.explain.attribution import Attribution
from nnbench.explain.by_layer import StepByLayer
from nnbench.show import units
from nnbench.show.figures import bar_lengths, footnote, save_figure, seconds_axis
from nnbench.show.text import file_name, shortened
from nnbench.stats.interval import Interval

MORE, LESS, WHOLE = "#d55e00", "#0072b2", "#555555"


def waterfall(found: Attribution) -> Figure:
    """A bar a part, each beginning where the one before ended, with its 95 % interval."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    axis = figure.subplots()
    names, parts = [*found.parts, "whole"], [*found.parts.values(), found.whole]
    for position, part, start, colour in _falling(parts):
        level = start + part.value
        axis.bar(position, part.value, bottom=start, width=0.62, color=colour, alpha=0.85)
        if part.has_interval:
            reach = bar_lengths([part])
            axis.errorbar(position, level, yerr=reach, color="black", capsize=4, linewidth=1.2)
        if part is not parts[-1]:
            axis.plot(
                [position + 0.31, position + 0.69], [level, level], color="#888888", linewidth=0.8
            )
        reach_s = part.high - part.value if part.has_interval else 0.0
        end = level + reach_s if part.value >= 0 else level - reach_s
        _label(axis, position, part.value, max(start, end) if part.value >= 0 else min(start, end))
    axis.margins(y=0.12)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(parts)), [name.replace(" ", "\n") for name in names], fontsize=9)
    seconds_axis(axis.yaxis)
    axis.set_ylabel(f"{found.second} minus {found.first}")
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    case = found.first_case
    cold_s = units.seconds(found.first_cold_s), units.seconds(found.second_cold_s)
    title = f"{found.first} {cold_s[0]}, {found.second} {cold_s[1]}"
    axis.set_title(f"Cold, {case.cold_epochs} epochs: {title}", fontsize=11)
    footnote(
        figure,
        f"{case.context}; {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch. 95 % "
        f"intervals from {found.sampled}; rest is what no part explains.",
    )
    return figure


def _falling(parts: Sequence[Interval]) -> Iterator[tuple[int, Interval, float, str]]:
    """Place, part, where its bar begins and its colour; the last is the whole, from 0 on."""
    level = 0.0
    for place, part in enumerate(parts[:-1]):
        yield place, part, level, MORE if part.value > 0 else LESS
        level += part.value
    yield len(parts) - 1, parts[-1], 0.0, WHOLE


def _label(axis: Axes, position: int, value_s: float, at: float) -> None:
    more = value_s >= 0
    axis.annotate(
        f"{'+' if more else '-'}{units.seconds(abs(value_s))}",
        (position, at),
        xytext=(0, 3 if more else -3),
        textcoords="offset points",
        ha="center",
        va="bottom" if more else "top",
        fontsize=8,
    )


def by_layer(found: StepByLayer) -> Figure:
    """A bar a layer along the depth, each beginning where the one above ended, then the whole."""
    bars = [(one.name, one.difference_s) for one in found.parts] + [("whole step", found.whole)]
    figure = Figure(figsize=(10, 1.6 + 0.3 * len(bars)), layout="constrained")
    axis = figure.subplots()
    for place, part, start, colour in _falling([part for _, part in bars]):
        level = start + part.value
        axis.barh(place, part.value, left=start, height=0.7, color=colour, alpha=0.85)
        if part.has_interval:
            reach = bar_lengths([part])
            axis.errorbar(level, place, xerr=reach, color="black", capsize=3, linewidth=1)
        if place < len(bars) - 1:
            axis.plot([level, level], [place + 0.35, place + 0.65], color="#888888", linewidth=0.8)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(bars)), [shortened(name) for name, _ in bars], fontsize=8)
    axis.set_ylim(len(bars) - 0.4, -0.6)
    seconds_axis(axis.xaxis)
    axis.set_xlabel("B minus A in a step, added up from the input on")
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    case = found.first_case
    launches = "one launch" if found.launches == 1 else f"{found.launches} launches"
    footnote(
        figure,
        f"A is {found.first}, B {found.second}; {case.context}; {case.data}, "
        f"{case.batch_rows:,} rows a batch.\n"
        f"{'95 % intervals from ' if found.launches > 1 else ''}{launches}.",
    )
    return figure


def write(found: Attribution, folder: Path) -> Path:
    """Draw it as a PNG in `folder`, named after what it explains."""
    case = found.second_case
    threads = [f"{case.threads}threads"] if case.threads else []
    parts = ["explain", case.backend, case.device, *threads, case.path]
    parts += [found.first_case.label, case.label] if case != found.first_case else [case.label]
    path = folder / (file_name("-".join(parts).replace(",", "_")) + ".png")
    save_figure(waterfall(found), path, dpi=130)
    return path
