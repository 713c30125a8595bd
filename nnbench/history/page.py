"""Times over commits, for a person: what changed, and charts of every benchmark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nnbench.history import charts, words
from nnbench.history.annotations import Annotation
from nnbench.history.check import Check
from nnbench.show import html
from nnbench.show.svg import Chart

PAGE = "history.html"
CHARTS = "history-charts"
MOST_FIGURES, MOST_IN_REPORT = 40, 12


def write(check: Check, folder: Path, annotations: Sequence[Annotation] = ()) -> Path:
    """Write page and charts into `folder`; return the page. Raises UserError if it cannot."""
    shown = section(check, folder, annotations)
    shown |= {"annotations": annotations, "too_few": words.too_few(check)}
    return html.render(folder / PAGE, "history/page.html.j2", **shown)


def section(
    check: Check, folder: Path, annotations: Sequence[Annotation] = (), most: int = MOST_FIGURES
) -> dict[str, Any]:
    """Draw into `folder`; return what the template shows. Raises UserError if it cannot write."""
    told = words.tell(check)
    overview = charts.sizes(told)
    shown = [("All changes", overview)] if overview is not None else []
    groups = charts.panels(check)
    for title, group in sorted(groups, key=lambda one: not any(map(told.of, one[1])))[:most]:
        figure = charts.over_commits(told, title, group, annotations)
        shown.append((title.partition("\n")[0], figure))
    drawn = [
        (title, html.save_chart(_chart(title, figure), folder / CHARTS / f"{number:02d}.svg"))
        for number, (title, figure) in enumerate(shown)
    ]
    left_out = max(0, len(groups) - most)
    return {"check": check, "told": told, "commit_charts": drawn, "left_out": left_out}


def _chart(title: str, figure: Figure) -> Chart:
    return Chart(figure, f"{title} over commits", on_paper=True)
