"""The report of a run: one HTML page that needs nothing else, and the charts as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nnbench import phases
from nnbench.history import page
from nnbench.history.check import Check
from nnbench.machine import noise
from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE
from nnbench.report import charts, words
from nnbench.show import figures, html, units
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary, block_values, groups, measured_share, summarise
from nnbench.store.runs import Run

PAGE = "report.html"
CHARTS = "charts"
TABLE_PHASES = (COLD, TRACE, COMPILE, EPOCH, STEP)


@dataclass(frozen=True)
class _Chart:
    name: str
    title: str
    reading: str
    image: str


@dataclass(frozen=True)
class _Section:
    place: str
    group: Sequence[CaseSummary]
    charts: Sequence[_Chart]


READING = {
    "cold_parts": (
        "Where a cold training spends its time",
        "Each bar is one network trained from nothing. The coloured parts were measured one by "
        "one; the diamond is the same training timed as a whole, with its interval. The hatched "
        "rest is what the parts miss; drawn left of zero it is what they have too much.",
    ),
    "against_parameters": (
        "Time against the number of parameters",
        "If weights were what costs, every panel would rise from left to right. A flat panel "
        "means that something else is being paid for.",
    ),
    "against_depth": (
        "Time against depth",
        "The same times by the number of hidden layers.",
    ),
    "ratios": (
        "Each phase against the first network",
        "To the right of the line is slower. Where a bar crosses the line, the difference may be "
        "chance.",
    ),
    "samples": (
        "Every block, in the order of measurement",
        "Lines that move up and down together show the machine, not the networks: ratios are "
        "formed within blocks so that this cancels. A jump at a vertical line is a difference "
        "between processes.",
    ),
}


def write(run: Run, check: Check | None = None) -> Path:
    """Write the page and its charts into the run's folder, and return the page's path.

    With `check`, what was found of its networks over commits, the page has a part on that.
    Raises UserError if the folder cannot be written.
    """
    summaries = summarise(run)
    values = block_values(run.samples())
    marked = noise.noisy_blocks(run.trials)
    sections = [_section(run, group, values, marked) for group in groups(summaries)]
    return html.render(
        run.folder / PAGE,
        "report/page.html.j2",
        run=run,
        story=words.tell(summaries, run),
        sections=sections,
        table_phases=TABLE_PHASES,
        phase_rows=_phase_rows(),
        time=_time_cell,
        ratio=_ratio_cell,
        inside=measured_share(run),
        noisy=len(marked),
        blocks=len({(trial["launch"], trial["block"]) for trial in run.trials}),
        reasons=_noise_reasons(run),
        **_over_commits(run, check),
    )


def _over_commits(run: Run, check: Check | None) -> dict[str, Any]:
    if check is None:
        return {"check": None}
    return page.section(check, run.folder, most=page.MOST_IN_REPORT)


def _noise_reasons(run: Run) -> list[str]:
    found = [
        f"launch {trial['launch']}, block {trial['block']}: {reason}"
        for trial in run.trials
        for reason in noise.contamination(trial.get("noise", {}))
    ]
    return list(dict.fromkeys(found))


def _section(
    run: Run,
    group: Sequence[CaseSummary],
    values: pd.DataFrame,
    marked: set[tuple[int, int]],
) -> _Section:
    place = group[0].case.place
    several = len(group) > 1
    own = any(summary.case.model for summary in group)
    figures: dict[str, Figure | None] = {
        "cold_parts": charts.cold_parts(group),
        "ratios": charts.ratios(group),
        "against_parameters": charts.against_parameters(group) if several else None,
        "against_depth": charts.against_depth(group) if several and not own else None,
        "samples": charts.samples(group, values, marked),
    }
    stem = place.replace(", ", "-").replace(":", "").replace(" ", "")
    drawn = [
        _draw(run.folder / CHARTS / f"{stem}-{name}.png", name, figure)
        for name, figure in figures.items()
        if figure is not None
    ]
    return _Section(place, group, drawn)


def _draw(path: Path, name: str, figure: Figure) -> _Chart:
    title, reading = READING[name]
    return _Chart(name, title, reading, figures.save_figure(figure, path))


def _time_cell(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return "–", ""
    interval = ""
    if estimate.has_interval:
        interval = units.beside(estimate.value, estimate.low, estimate.high)
    return units.seconds(estimate.value), interval


def _ratio_cell(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return "–", ""
    interval = units.ratio_range(estimate.low, estimate.high) if estimate.has_interval else ""
    return units.ratio(estimate.value), interval


def _phase_rows() -> list[tuple[str, str, str]]:
    """The table of phases as it stands in the docstring that defines them."""
    rows = []
    for line in (phases.__doc__ or "").splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and cells[0] in phases.PHASES:
            rows.append((cells[0], cells[1], cells[2]))
    return rows
