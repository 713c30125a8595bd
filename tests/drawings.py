"""Figures that are really drawn, and what lies over what in them."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def drawn(figure):
    """The axes of a figure, after it was drawn."""
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    return figure.axes


def overlapping(figure, texts):
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    return [
        (one, other)
        for position, one in enumerate(boxes)
        for other in boxes[position + 1 :]
        if one.overlaps(other)
    ]


def ticks_overlap(figure, axis):
    low, high = axis.get_xlim()
    shown = [t for t in axis.get_xticklabels() if low <= t.get_position()[0] <= high]
    return overlapping(figure, shown)
