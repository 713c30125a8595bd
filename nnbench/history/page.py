"""Times over commits, for a person: what changed, and charts of every benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nnbench.history import charts
from nnbench.history import check as checking
from nnbench.history.annotations import Annotation
from nnbench.history.check import Check
from nnbench.show import figures, html

PAGE = "history.html"
CHARTS = "history-charts"
MOST_FIGURES, MOST_IN_REPORT = 40, 12


@dataclass(frozen=True)
class _Chart:
    title: str
    image: str


def write(check: Check, folder: Path, annotations: Sequence[Annotation] = ()) -> Path:
    """Write the page over commits into `folder`, its charts beside it; return the page's path.

    Raises UserError if the folder cannot be written.
    """
    shown = section(check, folder, annotations)
    return html.render(folder / PAGE, "history/page.html.j2", annotations=annotations, **shown)


def section(
    check: Check, folder: Path, annotations: Sequence[Annotation] = (), most: int = MOST_FIGURES
) -> dict[str, Any]:
    """Draw into `folder`; return what `over_commits.html.j2` shows.

    Figures with alarms come first, at most `most`. Raises UserError if the folder cannot be
    written.
    """
    shown: list[tuple[str, Figure]] = []
    overview = charts.sizes(check)
    if overview is not None:
        shown.append(("All changes", overview))
    groups = charts.panels(check)
    telling = {id(one.alarm.series) for one in check.found}
    ranked = sorted(groups, key=lambda title: not any(id(one) in telling for one in groups[title]))
    for title in ranked[:most]:
        figure = charts.over_commits(check, title, groups[title], annotations)
        shown.append((title.partition("\n")[0], figure))
    drawn = [
        _Chart(title, figures.save_figure(figure, folder / CHARTS / f"{place:02d}.png"))
        for place, (title, figure) in enumerate(shown)
    ]
    return {
        "check": check,
        "checking": checking,
        "commit_charts": drawn,
        "left_out": max(0, len(groups) - most),
    }
