"""What all figures share: footnotes, error bars, logarithmic axes, and saving them."""

import base64
import io
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from nnbench.machine import whole_file
from nnbench.show import units
from nnbench.show.intervals import HasInterval
from nnbench.show.text import printable

RESOLUTION_DPI = 110
LONGEST_LABEL, LONGEST_LINE = 70, 250
PLAIN: dict[Any, bool] = {"text.parse_math": False, "text.usetex": False}
"""Of Matplotlib's settings: names may hold dollars and backslashes."""

_POWER = re.compile(r"\$\\mathdefault\{(?:(.+)\\times)?(\d+)\^\{(.+)\}\}\$")


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


def log_numbers_axis(axis: Axis) -> None:
    """A logarithmic axis of plain numbers, such as losses; its limits are final already."""
    axis.set_major_locator(log_ticks(*axis.get_view_interval()))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def legend_above(figure: Figure, columns: int = 8) -> None:
    """A legend of what the first panel shows, above all panels; none where nothing has a label."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        style: dict[str, Any] = {"loc": "outside upper center", "fontsize": 8, "frameon": False}
        figure.legend(handles, labels, ncols=columns, **style)


class _Printable(Formatter):
    """What another formatter writes at the ticks of an axis, made printable."""

    def __init__(self, inner: Formatter) -> None:
        self._inner = inner

    def set_locs(self, locs: Any) -> None:
        self._inner.set_locs(locs)

    def get_offset(self) -> str:
        return self._inner.get_offset()

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = self._inner(x, pos)
        # What Matplotlib writes by itself on logarithmic axes.
        if power := _POWER.fullmatch(text):
            times, base, exponent = power.groups()
            raised = units.power(int(base), int(exponent.replace("\N{MINUS SIGN}", "-")))
            return f"{times}×{raised}" if times else raised
        return _lines(text, LONGEST_LABEL)


def _lines(text: str, longest: int = LONGEST_LINE) -> str:
    return "\n".join(printable(line, longest) for line in text.split("\n"))


def _make_printable(figure: Figure) -> None:
    # Of a figure without axes all texts are its own: to look for others takes longer than to draw.
    own = figure.findobj(Text) if figure.axes else [one for one in figure.texts + figure.artists
                                                    if isinstance(one, Text)]  # fmt: skip
    for text in own:
        text.set_text(_lines(text.get_text()))
        text.set(parse_math=False, usetex=False)
    for legend in (*figure.legends, *(axes.get_legend() for axes in figure.axes)):
        for text in legend.get_texts() if legend else ():
            text.set_text(_lines(text.get_text(), LONGEST_LABEL))
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        for get, set_ in (
            (axis.get_major_formatter, axis.set_major_formatter),
            (axis.get_minor_formatter, axis.set_minor_formatter),
        ):
            if not isinstance(get(), (_Printable, NullFormatter)):
                set_(_Printable(get()))


def png(figure: Figure, dpi: int) -> bytes:
    """A figure as PNG, whatever its texts hold."""
    buffer = io.BytesIO()
    with mpl.rc_context(PLAIN), warnings.catch_warnings():
        # A box for a letter that the font lacks, and a crowded figure, say enough.
        warnings.filterwarnings("ignore", "Glyph |constrained_layout not applied")
        _make_printable(figure)
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """A figure as SVG without a ground of its own, its text as text, whatever that holds."""
    buffer = io.StringIO()
    figure.patch.set_visible(False)
    settings = {**PLAIN, "svg.fonttype": "none", "svg.hashsalt": "nnbench"}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph |constrained_layout not applied")
        _make_printable(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path, dpi: int = RESOLUTION_DPI) -> str:
    """Write a figure as PNG and return it in base64. Raises UserError if it cannot be written."""
    drawn = png(figure, dpi)
    whole_file.write(path, drawn)
    return base64.b64encode(drawn).decode()
