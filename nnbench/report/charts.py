"""The figures of a run: one function each, of one group's summaries.

A network has its colour and sign in all of them, by its number in `numbers`. Lines through points
are 95 % intervals. Every network is in every figure.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.phases import COLD, EPOCH, STEP, ColdParts
from nnbench.report import readings
from nnbench.report.answer import shares
from nnbench.report.run_analysis import Group
from nnbench.show import units
from nnbench.show.intervals import RATIO, SECONDS, sentence
from nnbench.show.palette import COLOURS, HATCHES, sign
from nnbench.show.panel import INK, JOINED, Panel, of_rows
from nnbench.show.svg import FONT, WIDTH, Chart, width_of
from nnbench.stats.blocks import Blocks
from nnbench.stats.summary import CaseSummary

SHOWN = (COLD, EPOCH, STEP)
CARD_WIDTH, CARD_ROWS = 310.0, 8
MAP_FROM = 13
"""From so many networks on a map of depth and width is drawn, too."""

FARTHEST, FAR = 2.5, 5.0
"""An interval that goes beyond this many times the longest value ends at the edge of its chart: of
linear and of logarithmic ones. What it is stands in the table, and where one points at it."""

MOST_LINES, MOST_COLUMNS = 8, 60
"""More networks than this are rows of a map of blocks; more blocks are taken together."""

Style = dict[str, Any]
Numbers = Mapping[str, int]
Array = NDArray[np.float64]


def card(group: Group, phase: str, rows: Sequence[CaseSummary], numbers: Numbers) -> Chart | None:
    """Bars of a phase for some networks, fastest on top; None where none was timed."""
    having = [one for one in rows if phase in one.times]
    having.sort(key=lambda one: one.times[phase].value)
    if not having:
        return None
    names = [group.name(one.case) for one in having]
    panel, middles, row = of_rows(names, CARD_WIDTH, bottom=24)
    longest = max(time.value for time in _times(having, phase))
    ends = [
        min(time.high, FARTHEST * longest) if time.has_interval else time.value
        for time in _times(having, phase)
    ]
    written = max(width_of(units.seconds(time.value)) for time in _times(having, phase))
    room = panel.across[1] - panel.across[0] - written - 8
    panel.scale_x(0, max(ends) * (panel.across[1] - panel.across[0]) / room)
    for one, name, middle, end in zip(having, names, middles, ends, strict=True):
        time, number = one.times[phase], numbers[one.case.label]
        told = f"{name}, {phase}: {sentence(time, SECONDS)}"
        colour, _ = sign(number)
        panel.bar((0, time.value), middle, 0.62 * row, says=told, series=number, color=colour)
        if time.has_interval:
            points = [(panel.x(at), middle) for at in (time.low, end)]
            panel.line(points, color=INK, linewidth=1.2)
            if time.high > end:
                panel.arrow(points[1], ">", INK)
        panel.text((panel.x(end) + 5, middle), units.seconds(time.value), va="center")
    panel.x_axis(units.seconds, count=3)
    return panel.done(readings.fastest(group, phase))


def _times(having: Sequence[CaseSummary], phase: str) -> list[Any]:
    return [one.times[phase] for one in having]


def parts(
    group: Group,
    rows: Sequence[CaseSummary],
    numbers: Numbers,
    *,
    as_shares: bool,
    width: float = WIDTH,
) -> Chart | None:
    """Stacked phases of a cold training, its whole marked; None when no network has all parts.

    Networks of which shares are not known are left out `as_shares`, see `answer.without_shares`.
    """
    having = [(one, split) for one in rows if (split := one.cold_parts) is not None]
    if as_shares:
        having = [(one, split) for one, split in having if shares(split)]
    if not having:
        return None
    small = width < WIDTH
    names = [group.name(one.case) for one, _ in having]
    panel, middles, row = of_rows(names, width, bottom=24 if small else 40)
    scales = [1 / split.cold_s if as_shares else 1.0 for _, split in having]
    sums = [_stacked(split, scale) for (_, split), scale in zip(having, scales, strict=True)]
    highest = max(ends[1] for stack in sums for ends in stack.values())
    if not as_shares:
        wholes = [one.times[COLD] for one, _ in having]
        longest = FARTHEST * max(highest, *(one.value for one in wholes))
        tops = [one.high if one.has_interval else one.value for one in wholes]
        highest = min(longest, max([highest, *tops]))
    lowest = min(0.0, *(ends[0] for stack in sums for ends in stack.values()))
    panel.scale_x(lowest - 0.02 * (lowest < 0) * highest, highest * 1.02)
    for (one, split), name, middle, stack in zip(having, names, middles, sums, strict=True):
        number, times_s = numbers[one.case.label], _named(split)
        for part, ends in stack.items():
            share = units.share(times_s[part] / split.cold_s)
            told = f"{name}, {part}: {units.seconds(times_s[part])}, {share} of the whole"
            panel.bar(ends, middle, 0.66 * row, says=told, series=number, facecolor=COLOURS[part],
                      edgecolor="#444444", linewidth=0.5, hatch=HATCHES.get(part))  # fmt: skip
        if not as_shares:
            told = f"{name}, whole, timed separately: {sentence(one.times[COLD], SECONDS)}"
            panel.interval(one.times[COLD], middle, told, number, sign=(INK, "D"), size=5)
    if lowest < 0:
        panel.line([(panel.x(0), end) for end in panel.upright], color="#888888", linewidth=0.8)
    what = "share of a cold training" if as_shares else "cold training"
    label = "" if small else f"{what} of {group.first.cold_epochs} epochs"
    write = _percent if as_shares else units.seconds
    panel.x_axis(write, label=label, count=3 if small else 5)
    return panel.done(readings.parts(group, having))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _named(split: ColdParts) -> dict[str, float]:
    later_s = {"later steps": split.steps_s, "epoch overhead": split.overhead_s}
    return {**split.once_s, **later_s, "rest": split.rest_s}


def _stacked(split: ColdParts, scale: float) -> dict[str, tuple[float, float]]:
    """Where each part begins and ends; one below zero is drawn left of zero, not hidden."""
    found, right, left = {}, 0.0, 0.0
    for name, value_s in _named(split).items():
        length = value_s * scale
        start = right if length >= 0 else left
        found[name] = min(start, start + length), max(start, start + length)
        right, left = right + max(length, 0), left + min(length, 0)
    return found


def legend_of(groups: Sequence[Group]) -> list[str]:
    """The parts that stacked bars have, in their order; those that no training has are gone."""
    splits = [split for group in groups for one in group.summaries if (split := one.cold_parts)]
    names = list(_named(splits[0])) if splits else []
    return [name for name in names if any(_named(split)[name] for split in splits)]


def ratios(group: Group, numbers: Numbers) -> Chart | None:
    """Ratio of whole and step to the first network's, log axis; None with nothing to compare."""
    phases = list(dict.fromkeys((group.whole, STEP)))
    others = [one for one in group.summaries[1:] if any(phase in one.ratios for phase in phases)]
    if not others:
        return None
    base = group.name(group.first)
    names = [group.name(one.case) for one in others]
    panel, middles, row = of_rows(names, WIDTH, least=24 if len(names) <= 12 else 17)
    found = [one.ratios[phase] for one in others for phase in phases if phase in one.ratios]
    ends = [end for one in found for end in (one.low, one.high) if one.has_interval]
    ends += [one.value for one in found]
    # The line of equality always has room around it, however alike the networks are.
    middles_of = [one.value for one in found]
    low = max(min([*ends, 1 / 1.1]), min([*middles_of, 1]) / FAR)
    high = min(max([*ends, 1.1]), max([*middles_of, 1]) * FAR)
    panel.scale_x(low / (high / low) ** 0.03, high * (high / low) ** 0.03, log=True)
    panel.x_axis(_times_as, label=f"times as long as {base}", count=6, grid=True)
    panel.line([(panel.x(1), end) for end in panel.upright], color=INK, linewidth=1)
    for one, name, middle in zip(others, names, middles, strict=True):
        number = numbers[one.case.label]
        for offset, phase in zip((0.2, -0.2), phases, strict=False):
            if phase in one.ratios:
                told = f"{name}, {phase}: {sentence(one.ratios[phase], RATIO)} of {base}"
                at = middle + (offset * row if len(phases) > 1 else 0)
                panel.interval(one.ratios[phase], at, told, number, sign=sign(number),
                               filled=phase != STEP, size=6.5 if row > 20 else 5)  # fmt: skip
    return panel.done(readings.ratios(group))


