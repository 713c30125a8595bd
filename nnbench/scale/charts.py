"""Cost along an axis, both axes logarithmic: one panel a phase, one line a backend and path."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from nnbench.scale.scaling import SHOWN, Series
from nnbench.show import units
from nnbench.show.figures import bar_lengths, footnote, log_seconds_axis, save_figure
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
    colours = dict(zip(dict.fromkeys(each.context for each in found), SERIES_COLOURS, strict=False))
    for panel, phase in zip(panels, phases, strict=True):
        _draw(panel, [each for each in found if each.phase == phase], colours)
    launches = sorted({time.launches for each in found for time in each.times})
    footnote(
        figure,
        "95 % intervals; each point from "
        f"{' to '.join(str(n) for n in dict.fromkeys((launches[0], launches[-1])))} launches. "
        "Exponents are of the upper half of the sizes.",
    )
    return figure


def write(found: Sequence[Series], folder: Path) -> Path:
    """Draw the series of one axis into a folder; return the chart's path."""
    path = folder / f"scale-{found[0].axis}.png"
    save_figure(draw(found), path)
    return path


def _draw(panel: Axes, mine: Sequence[Series], colours: dict[str, str]) -> None:
    for each in mine:
        grows = f": ∝ size^{units.exponent(each.exponent.value)}" if each.exponent else ""
        panel.errorbar(
            each.sizes,
            [time.value for time in each.times],
            yerr=bar_lengths(each.times),
            marker="o",
            markersize=4,
            capsize=2,
            color=colours[each.context],
            label=each.context + grows,
        )
    longest = max(mine, key=lambda each: len(each.sizes))
    sizes = np.array(longest.sizes, dtype=float)
    last = max(each.times[-1].value for each in mine)
    panel.plot(sizes, last * sizes / sizes[-1], ":", color="#888888", label="in proportion")
    values = [time.value for each in mine for time in each.times]
    panel.set(xscale="log", yscale="log", ylim=(min(values) / 2, 2 * max(values)))
    panel.set(title=mine[0].phase, xlabel=AXIS_WORDS[longest.axis])
    shown = longest.sizes if len(longest.sizes) <= 6 else longest.sizes[::2]
    panel.xaxis.set_major_locator(FixedLocator(list(shown)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value):,}"))
    panel.xaxis.set_minor_locator(NullLocator())
    log_seconds_axis(panel.yaxis)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.17))
