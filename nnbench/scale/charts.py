"""Cost along an axis, both axes logarithmic: one panel a phase, one line a backend and path."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from nnbench.machine.devices import VIRTUAL
from nnbench.scale.replicas import Scaled
from nnbench.scale.scaling import SHOWN, Series
from nnbench.show import units
from nnbench.show.figures import bar_lengths, footnote, log_seconds_axis, save_figure, span
from nnbench.show.palette import SERIES_COLOURS


def draw(found: Sequence[Series]) -> Figure:
    """The figure of the series of one axis; a dotted line shows growth in proportion."""
    phases = [phase for phase in SHOWN if any(each.phase == phase for each in found)]
    figure = Figure(figsize=(4.3 * len(phases), 4.3), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(phases)))
    colours = dict(zip(dict.fromkeys(each.context for each in found), SERIES_COLOURS, strict=False))
    for panel, phase in zip(panels, phases, strict=True):
        _draw(panel, [each for each in found if each.phase == phase], colours)
    launches = span(time.launches for each in found for time in each.times)
    network = found[0].axis.network.name
    text = f"{network}; 95 % intervals; each point from {launches} launches."
    footnote(figure, f"{text} Exponents are of the upper half of the sizes.")
    return figure


def write(found: Sequence[Series], folder: Path) -> Path:
    """Draw the series of one axis into a folder; return the chart's path."""
    path = folder / f"scale-{found[0].axis.name}.png"
    save_figure(draw(found), path)
    return path


def write_replicas(found: Sequence[Scaled], network: str, folder: Path) -> Path:
    """Draw speed-up and communication over the number of devices; return the chart's path."""
    figure = Figure(figsize=(12.9, 4.3), layout="constrained")
    panels = figure.subplots(1, 3)
    colours = dict(zip(dict.fromkeys(each.context for each in found), SERIES_COLOURS, strict=False))
    counts = sorted({each.count for each in found})
    for panel, weak in zip(panels[:2], (False, True), strict=True):
        panel.plot(counts, counts, ":", color="#888888", label="in proportion")
        for context, colour in colours.items():
            mine = [each for each in found if each.context == context and each.weak == weak]
            known = [(one.count, one.speed_up) for one in mine if one.speed_up and one.is_known]
            heights = [gained.value for _, gained in known]
            panel.plot([1, *(count for count, _ in known)], [1, *heights], color=colour)
            bars = bar_lengths([gained for _, gained in known])
            style: dict[str, Any] = {"color": colour, "label": context, "capsize": 2}
            panel.errorbar([count for count, _ in known], heights, bars, fmt="o", **style)
        title = "weak: as many rows a device" if weak else "strong: the same batch, shared out"
        panel.set(title=title, xlabel="replicas", ylabel="rows a second, one device = 1")
        gains = [one.speed_up.high for one in found if one.speed_up is not None and one.is_known]
        panel.set_ylim(0, 1.1 * max([*counts, *(gain for gain in gains if gain == gain)]))
        panel.xaxis.set_major_locator(FixedLocator(counts))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, frameon=False, loc="upper left")
    _draw_communication(panels[2], found, colours)
    notes = [f"{network}; 95 % intervals.", *[VIRTUAL] * any(one.are_virtual for one in found)]
    footnote(figure, "\n".join([*notes, *not_drawn(found)]))
    path = folder / "scale-replicas.png"
    save_figure(figure, path)
    return path


def not_drawn(found: Sequence[Scaled]) -> list[str]:
    """A sentence for each figure whose interval is too wide to be drawn, with where that is so."""
    unknown = {
        "speed-up": [one for one in found if not one.is_known],
        "communication": [one for one in found if not one.is_communication_known],
    }
    scaling = {False: "strong", True: "weak"}
    return [
        f"The interval of {name} is too wide to be drawn: "
        + "; ".join(f"{one.count} replicas, {scaling[one.weak]} ({one.context})" for one in mine)
        for name, mine in unknown.items()
        if mine
    ]


def _draw_communication(panel: Axes, found: Sequence[Scaled], colours: dict[str, str]) -> None:
    several = [each for each in found if each.count > 1]
    for context, colour in colours.items():
        for weak, name in ((False, "strong"), (True, "weak")):
            mine = [each for each in several if each.context == context and each.weak == weak]
            known = [
                (each.count, each.communication)
                for each in mine
                if each.communication and each.is_communication_known
            ]
            style: dict[str, Any] = {"color": colour, "capsize": 2, "fmt": "s" if weak else "o"}
            style |= {"markerfacecolor": "none" if weak else colour, "label": f"{context}, {name}"}
            # Beside one another, as both may lie at the same height.
            places = [count + (0.05 if weak else -0.05) for count, _ in known]
            shares = [share for _, share in known]
            bars = bar_lengths(shares)
            panel.errorbar(places, [share.value for share in shares], bars, **style)
    counts = sorted({each.count for each in several})
    panel.set(title="communication: at most so much", xlabel="replicas", ylabel="share of a step")
    panel.set(xlim=(counts[0] - 0.5, counts[-1] + 0.5), ylim=(0, max(1, panel.get_ylim()[1])))
    panel.xaxis.set_major_locator(FixedLocator(counts))
    panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7, frameon=False, loc="upper left")


def _draw(panel: Axes, mine: Sequence[Series], colours: dict[str, str]) -> None:
    for each in mine:
        grows = f": ∝ size^{units.exponent(each.exponent.value)}" if each.exponent else ""
        style: dict[str, Any] = {"color": colours[each.context], "label": each.context + grows}
        style |= {"marker": "o", "markersize": 4, "capsize": 2}
        times = [time.value for time in each.times]
        panel.errorbar(each.sizes, times, bar_lengths(each.times), **style)
    longest = max(mine, key=lambda each: len(each.sizes))
    sizes = np.array(longest.sizes, dtype=float)
    last = max(each.times[-1].value for each in mine)
    panel.plot(sizes, last * sizes / sizes[-1], ":", color="#888888", label="in proportion")
    values = [time.value for each in mine for time in each.times]
    panel.set(xscale="log", yscale="log", ylim=(min(values) / 2, 2 * max(values)))
    panel.set(title=mine[0].phase, xlabel=longest.axis.words)
    shown = longest.sizes if len(longest.sizes) <= 6 else longest.sizes[::2]
    panel.xaxis.set_major_locator(FixedLocator(list(shown)))
    panel.xaxis.set_major_formatter("{x:,.10g}")
    panel.xaxis.set_minor_locator(NullLocator())
    log_seconds_axis(panel.yaxis)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.17))