def _times_as(ratio: float) -> str:
    return f"{ratio:.4g}×"


def ratio_map(group: Group, phase: str) -> Chart | None:
    """Ratio to the first network by depth and width; None where they make no map."""
    placed: dict[tuple[int, int], int] = {}
    family = next((one.case.architecture.family for one in group.summaries
                   if one.case.architecture), "")  # fmt: skip
    for row, one in enumerate(group.summaries):
        shape = one.case.architecture
        # Networks of another kind, or with settings of their own, have no place on it.
        if shape and shape.family == family and len(set(shape.widths)) == 1 and not shape.settings:
            placed[shape.depth, shape.widths[0]] = row
    depths, widths = (sorted({place[axis] for place in placed}) for axis in (0, 1))
    found = group.ratios.get(phase)
    if found is None or len(placed) < MAP_FROM or min(len(depths), len(widths)) < 2:
        return None
    values = found.value[:, 0]
    reach = float(np.nanmax(np.abs(np.log(values)))) or 1.0
    left, bottom, height = 52.0, 44.0, 26.0
    panel = Panel(
        WIDTH, bottom + 6 + height * len(depths), left=left, right=6, bottom=bottom, top=6
    )
    size = (panel.across[1] - left) / len(widths), height
    for (depth, width), row in placed.items():
        if not math.isfinite(values[row]):
            continue
        name = group.name(group.summaries[row].case)
        place = left + widths.index(width) * size[0], bottom + depths.index(depth) * size[1]
        told = f"{name}, {phase}: {units.ratio(values[row])} of {group.name(group.first)}"
        tint = _tint(math.log(values[row]) / reach)
        panel.cell(place, size, told, facecolor=tint, edgecolor="#888888", linewidth=0.6)
        middle = place[0] + size[0] / 2, place[1] + size[1] / 2
        text = units.ratio(values[row])
        room = FONT * size[0] / max(size[0], width_of(text) + 3)
        panel.text(middle, text, size=room, ha="center", va="center")
    for number, width in enumerate(widths):
        across = left + (number + 0.5) * size[0]
        panel.text((across, bottom - 5), f"{width}", size=FONT - 1, ha="center", va="top")
    for number, depth in enumerate(depths):
        upright = bottom + (number + 0.5) * height
        panel.text((left - 6, upright), f"{depth}", size=FONT - 1, ha="right", va="center")
    panel.text((sum(panel.across) / 2, 6), "width", ha="center", va="bottom")
    panel.text((10, sum(panel.upright) / 2), "depth", ha="center", va="center", rotation=90)
    return panel.done(readings.ratio_map(group, phase))


