"""Figures over commits, one function each: levels with intervals, alarms where they are, drift.

Every panel is one series. Points are commits in their order with 95 % intervals, thick lines the
level between changes; a red mark is an alarm, grey shade the commits it may have been.
"""

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nnbench.history.alarms import NOISY, NUMBERS, SPIKE, UNCONFIRMED, segments
from nnbench.history.annotations import Annotation
from nnbench.history.check import Check
from nnbench.history.series import Series
from nnbench.history.table import History
from nnbench.history.words import Line, Told, level
from nnbench.phases import PHASES
from nnbench.show import figures

SLOWER, FASTER, DOUBTFUL, ACKNOWLEDGED = "#d55e00", "#009e73", "#e69f00", "#777777"
INK, LEVEL = "#0072b2", "#000000"
STRIP_COLOURS = ("#56b4e9", "#cc79a7", "#f0e442", "#009e73", "#e69f00", "#0072b2")
PAPER = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
LABEL: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": 8.5, "zorder": 5}
TICK: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor", "fontsize": 7.5}
MOST_PANELS, MOST_ROWS, MOST_POINTS_WITH_CAPS = 8, 40, 60
MOST_COMMIT_NAMES, MOST_NAMED = 26, 80


def panels(check: Check) -> list[tuple[str, list[Series]]]:
    """Title and series of each figure: phases of our cases, cases of others' benchmarks."""
    found: dict[tuple[str, ...], list[Series]] = {}
    for series in check.series:
        ours = series.source == "nnbench"
        shared = series.case if ours else series.benchmark
        version = f", version {series.version}" if series.version else ""
        way = ", each by itself" if ours and not series.interleaved else ""
        key = (shared, series.source, series.host, series.environment, version, way)
        found.setdefault(key, []).append(series)
    order = {phase: number for number, phase in enumerate(PHASES)}
    for group in found.values():
        group.sort(key=lambda one: order.get(one.benchmark, 0))
    return [
        (f"{shared}\n{source} on {host}: {environment}{version}{way}", group)
        for (shared, source, host, environment, version, way), group in found.items()
    ]


def over_commits(
    told: Told, title: str, group: Sequence[Series], annotations: Sequence[Annotation] = ()
) -> Figure:
    """A panel a series, one below the other, and a strip of what each commit computed."""
    # Those with alarms first, shown in their order.
    numbers = range(len(group))
    first = sorted(numbers, key=lambda number: not _marks(told, group[number]))[:MOST_PANELS]
    shown = [group[number] for number in sorted(first)]
    orders = sorted({pair for one in shown for pair in zip(one.orders, one.commits, strict=True)})
    positions = {name: x for x, (_, name) in enumerate(orders)}
    strip = any(any(series.digests) for series in shown)
    heights = [*([3.0] * len(shown)), *([0.55] if strip else [])]
    figure = Figure(figsize=(10, 1.9 + 1.55 * len(shown) + 0.5 * strip), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axis, series in zip(axes[:, 0], shown, strict=False):
        _panel(axis, series, _marks(told, series), positions)
        name = series.benchmark if series.source == "nnbench" else series.case or series.benchmark
        axis.set_title(name, fontsize=10, loc="left")
    if strip:
        _strip(axes[-1, 0], shown, positions)
    alarms = [line.found.alarm for series in shown for line in told.of(series)]
    changed = {alarm.commit for alarm in alarms if alarm.kind != SPIKE}
    remarks = {one.commit: one.text for one in annotations}
    _name_commits(axes[-1, 0], told.check.history, list(positions), changed, remarks)
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, 120)]
    figure.suptitle("\n".join(lines), fontsize=10, x=0.01, ha="left")
    left_out = len(group) - len(shown)
    more = f"; {left_out} more series are in the table" if left_out else ""
    figures.footnote(figure, f"{_footnote(shown)}{more}")
    return figure


def _marks(told: Told, series: Series) -> list[Line]:
    """What is marked in a series' panel; other numbers are in the strip."""
    return [line for line in told.of(series) if line.found.alarm.kind != NUMBERS]


def _panel(axis: Axes, series: Series, marks: Sequence[Line], positions: Mapping[str, int]) -> None:
    x = np.array([positions[name] for name in series.commits])
    y = np.array([one.value for one in series.levels])
    ends = figures.bar_lengths(series.levels)
    size, cap = (4, 2) if len(x) < MOST_POINTS_WITH_CAPS else (2, 0)
    axis.errorbar(x, y, ends, fmt="o", color=INK, ms=size, capsize=cap, linewidth=1, zorder=3)
    hollow = series.noisy >= NOISY
    axis.plot(x[hollow], y[hollow], "o", color="white", markersize=1.6, zorder=4)
    for first, last, height in segments(series, [line.found.alarm for line in marks]):
        if series.positive:
            begin, end = x[first] - 0.4, x[last - 1] + 0.4
            axis.hlines(height, begin, end, color=LEVEL, linewidth=1.8, alpha=0.75, zorder=2)
    low, high = axis.get_ylim()
    axis.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    in_order = sorted(marks, key=lambda line: positions[line.found.alarm.commit])
    for number, line in enumerate(in_order):
        _mark(axis, line, positions, number)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: level(value, series.unit)))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.grid(axis="y", alpha=0.3)
    axis.set_xlim(-0.7, len(positions) - 0.3)


