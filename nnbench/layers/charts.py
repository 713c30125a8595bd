"""The figure of a step's layers: bars along the depth, forward, backward and update stacked."""

import numpy as np
from matplotlib.figure import Figure

from nnbench.layers.breakdown import LOSS, PASSES, REST, Breakdown
from nnbench.show import figures, units
from nnbench.show.palette import SERIES_COLOURS
from nnbench.show.text import shortened
from nnbench.stats.interval import Interval

COLOURS = dict(zip(PASSES, SERIES_COLOURS, strict=False))
OTHERS = "#999999"
BAR = 0.7
"""How much of its row a bar takes."""


def along_the_depth(found: Breakdown) -> Figure:
    """A bar a layer in the order of the network, from the input on top; its interval at the end."""
    whole: list[tuple[str, Interval]] = [(one.name, one.time_s) for one in found.groups]
    whole += [(LOSS, found.loss_s), (REST, found.rest_s)]
    figure = Figure(figsize=(10, 1.6 + 0.3 * len(whole)), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(whole))
    below, above = np.zeros((2, len(found.groups)))
    for name in PASSES:
        # A part below zero is drawn to the left: the parts' sum stays the layer's time.
        parts = [one.passes_s.get(name) for one in found.groups]
        widths = np.array([part.value if part else 0.0 for part in parts])
        left = np.where(widths < 0, below, above)
        colour = COLOURS[name]
        axis.barh(places[: len(widths)], widths, BAR, left, color=colour, label=name)
        below, above = below + np.minimum(widths, 0), above + np.maximum(widths, 0)
    unsplit = [at for at, one in enumerate(found.groups) if not one.passes_s]
    times = [time for _, time in whole]
    others = [*unsplit, *range(len(found.groups), len(whole))]
    lengths = [times[at].value for at in others]
    axis.barh(places[others], lengths, BAR, color=OTHERS, label="undivided")
    if all(time.has_interval for time in times):
        ends, reach = [time.value for time in times], figures.bar_lengths(times)
        axis.errorbar(ends, places, xerr=reach, fmt="none", color="black", capsize=2, linewidth=1)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(places, [shortened(name) for name, _ in whole], fontsize=8)
    axis.invert_yaxis()
    axis.set_ylim(len(whole) - 0.4, -0.6)
    figures.seconds_axis(axis.xaxis)
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.set_xlabel("time in a step")
    figures.legend_above(figure)
    case, step = found.case, units.seconds(found.whole_s.value)
    several = found.launches > 1
    sampled = f"95 % intervals from {found.launches} launches" if several else "one launch"
    figures.footnote(
        figure,
        f"{found.name}: {case.context}; the whole step takes {step}; {sampled}.\n"
        f"{case.data}, {case.batch_rows:,} rows a batch.",
    )
    return figure