def _tint(share: float) -> tuple[float, float, float, float]:
    """A tint over any ground: orange for slower, blue for faster, hardly any at equality."""
    red, green, blue = (0.84, 0.37, 0.0) if share > 0 else (0.0, 0.45, 0.7)
    return red, green, blue, 0.04 + 0.5 * min(1.0, abs(share))


def growth(group: Group, numbers: Numbers, phase: str, by: str) -> Chart | None:
    """A phase against parameters or depth, logarithmic; None where these are all the same."""
    having = [one for one in group.summaries if phase in one.times and _size(one, by)]
    sizes = {one.case.key: _size(one, by) for one in having}
    low, high = min(sizes.values(), default=1), max(sizes.values(), default=1)
    if low == high:
        return None
    panel = Panel(CARD_WIDTH, 236, left=62, bottom=42, top=8)
    panel.scale_x(low / (high / low) ** 0.06, high * (high / low) ** 0.06, log=True)
    ends = [end for one in _times(having, phase) for end in (one.low, one.value, one.high)]
    ends = [end for end in ends if math.isfinite(end)]
    values = [one.value for one in _times(having, phase)]
    least, most = max(min(ends), min(values) / FAR), min(max(ends), max(values) * FAR)
    room = max((most / least) ** 0.08, 1.05)
    panel.scale_y(least / room, most * room, log=True)
    panel.x_axis(_count, label=by, count=5, ticks=_sizes(list(sizes.values())), grid=True)
    panel.y_axis(units.seconds, count=5)
    points = [
        (panel.x(sizes[one.case.key]), panel.y(one.times[phase].value), _other(one, by))
        for one in having
    ]
    # Joined in grey: networks that differ in this size alone.
    for alike in dict.fromkeys(point[2] for point in points):
        joined = sorted(point[:2] for point in points if point[2] == alike)
        if len(joined) > 1:
            panel.line(joined, color=JOINED, linewidth=1, zorder=1)
    for one, (place, _, _) in zip(having, points, strict=True):
        number, size = numbers[one.case.label], sizes[one.case.key]
        told = f"{group.name(one.case)}, {phase}: {sentence(one.times[phase], SECONDS)}"
        panel.interval(one.times[phase], place, f"{told}, {by} {size:,}", number,
                       sign=sign(number), upright=True)  # fmt: skip
    return panel.done(readings.growth(group, phase, by, sizes))


