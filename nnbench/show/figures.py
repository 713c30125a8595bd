"""What all figures share: footnotes, error bars, logarithmic axes, and saving them."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from nnbench.machine import whole_file
from nnbench.show import units
from nnbench.show.intervals import HasInterval

RESOLUTION_DPI = 110


def footnote(figure: Figure, text: str) -> None:
    """Say below a figure what stands behind it."""
    figure.supxlabel(text, fontsize=8, color="#555555", x=0.01, ha="left")


def span(numbers: Iterable[int]) -> str:
    """The least and the largest of some counts: `5`, `3 to 5`; `no` without any."""
    values = sorted(set(numbers))
    return " to ".join(str(value) for value in dict.fromkeys(values[:1] + values[-1:])) or "no"


def bar_lengths(found: Sequence[HasInterval]) -> NDArray[np.float64]:
    """Lengths below and above for `errorbar`, shape (2, n); 0 where there is no interval."""
    pairs = [
        (one.value - one.low, one.high - one.value) if one.has_interval else (0.0, 0.0)
        for one in found
    ]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2).T


def name_point(axes: Axes, name: str, point: tuple[float, float], *, right: bool) -> None:
    """Name a point to its right or left: taking turns, two neighbours' names part."""
    side: dict[str, Any] = {"ha": "left", "va": "bottom"} if right else {"ha": "right", "va": "top"}
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0}
    offset = (6, 5) if right else (-6, -5)
    axes.annotate(name, point, offset, textcoords="offset points", fontsize=8, bbox=box, **side)


def log_ticks(low: float, high: float) -> LogLocator:
    """Powers of ten where `low` to `high` spans three, else more: enough to read the axis by."""
    decades = np.log10(high / low)
    subdivisions: Sequence[float] = (1.0, 2.0, 5.0) if decades < 3 else (1.0,)
    if decades < 0.7:
        subdivisions = np.arange(1, 10, 0.5 if decades < 0.3 else 1.0).tolist()
    return LogLocator(subs=subdivisions, numticks=12)


def seconds_axis(axis: Axis) -> None:
    """Write an axis' numbers as times with their units."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: units.seconds(value)))


def log_seconds_axis(axis: Axis) -> None:
    """The same for a logarithmic axis, with ticks to read it by; its limits are final already."""
    axis.set_major_locator(log_ticks(*axis.get_view_interval()))
    axis.set_minor_formatter(NullFormatter())
    seconds_axis(axis)


def legend_above(figure: Figure, columns: int = 8) -> None:
    """A legend of what the first panel shows, above all panels; none where nothing has a label."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        style: dict[str, Any] = {"loc": "outside upper center", "fontsize": 8, "frameon": False}
        figure.legend(handles, labels, ncols=columns, **style)


def png(figure: Figure, dpi: int) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path, dpi: int = RESOLUTION_DPI) -> str:
    """Write a figure as PNG and return it in base64. Raises UserError if it cannot be written."""
    drawn = png(figure, dpi)
    whole_file.write(path, drawn)
    return base64.b64encode(drawn).decode()
