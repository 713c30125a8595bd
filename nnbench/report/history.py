"""The page over commits: what changed, charts of every benchmark, and how to read them."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from nnbench import __version__, history_charts
from nnbench.errors import UserError
from nnbench.history import check as checking
from nnbench.history.annotations import Annotation
from nnbench.history.check import Check

PAGE = "history.html"
CHARTS = "history-charts"
RESOLUTION_DPI = 110
MOST_FIGURES = 40


@dataclass(frozen=True)
class _Chart:
    title: str
    image: str


def write(check: Check, folder: Path, annotations: Sequence[Annotation] = ()) -> Path:
    """Write the page into `folder`, its charts beside it as files; return the page's path.

    Figures with alarms come first, at most `MOST_FIGURES`. Raises UserError if the folder cannot
    be written.
    """
    figures: list[tuple[str, Figure]] = []
    overview = history_charts.sizes(check)
    if overview is not None:
        figures.append(("All changes", overview))
    groups = history_charts.panels(check)
    telling = {id(one.alarm.series) for one in check.found}
    ranked = sorted(groups, key=lambda title: not any(id(one) in telling for one in groups[title]))
    for title in ranked[:MOST_FIGURES]:
        figure = history_charts.over_commits(check, title, groups[title], annotations)
        figures.append((title.partition("\n")[0], figure))
    try:
        (folder / CHARTS).mkdir(parents=True, exist_ok=True)
        charts = [
            _Chart(title, _draw(figure, folder / CHARTS / f"{place:02d}.png"))
            for place, (title, figure) in enumerate(figures)
        ]
        environment = Environment(
            loader=PackageLoader("nnbench.report", "."), autoescape=True, undefined=StrictUndefined
        )
        page = environment.get_template("history.html.j2").render(
            check=check,
            checking=checking,
            charts=charts,
            left_out=max(0, len(groups) - MOST_FIGURES),
            annotations=annotations,
            version=__version__,
        )
        partial = folder / f"{PAGE}.partial"
        partial.write_text(page, encoding="utf-8")
        partial.replace(folder / PAGE)
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure
    return folder / PAGE


def _draw(figure: Figure, path: Path) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=RESOLUTION_DPI, facecolor="white")
    partial = path.with_suffix(".partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)
    return base64.b64encode(buffer.getvalue()).decode()
