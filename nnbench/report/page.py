"""The report of a run: one HTML page that needs nothing else, and the charts as files."""

from pathlib import Path
from typing import Any

from nnbench import phases
from nnbench.history import page as over_commits
from nnbench.history.check import Check
from nnbench.report import charts, tables
from nnbench.report.run_analysis import Group, RunAnalysis
from nnbench.show import html
from nnbench.show.figures import save_figure
from nnbench.show.text import file_name

PAGE = "report.html"
CHARTS = "charts"


def write(found: RunAnalysis, check: Check | None = None) -> Path:
    """Write page and charts to the run's folder; return the page. Raises UserError if it cannot."""
    folder = found.run.folder
    shown: dict[str, Any] = {"check": None}
    if check is not None:
        shown = over_commits.section(check, folder, most=over_commits.MOST_IN_REPORT)
    shown["sections"] = [_section(found, group) for group in found.groups]
    shown |= {"found": found, "run": found.run, "phases": phases.DEFINITIONS}
    return html.render(folder / PAGE, "report/page.html.j2", **shown)


def _section(found: RunAnalysis, group: Group) -> dict[str, Any]:
    context, shown = group.first.context, group.summaries
    several, own = len(shown) > 1, any(summary.case.model for summary in shown)
    figures = {
        "cold_parts": charts.cold_parts(shown),
        "ratios": charts.ratios(shown),
        "against_parameters": charts.against_parameters(shown) if several else None,
        "against_depth": charts.against_depth(shown) if several and not own else None,
        "samples": charts.samples(shown, found.block_values, found.noisy),
    }
    stem = found.run.folder / CHARTS / file_name(context.replace(", ", "-"))
    drawn = {
        name: save_figure(figure, stem.with_name(f"{stem.name}-{name}.png"))
        for name, figure in figures.items()
        if figure is not None
    }
    table = tables.cases(group, whole=True)
    return {"context": context, "first": group.first, "table": table, "charts": drawn}