def without(group: Group, by: str) -> list[str]:
    """Networks that have no place on an axis: their parameters or depth are not known."""
    return [group.name(one.case) for one in group.summaries if not _size(one, by)]


def _sizes(values: Sequence[int]) -> list[float] | None:
    """Ticks at the sizes themselves, where these are few."""
    distinct = sorted(set(values))
    return [float(one) for one in distinct] if len(distinct) <= 6 and distinct[-1] < 1000 else None


def _count(value: float) -> str:
    for scale, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= scale:
            return f"{value / scale:.4g}{unit}"
    return f"{value:.4g}"


def _size(one: CaseSummary, by: str) -> int:
    if by == "parameters":
        return one.parameters or 0
    return one.case.architecture.depth if one.case.architecture else 0


def _other(one: CaseSummary, by: str) -> int:
    shape = one.case.architecture
    if shape is None:
        return 0
    return shape.depth if by == "parameters" else max(shape.widths)


def samples(
    group: Group, values: Blocks, noisy: Collection[tuple[int, int]], numbers: Numbers, phase: str
) -> Chart | None:
    """Every block's value in the order of measurement: lines, or a map of many networks.

    Blocks in `noisy` (launch, block) are crosses. Very many blocks are taken together, by medians.
    """
    if phase not in values.seconds:
        return None
    rows = [values.keys.index(one.case.key) for one in group.summaries]
    seconds = values.seconds[phase][rows]
    here = np.flatnonzero(np.isfinite(seconds).any(axis=0))
    if not len(here):
        return None
    order = sorted(here, key=lambda column: values.units[column][1:])
    bad = np.array([(values.units[one].launch, values.units[one].block) in noisy for one in order])
    bins = np.array_split(np.arange(len(order)), min(MOST_COLUMNS, len(order)))
    columns = [_medians(seconds[:, order][:, one]) for one in bins]
    shown, crossed = np.array(columns).T, [bool(bad[one].any()) for one in bins]
    several = len(group.summaries) > MOST_LINES
    panel = (_block_map if several else _block_lines)(group, phase, shown, crossed, numbers)
    _block_axis(panel, values.launches[order], bins)
    return panel.done(readings.samples(group, phase, len(order), int(bad.sum())))


