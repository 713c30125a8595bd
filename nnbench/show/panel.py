"""A panel of a chart, drawn in the page's pixels: bars, points, lines, texts and two scales.

Matplotlib's artists are put on the figure itself. Its axes, with an artist for each part of each
tick, take five times as long to make and draw, which is most of what a page with many small
charts takes.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from nnbench.show.intervals import HasInterval
from nnbench.show.svg import FONT, Chart, folded, width_of

INK, FRAME, GRID, JOINED = "#000000", "#888888", "#dddddd", "#bbbbbb"
LINE = 1.18
"""Height of a line of text, in font sizes."""

ARROW = 4.5
"""Size of an arrowhead, in pixels."""

_PIXELS = IdentityTransform()


class Scale:
    """From numbers to pixels, linear or logarithmic."""

    def __init__(
        self, low: float, high: float, pixels: tuple[float, float], *, log: bool = False
    ) -> None:
        self.low, self.high, self.pixels, self.log = low, high, pixels, log

    def __call__(self, value: float) -> float:
        """The pixel of a number, of one beyond the scale its edge."""
        # An interval that leaves the scale ends at its edge.
        value = min(max(value, self.low), self.high)
        shape: Callable[[float], float] = math.log if self.log else float
        share = (shape(value) - shape(self.low)) / (shape(self.high) - shape(self.low))
        return self.pixels[0] + share * (self.pixels[1] - self.pixels[0])

    def ticks(self, count: int) -> list[float]:
        """About so many round numbers within the scale."""
        if not self.log or self.high / self.low < 4:
            found = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
            return [float(one) for one in found if self.low <= one <= self.high]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            powers = itertools.product(range(first, last + 1), steps)
            ticks = [step * 10.0**power for power, step in powers]
            inside = [one for one in ticks if self.low <= one <= self.high]
            if len(inside) <= count + 2:
                return inside
        return inside[:: -(-len(inside) // count)]


class Panel:
    """One panel of a figure; `x` and `y` are set before anything is drawn by them."""

    def __init__(
        self,
        width: float,
        height: float,
        *,
        left: float,
        right: float = 16,
        top: float = 8,
        bottom: float = 40,
    ) -> None:
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self.chart = Chart(self.figure, "")
        self.width = width
        self.across = left, width - right
        self.upright = bottom, height - top
        self.x = Scale(0, 1, self.across)
        self.y = Scale(0, 1, self.upright)

    def scale_x(self, low: float, high: float, *, log: bool = False) -> None:
        """Set the numbers that the panel goes from and to."""
        self.x = Scale(low, high, self.across, log=log)

    def scale_y(self, low: float, high: float, *, log: bool = False) -> None:
        """The same upwards."""
        self.y = Scale(low, high, self.upright, log=log)

    def _add(self, artist: Artist, says: str = "", series: int | None = None) -> None:
        artist.set_transform(_PIXELS)
        self.figure.add_artist(artist)
        if says:
            self.chart.mark(artist, says, series)

    def bar(
        self,
        ends: tuple[float, float],
        middle: float,
        thickness: float,
        *,
        says: str,
        series: int | None = None,
        **style: Any,
    ) -> None:
        """A bar along x between two numbers, around a height of so many pixels."""
        left, right = sorted(map(self.x, ends))
        corner = left, middle - thickness / 2
        self._add(Rectangle(corner, right - left, thickness, **style), says, series)

    def cell(
        self, place: tuple[float, float], size: tuple[float, float], says: str, **style: Any
    ) -> None:
        """A rectangle by its lower left corner and its size, in pixels."""
        self._add(Rectangle(place, *size, **style), says)

    def line(
        self,
        points: Sequence[tuple[float, float]],
        *,
        says: str = "",
        series: int | None = None,
        **style: Any,
    ) -> None:
        """A line through points in pixels."""
        x, y = zip(*points, strict=True)
        self._add(Line2D(x, y, **style), says, series)

    def interval(
        self,
        found: HasInterval,
        other: float,
        says: str,
        series: int | None,
        *,
        sign: tuple[str, str],
        upright: bool = False,
        filled: bool = True,
        size: float = 6.5,
    ) -> None:
        """A point with its interval, along x or y; `other` is its place on the other, in pixels.

        An end beyond the scale is an arrowhead.
        """
        colour, marker = sign
        ends = (found.low, found.value, found.high) if found.has_interval else (found.value,) * 3
        scale = self.y if upright else self.x
        pixels = [scale(one) for one in ends]
        points = [(other, one) if upright else (one, other) for one in pixels]
        face = colour if filled else "#ffffff"
        self.line(
            points, says=says, series=series, color=colour, linewidth=1.6, marker=marker,
            markevery=[1], markersize=size, markerfacecolor=face, markeredgecolor=colour,
        )  # fmt: skip
        low, high = "v^" if upright else "<>"
        if ends[0] < scale.low:
            self.arrow(points[0], low, colour, series)
        if ends[2] > scale.high:
            self.arrow(points[2], high, colour, series)

    def arrow(
        self, place: tuple[float, float], way: str, colour: str, series: int | None = None
    ) -> None:
        """An arrowhead where an interval goes on beyond the chart; `way` is <, >, v or ^."""
        self.line(
            [place], series=series, color=colour, linestyle="none", marker=way, markersize=ARROW
        )

    def text(
        self, place: tuple[float, float], text: str, *, size: float = FONT, **style: Any
    ) -> None:
        """A text at a place in pixels, line below line."""
        lines = text.split("\n")
        x, y = place
        if style.get("va") == "center":
            y += (len(lines) - 1) * size * LINE / 2
        for number, one in enumerate(lines):
            self._add(Text(x, y - number * size * LINE, one, fontsize=size, **style))

    def x_axis(
        self,
        write: Callable[[float], str],
        *,
        label: str = "",
        count: int = 5,
        ticks: Sequence[float] | None = None,
        grid: bool = False,
    ) -> None:
        """The frame below, its numbers, and what they are."""
        (left, right), (bottom, top) = self.across, self.upright
        self.line([(left, bottom), (right, bottom)], color=FRAME, linewidth=0.8, zorder=1.5)
        edge = -math.inf
        for tick in self.x.ticks(count) if ticks is None else ticks:
            place, text = self.x(tick), write(tick)
            half = width_of(text, FONT - 1) / 2
            middle = min(place, self.width - half)
            if grid:
                self.line([(place, bottom), (place, top)], color=GRID, linewidth=0.8, zorder=0.5)
            # A number that would touch the one before it is left to the grid.
            if middle - half > edge:
                self.text((middle, bottom - 5), text, size=FONT - 1, ha="center", va="top")
                edge = middle + half + 4
        if label:
            self.text(((left + right) / 2, 6), label, ha="center", va="bottom")

    def y_axis(self, write: Callable[[float], str], *, count: int = 5) -> None:
        """Numbers on the left, a line of the grid for each."""
        left, right = self.across
        edge = -math.inf
        for tick in self.y.ticks(count):
            place = self.y(tick)
            self.line([(left, place), (right, place)], color=GRID, linewidth=0.8, zorder=0.5)
            if place - edge >= FONT + 2:
                self.text((left - 6, place), write(tick), size=FONT - 1, ha="right", va="center")
                edge = place

    def title(self, text: str) -> None:
        """What the panel shows, above it."""
        (left, right), (_, top) = self.across, self.upright
        self.text(((left + right) / 2, top + 7), text, size=FONT + 1, ha="center", va="bottom")

    def done(self, alt: str) -> Chart:
        """The chart, with what it shows in a sentence."""
        return Chart(self.figure, alt, self.chart.marks)


def of_rows(
    names: Sequence[str], width: float, *, least: float = 22, bottom: float = 40, top: float = 6
) -> tuple[Panel, list[float], float]:
    """A panel with a row for each name, the first on top; the rows' middles and height."""
    shown = [folded(name) for name in names]
    lines = max((name.count("\n") + 1 for name in shown), default=1)
    row = max(least, lines * FONT * LINE + 5)
    left = max(map(width_of, shown), default=0) + 12
    panel = Panel(width, top + bottom + row * len(names), left=left, bottom=bottom, top=top)
    middles = [float(one) for one in bottom + row * (np.arange(len(names))[::-1] + 0.5)]
    size = min(FONT, row * 0.8)
    for name, middle in zip(shown, middles, strict=True):
        panel.text((left - 7, middle), name, size=size, ha="right", va="center")
    return panel, middles, row
