"""Cost along an axis, both axes logarithmic: one panel a phase, one line a backend and path."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from nnbench.scale.scaling import SHOWN, Series
from nnbench.show import ticks, units
from nnbench.show.palette import SERIES_COLOURS

AXIS_WORDS = {
    "rows": "rows (full batch)",
    "width": "width of each of 2 layers",
    "depth": "depth, layers of 6",
    "batch": "rows in a batch",
}


def draw(found: Sequence[Series]) -> Figure:
    """The figure of the series of one axis; a dotted line shows growth in proportion."""
    phases = [phase for phase in SHOWN if any(each.phase == phase for each in found)]
    figure = Figure(figsize=(4.3 * len(phases), 4.3), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(phases)))
    places = list(dict.fromkeys(each.place for each in found))
    for panel, phase in zip(panels, phases, strict=True):
        mine = [each for each in found if each.phase == phase]
        for each in mine:
            seconds = np.array([time.value for time in each.times])
            bars = np.array(
                [
                    (time.value - time.low, time.high - time.value) if time.has_interval else (0, 0)
                    for time in each.times
                ]
            ).T
            grows = each.place
            if each.exponent:
                grows += f": ∝ size^{round(each.exponent[0], 2) + 0.0:.2f}"
            panel.errorbar(
                each.sizes,
                seconds,
                yerr=bars,
                marker="o",
                markersize=4,
                capsize=2,
                color=SERIES_COLOURS[places.index(each.place) % len(SERIES_COLOURS)],
                label=grows,
            )
        longest = max(mine, key=lambda each: len(each.sizes))
        sizes = np.array(longest.sizes, dtype=float)
        last = max(each.times[-1].value for each in mine)
        panel.plot(sizes, last * sizes / sizes[-1], ":", color="#888888", label="in proportion")
        values = [time.value for each in mine for time in each.times]
        panel.set(xscale="log", yscale="log", title=phase, ylim=(min(values) / 2, 2 * max(values)))
        panel.set_xlabel(AXIS_WORDS[longest.axis])
        shown = longest.sizes if len(longest.sizes) <= 6 else longest.sizes[::2]
        panel.xaxis.set_major_locator(FixedLocator(list(shown)))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value):,}"))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_locator(ticks.logarithmic(*panel.get_ylim()))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.seconds(value)))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    launches = sorted({time.launches for each in found for time in each.times})
    figure.supxlabel(
        "95 % intervals; each point from "
        f"{' to '.join(str(n) for n in dict.fromkeys((launches[0], launches[-1])))} launches. "
        "Exponents are of the upper half of the sizes.",
        fontsize=8,
        color="#555555",
        x=0.01,
        ha="left",
    )
    return figure
