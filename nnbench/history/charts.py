"""Figures over commits, one function each: levels with intervals, alarms where they are, drift.

Every panel is one series: one benchmark, case, host and environment. Points are commits in their
order with 95 % intervals, thick lines the level between changes; a red mark is an alarm, grey
shade the commits it may have been.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nnbench.history.alarms import DISTURBED, NUMBERS, SPIKE, UNCONFIRMED, segments
from nnbench.history.annotations import Annotation
from nnbench.history.check import Check, Found, change, level
from nnbench.history.series import Series
from nnbench.phases import PHASES

SLOWER, FASTER, DOUBTFUL, ACKNOWLEDGED = "#d55e00", "#009e73", "#e69f00", "#777777"
INK, LEVEL = "#0072b2", "#000000"
MOST_PANELS = 8
MOST_COMMIT_NAMES = 26
STRIP_COLOURS = ("#56b4e9", "#cc79a7", "#f0e442", "#009e73", "#e69f00", "#0072b2")
MOST_ROWS = 40


def panels(check: Check) -> dict[str, list[Series]]:
    """Series that stand in one figure, by its title.

    For our own runs the phases of one case; for other tools the cases of one benchmark.
    """
    found: dict[str, list[Series]] = {}
    for series in check.series:
        shared = series.case if series.source == "nnbench" else series.benchmark
        version = f", version {series.version}" if series.version else ""
        place = f"{series.source} on {series.host}: {series.environment}{version}"
        way = "" if series.interleaved or series.source != "nnbench" else ", each by itself"
        found.setdefault(f"{shared}\n{place}{way}", []).append(series)
    order = {phase: place for place, phase in enumerate(PHASES)}
    return {
        title: sorted(group, key=lambda one: order.get(one.benchmark, 0))
        for title, group in found.items()
    }


def over_commits(
    check: Check, title: str, group: Sequence[Series], annotations: Sequence[Annotation] = ()
) -> Figure:
    """A panel a series, one below the other, and a strip of what each commit computed."""
    shown = _most_telling(check, group)
    strip = any(any(series.digests) for series in shown)
    names = _commits(shown)
    figure = Figure(figsize=(10, 1.9 + 1.55 * len(shown) + 0.5 * strip), layout="constrained")
    heights = [*([3.0] * len(shown)), *([0.55] if strip else [])]
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axis, series in zip(axes[:, 0], shown, strict=False):
        _panel(axis, series, _alarms_of(check, series), names)
        name = series.benchmark if series.source == "nnbench" else series.case or series.benchmark
        axis.set_title(name, fontsize=10, loc="left")
    if strip:
        _strip(axes[-1, 0], shown, names)
    _name_commits(axes[-1, 0], check, shown, names, annotations)
    figure.suptitle(_wrapped(title), fontsize=10, x=0.01, ha="left")
    left_out = len(group) - len(shown)
    more = f"; {left_out} more series are in the table" if left_out else ""
    figure.supxlabel(f"{_footnote(shown)}{more}", fontsize=8, color="#555555", x=0.01, ha="left")
    return figure


def _wrapped(title: str, width: int = 120) -> str:
    lines = []
    for line in title.splitlines():
        while len(line) > width:
            cut = line.rfind(" ", 0, width)
            cut = cut if cut > 0 else width
            lines.append(line[:cut])
            line = line[cut:].strip()
        lines.append(line)
    return "\n".join(lines)


def _most_telling(check: Check, group: Sequence[Series]) -> list[Series]:
    with_alarms = {id(one.alarm.series) for one in check.found if one.alarm.kind != NUMBERS}
    ranked = sorted(group, key=lambda one: id(one) not in with_alarms)[:MOST_PANELS]
    return [series for series in group if any(series is one for one in ranked)]


def _commits(shown: Sequence[Series]) -> list[str]:
    places = {
        name: order for one in shown for name, order in zip(one.commits, one.orders, strict=True)
    }
    return sorted(places, key=lambda name: places[name])


def _alarms_of(check: Check, series: Series) -> list[Found]:
    return [one for one in check.found if one.alarm.series is series]


def _panel(axis: Axes, series: Series, found: Sequence[Found], names: Sequence[str]) -> None:
    x = np.array([names.index(name) for name in series.commits])
    values = np.exp(series.logs) if series.positive else series.raw
    errors = 1.96 * series.errors if series.positive else np.zeros(len(x))
    bars = np.array([values * (1 - np.exp(-errors)), values * (np.exp(errors) - 1)])
    axis.errorbar(
        x,
        values,
        yerr=bars,
        fmt="o",
        color=INK,
        markersize=4 if len(x) < 60 else 2,
        capsize=2 if len(x) < 60 else 0,
        linewidth=1,
        zorder=3,
    )
    disturbed = series.noisy >= DISTURBED
    axis.plot(x[disturbed], values[disturbed], "o", color="white", markersize=1.6, zorder=4)
    cut = segments(series, [one.alarm for one in found])
    ends = [*cut.starts[1:], len(x)]
    for start, end, height in zip(cut.starts, ends, cut.levels, strict=True):
        if series.positive:
            axis.hlines(
                height,
                x[start] - 0.4,
                x[end - 1] + 0.4,
                color=LEVEL,
                linewidth=1.8,
                alpha=0.75,
                zorder=2,
            )
    low, high = axis.get_ylim()
    axis.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    marks = [one for one in found if one.alarm.kind != NUMBERS]
    for turn, one in enumerate(sorted(marks, key=lambda each: names.index(each.alarm.commit))):
        _mark(axis, one, names, turn)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: level(value, series.unit)))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.grid(axis="y", alpha=0.3)
    axis.set_xlim(-0.7, len(names) - 0.3)


def _mark(axis: Axes, found: Found, names: Sequence[str], turn: int) -> None:
    alarm, series = found.alarm, found.alarm.series
    colour = SLOWER if alarm.slower else FASTER
    if alarm.kind in (UNCONFIRMED, SPIKE):
        colour = DOUBTFUL
    if found.acknowledged:
        colour = ACKNOWLEDGED
    place = names.index(alarm.commit)
    places = [names.index(name) for name in alarm.commits]
    if len(places) > 1:
        axis.axvspan(min(places) - 0.5, max(places) + 0.5, color="#999999", alpha=0.2, linewidth=0)
    if alarm.kind == SPIKE:
        value = float(np.exp(series.logs[series.commits.index(alarm.commit)]))
        axis.plot([place], [value], "o", markersize=10, markerfacecolor="none", color=colour)
    else:
        axis.axvline(place - 0.5, color=colour, linewidth=1.6, zorder=4)
    words = change(alarm).partition(" [")[0] if not alarm.note else alarm.note
    if alarm.kind in (UNCONFIRMED, SPIKE):
        words += f" ({'one commit only' if alarm.kind == SPIKE else alarm.kind})"
    right = place > 0.75 * len(names)
    axis.annotate(
        words,
        (place - 0.5, 1.0 - 0.16 * (turn % 2)),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if right else 4, -4),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        fontsize=8.5,
        color=colour,
        zorder=5,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )


def _strip(axis: Axes, shown: Sequence[Series], names: Sequence[str]) -> None:
    """One cell a commit: neighbours of one colour computed the same from the same seed."""
    digests = dict.fromkeys(names, "")
    for series in shown:
        digests |= {
            name: one for name, one in zip(series.commits, series.digests, strict=True) if one
        }
    known = list(dict.fromkeys(one for one in digests.values() if one and one != "various"))
    for place, name in enumerate(names):
        digest = digests[name]
        colour = "#ffffff"
        if digest in known:
            colour = STRIP_COLOURS[known.index(digest) % len(STRIP_COLOURS)]
        axis.add_patch(_cell(place, colour, "////" if digest == "various" else None))
    axis.set_ylim(0, 1)
    axis.set_yticks([0.5], ["numbers"])
    axis.tick_params(axis="y", length=0)


def _cell(place: int, colour: str, hatch: str | None) -> Rectangle:
    return Rectangle(
        (place - 0.5, 0), 1, 1, facecolor=colour, edgecolor="#555555", linewidth=0.5, hatch=hatch
    )


def _name_commits(
    axis: Axes,
    check: Check,
    shown: Sequence[Series],
    names: Sequence[str],
    annotations: Sequence[Annotation],
) -> None:
    every = max(1, -(-len(names) // MOST_COMMIT_NAMES))
    remarks = {one.commit: one.text for one in annotations}
    here = [one.alarm for series in shown for one in _alarms_of(check, series)]
    telling = {alarm.commit for alarm in here if alarm.kind != SPIKE} | set(remarks)
    ticks = [
        place
        for place, name in enumerate(names)
        if (place % every == 0 and len(names) <= 80) or name in telling
    ]
    if len(names) > 80:
        ticks = sorted({*_apart(ticks, len(names) // 40), 0, len(names) - 1})
    labels = []
    for place in ticks:
        name = names[place]
        words = remarks.get(name) or check.history.subject(name)
        cut = words if len(words) <= 22 else f"{words[:20]}…"
        labels.append(f"{name[:7]} {'✎ ' if name in remarks else ''}{cut}".strip())
    axis.set_xticks(ticks, labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=7.5)


def _apart(places: Sequence[int], least: int) -> list[int]:
    kept: list[int] = []
    for place in places:
        if not kept or place - kept[-1] >= least:
            kept.append(place)
    return kept


def _footnote(shown: Sequence[Series]) -> str:
    launches = sorted({count for series in shown for count in series.launches})
    span = str(launches[0]) if len(launches) == 1 else f"{launches[0]} to {launches[-1]}"
    way = (
        "measured in turn: intervals are of differences between commits"
        if all(one.interleaved for one in shown)
        else "each commit measured at a time of its own"
    )
    plural = "launch" if span == "1" else "launches"
    disturbed = any((one.noisy >= DISTURBED).any() for one in shown)
    hollow = "; hollow points: the machine was disturbed" if disturbed else ""
    return f"95 % intervals where known; {span} {plural} a commit, {way}{hollow}"


def sizes(check: Check) -> Figure | None:
    """All changes with their intervals, surest first; None where there are none with a size."""
    rows = [
        one
        for one in check.found
        if one.alarm.kind not in (NUMBERS, SPIKE)
        and np.isfinite(one.alarm.ratio)
        and one.alarm.ratio > 0
    ][:MOST_ROWS]
    if not rows:
        return None
    figure = Figure(figsize=(10, 1.3 + 0.34 * len(rows)), layout="constrained")
    axis = figure.subplots()
    for place, one in enumerate(rows):
        alarm = one.alarm
        colour = ACKNOWLEDGED if one.acknowledged else SLOWER if alarm.slower else FASTER
        if alarm.kind == UNCONFIRMED:
            colour = DOUBTFUL
        ends = [[100 * (alarm.ratio - alarm.low)], [100 * (alarm.high - alarm.ratio)]]
        axis.errorbar(
            [100 * (alarm.ratio - 1)],
            [place],
            xerr=ends,
            fmt="o",
            color=colour,
            capsize=3,
            markersize=5,
        )
    labels = [f"{_cut(one.alarm.series.label)}  {one.alarm.commit[:7]}" for one in rows]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.axvline(0, color="black", linewidth=1)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g} %"))
    axis.set_xlabel("change at the commit, 95 % interval", fontsize=9)
    axis.grid(axis="x", alpha=0.3)
    return figure


def _cut(text: str, most: int = 58) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
