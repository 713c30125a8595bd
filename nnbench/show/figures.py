"""What all figures share: footnotes, error bars, axes of seconds, and saving them."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from nnbench.machine import whole_file
from nnbench.show import ticks, units
from nnbench.show.intervals import HasInterval

RESOLUTION_DPI = 110


def footnote(figure: Figure, text: str) -> None:
    """Say below a figure what stands behind it."""
    figure.supxlabel(text, fontsize=8, color="#555555", x=0.01, ha="left")


def bar_lengths(found: Sequence[HasInterval]) -> NDArray[np.float64]:
    """Lengths below and above for `errorbar`, shape (2, n); 0 where there is no interval."""
    pairs = [
        (one.value - one.low, one.high - one.value) if one.has_interval else (0.0, 0.0)
        for one in found
    ]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2).T


def seconds_axis(axis: Axis) -> None:
    """Write an axis' numbers as times with their units."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: units.seconds(value)))


def log_seconds_axis(axis: Axis) -> None:
    """The same for a logarithmic axis, with ticks to read it by; its limits are final already."""
    axis.set_major_locator(ticks.logarithmic(*axis.get_view_interval()))
    axis.set_minor_formatter(NullFormatter())
    seconds_axis(axis)


def legend_above(figure: Figure, columns: int = 8) -> None:
    """A legend of what the first panel shows, above all panels; none where nothing has a label."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper center", ncols=columns, fontsize=8, frameon=False
        )


def png(figure: Figure, dpi: int = RESOLUTION_DPI) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def in_base64(figure: Figure) -> str:
    """A figure as PNG in base64, for a page."""
    return base64.b64encode(png(figure)).decode()


def save_figure(figure: Figure, path: Path, dpi: int = RESOLUTION_DPI) -> str:
    """Write a figure as PNG and return it in base64. Raises UserError if it cannot be written."""
    drawn = png(figure, dpi)
    whole_file.write(path, drawn)
    return base64.b64encode(drawn).decode()