def _medians(seconds: Array) -> list[float]:
    known = [row[np.isfinite(row)] for row in seconds]
    return [float(np.median(row)) if len(row) else math.nan for row in known]


def _block_lines(
    group: Group, phase: str, shown: Array, crossed: Sequence[bool], numbers: Numbers
) -> Panel:
    panel = Panel(WIDTH, 210, left=66, bottom=42, top=8)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    room = max((high / low) ** 0.08, 1.02)
    panel.scale_y(low / room, high * room, log=True)
    # Also of one block the axis is a block wide.
    panel.scale_x(-0.5, shown.shape[1] - 0.5)
    panel.y_axis(units.seconds, count=4)
    for row, one in zip(shown, group.summaries, strict=True):
        number = numbers[one.case.label]
        colour, marker = sign(number)
        known = [place for place in range(len(row)) if math.isfinite(row[place])]
        points = {place: (panel.x(place), panel.y(row[place])) for place in known}
        told = f"{group.name(one.case)}, {phase}, from {units.seconds(float(np.nanmin(row)))} to "
        told += units.seconds(float(np.nanmax(row)))
        panel.line(list(points.values()), says=told, series=number, color=colour, linewidth=1)
        for noisy, style in ((False, marker), (True, "x")):
            some = [points[place] for place in known if crossed[place] == noisy]
            if some:
                panel.line(some, says=told, series=number, color=colour, linestyle="none",
                           marker=style, markersize=5)  # fmt: skip
    return panel


def _block_map(
    group: Group, _: str, shown: Array, crossed: Sequence[bool], numbers: Numbers
) -> Panel:
    names = [group.name(one.case) for one in group.summaries]
    panel, middles, row = of_rows(names, WIDTH, least=14, bottom=42, top=14)
    panel.scale_x(-0.5, shown.shape[1] - 0.5)
    with np.errstate(all="ignore"):
        logs = np.log(shown / np.nanmedian(shown, axis=1, keepdims=True))
    reach = max(float(np.nanmax(np.abs(logs))), 0.005)
    wide = panel.x(1) - panel.x(0)
    for one, middle, values in zip(group.summaries, middles, logs, strict=True):
        # Five steps of tint a direction: neighbours of one tint are one rectangle.
        steps = [None if not math.isfinite(value) else round(5 * value / reach) for value in values]
        place = 0
        while place < len(steps):
            end = place
            while end < len(steps) and steps[end] == steps[place]:
                end += 1
            if step := steps[place]:
                corner = panel.x(place) - wide / 2, middle - row / 2
                panel.cell(corner, (wide * (end - place), row), "",
                           facecolor=_tint(step / 5), linewidth=0)  # fmt: skip
            place = end
        told = f"{group.name(one.case)}: from {units.ratio(float(np.exp(np.nanmin(values))))} to "
        told += f"{units.ratio(float(np.exp(np.nanmax(values))))} of its median"
        panel.bar((-0.5, len(steps) - 0.5), middle, row, says=told, facecolor="none", linewidth=0,
                  series=numbers[one.case.label])  # fmt: skip
    noisy = [(panel.x(place), panel.upright[1] + 6) for place, bad in enumerate(crossed) if bad]
    if noisy:
        panel.line(noisy, color=INK, linestyle="none", marker="x", markersize=4)
    return panel


def _block_axis(
    panel: Panel, launches: NDArray[np.int64], bins: Sequence[NDArray[np.int64]]
) -> None:
    together = "" if len(bins) == len(launches) else ", several together"
    step = max(1, -(-len(bins) // 10))
    places = [float(place) for place in range(0, len(bins), step)]
    label = f"block, in order of measurement{together}"
    panel.x_axis(lambda place: str(bins[int(place)][0] + 1), label=label, ticks=places)
    if not together:
        for place in range(1, len(bins)):
            if launches[bins[place][0]] != launches[bins[place - 1][0]]:
                x = panel.x(place - 0.5)
                panel.line([(x, end) for end in panel.upright], color=JOINED, linewidth=0.8)