def _colour(line: Line) -> str:
    if line.found.acknowledged:
        return ACKNOWLEDGED
    if line.found.alarm.kind in (UNCONFIRMED, SPIKE):
        return DOUBTFUL
    return SLOWER if line.found.alarm.slower else FASTER


def _mark(axis: Axes, line: Line, positions: Mapping[str, int], number: int) -> None:
    alarm, colour = line.found.alarm, _colour(line)
    x, first, last = (positions[one] for one in (alarm.commit, alarm.commits[0], alarm.commits[-1]))
    if len(alarm.commits) > 1:
        axis.axvspan(first - 0.5, last + 0.5, color="#999999", alpha=0.2, linewidth=0)
    if alarm.kind == SPIKE:
        value = alarm.series.levels[alarm.series.commits.index(alarm.commit)].value
        axis.plot([x], [value], "o", markersize=10, markerfacecolor="none", color=colour)
    else:
        axis.axvline(x - 0.5, color=colour, linewidth=1.6, zorder=4)
    kind = f" ({line.mark})" if alarm.kind in (UNCONFIRMED, SPIKE) else ""
    side, shift = ("right", -4) if x > 0.75 * len(positions) else ("left", 4)
    place, units = (x - 0.5, 1.0 - 0.16 * (number % 2)), ("data", "axes fraction")
    style = {**LABEL, "ha": side, "color": colour, "bbox": PAPER}
    axis.annotate(line.change + kind, place, (shift, -4), units, **style)


def _strip(axis: Axes, shown: Sequence[Series], positions: Mapping[str, int]) -> None:
    """A square a commit: neighbours of one colour computed the same from the same seed."""
    known = dict.fromkeys(positions, "")
    for series in shown:
        known |= {n: one for n, one in zip(series.commits, series.digests, strict=True) if one}
    different = [one for one in dict.fromkeys(known.values()) if one not in ("", "various")]
    colours = dict(zip(different, itertools.cycle(STRIP_COLOURS), strict=False))
    for x, digest in enumerate(known.values()):
        hatch, colour = "////" if digest == "various" else None, colours.get(digest, "#ffffff")
        axis.bar(x, 1, 1, color=colour, edgecolor="#555555", linewidth=0.5, hatch=hatch)
    axis.set_ylim(0, 1)
    axis.set_yticks([0.5], ["numbers"])
    axis.tick_params(axis="y", length=0)


def _name_commits(
    axis: Axes, history: History, names: Sequence[str], changed: set[str], remarks: dict[str, str]
) -> None:
    spoken_of = [x for x, name in enumerate(names) if name in changed | remarks.keys()]
    if len(names) <= MOST_NAMED:
        ticks = {*spoken_of, *range(0, len(names), math.ceil(len(names) / MOST_COMMIT_NAMES))}
    else:
        ticks = {0, len(names) - 1}
        latest = -len(names)
        for x in spoken_of:
            if x - latest >= len(names) // 40:
                ticks.add(x)
                latest = x
    labels = []
    for x in sorted(ticks):
        name = names[x]
        words = remarks.get(name) or history.subject(name)
        labels.append(f"{name[:7]} {'✎ ' if name in remarks else ''}{_cut(words, 22)}".strip())
    axis.set_xticks(sorted(ticks), labels, **TICK)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _footnote(shown: Sequence[Series]) -> str:
    launches = sorted({count for series in shown for count in series.launches})
    span = str(launches[0]) if len(launches) == 1 else f"{launches[0]} to {launches[-1]}"
    way = "each commit measured at a time of its own"
    if all(one.interleaved for one in shown):
        way = "measured in turn: intervals are of differences between commits"
    plural = "launch" if span == "1" else "launches"
    noisy = any((one.noisy >= NOISY).any() for one in shown)
    hollow = "; hollow points: the machine was noisy" if noisy else ""
    return f"95 % intervals where known; {span} {plural} a commit, {way}{hollow}"


def sizes(told: Told) -> Figure | None:
    """All changes with their intervals, surest first; None where there are none with a size."""
    pairs = [(line, line.found.alarm) for line in told.lines]
    rows = [(line, alarm) for line, alarm in pairs if alarm.kind not in (NUMBERS, SPIKE)]
    rows = [(line, alarm) for line, alarm in rows if 0 < alarm.ratio.value < math.inf][:MOST_ROWS]
    if not rows:
        return None
    figure = Figure(figsize=(10, 1.3 + 0.34 * len(rows)), layout="constrained")
    axis = figure.subplots()
    for y, (line, alarm) in enumerate(rows):
        ends, colour = figures.bar_lengths([alarm.ratio]), _colour(line)
        axis.errorbar([alarm.ratio.value], [y], xerr=ends, fmt="o", color=colour, capsize=3, ms=5)
    labels = [f"{_cut(one.series.label, 58)}  {one.commit[:7]}" for _, one in rows]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.axvline(1, color="black", linewidth=1)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (value - 1):+.3g} %"))
    axis.set_xlabel("change at the commit, 95 % interval", fontsize=9)
    axis.grid(axis="x", alpha=0.3)
    return figure
