"""The report of a run: one HTML page that needs nothing else, and the charts as files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench import phases
from nnbench.phases import STEP
from nnbench.report import answer, charts, reproduce, tables
from nnbench.report.run_analysis import Group, RunAnalysis
from nnbench.show import html
from nnbench.show.html import CHARTS
from nnbench.show.svg import WIDTH, Chart
from nnbench.show.text import file_name
from nnbench.stats.summary import CaseSummary
from nnbench.workload import networks

if TYPE_CHECKING:
    from nnbench.history.check import Check

PAGE = "report.html"

READINGS = {
    "parts": "Each bar is one network trained from nothing. The coloured parts were measured one "
    "by one; the diamond is the same training timed as a whole, with its interval. The hatched "
    "rest is what the parts miss; left of zero it is what they have too much.",
    "shares": "The same as shares of the whole: parts and rest add up to 100 %.",
    "ratios": "To the right of the line is slower. Filled signs are the whole training, hollow "
    "ones a step. Where an interval crosses the line, the difference may be chance.",
    "ratio-map": "Orange is slower, blue faster than {first}; the number is the ratio.",
    "parameters": "If weights were what costs, the points would rise from left to right. Flat "
    "means that something else is being paid for. Grey joins networks of equal depth.",
    "depth": "The same times by the number of hidden layers. Grey joins networks of equal width.",
    "samples": "Lines that move up and down together show the machine, not the networks: ratios "
    "are formed within blocks so that this cancels. Crosses are noisy blocks; a jump at a "
    "vertical line is a difference between processes.",
    "samples-map": "A row is a network, a column a block: orange is slower, blue faster than its "
    "median. A column of one colour shows the machine; crosses above are noisy blocks.",
}


def write(found: RunAnalysis, check: "Check | None" = None) -> Path:
    """Write page and charts to the run's folder; return the page. Raises UserError if it cannot."""
    folder = found.run.folder
    shown: dict[str, Any] = {"check": None}
    if check is not None:
        # Git and the statistics of histories take a second to import.
        from nnbench.history import page as over_commits

        shown = over_commits.section(check, folder, most=over_commits.MOST_IN_REPORT)
    numbers = numbers_of(found)
    told = tables.as_json(found, None) | {"run": folder.name}
    shown |= {
        "found": found,
        "run": found.run,
        "phases": phases.DEFINITIONS,
        "names": legend(found),
        "axes": [answer.axis_told(axis) for axis in found.axes],
        "matrices": tables.by_context(found, numbers) if len(found.groups) > 1 else [],
        "table": tables.all_figures(found, numbers) if found.groups else None,
        "ratios_told": tables.ratios_told(found) if found.groups else {},
        "card": _drawn(folder, card(found)),
        "sections": [_section(found, group, numbers) for group in found.groups],
        "command": reproduce.command(found.run),
        "next_commands": reproduce.next_commands(found),
        "json_link": html.json_link(told),
        "csv_link": html.csv_link(list(tables.as_rows(found))),
        "parts": charts.legend_of(found.groups),
    }
    return html.render(folder / PAGE, "report/page.html.j2", **shown)


Titled = tuple[str, str, Chart | str | None, str]
"""Of a chart: its file's name, title, what is drawn or why nothing is, and how it is read."""

NO_SHARES = (
    "Shares are not known of {networks}: the parts, timed by themselves, take much more than the "
    "whole."
)


def _drawn(folder: Path, some: Iterator[Titled]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": title,
            "reading": chart if isinstance(chart, str) else reading,
            "drawn": ""
            if isinstance(chart, str)
            else html.save_chart(chart, folder / CHARTS / f"{name}.svg"),
        }
        for name, title, chart, reading in some
        if chart is not None
    ]


def numbers_of(found: RunAnalysis) -> dict[str, int]:
    """The number of each network, by its label: its colour and sign in all charts."""
    labels = dict.fromkeys(one.case.label for one in found.summaries)
    return {label: number for number, label in enumerate(labels)}


def legend(found: RunAnalysis) -> list[tuple[str, str, int]]:
    """Name, label and number of each network."""
    names = {case.label: found.run.network(case) for case in found.run.cases.values()}
    return [(names[label], label, number) for label, number in numbers_of(found).items()]


def card(found: RunAnalysis) -> Iterator[Titled]:
    """Whole training, one step, where the time goes: of the fastest backend and path."""
    if not found.groups:
        return
    numbers = numbers_of(found)
    group = answer.fastest_group(found.groups)
    rows = answer.on_card(group, charts.CARD_ROWS)
    where = f" ({group.first.context})" if len(found.groups) > 1 else ""
    left = len(group.summaries) - len(rows)
    some = f"The fastest and the slowest; {left} more are below." if left else ""
    titles = {phases.COLD: "Whole training", phases.EPOCH: "One epoch", STEP: "One step"}
    for phase in dict.fromkeys((group.whole, STEP)):
        chart = charts.card(group, phase, rows, numbers)
        yield f"answer-{phase}", f"{titles[phase]}{where}", chart, some
    drawn, without = _shares(group, rows, numbers, charts.CARD_WIDTH)
    yield "answer-parts", f"Where the time goes{where}{without}", drawn, some


def _shares(
    group: Group, rows: Sequence[CaseSummary], numbers: dict[str, int], width: float
) -> tuple[Chart | str | None, str]:
    """The chart of shares, or why there is none; and what its title says it is without."""
    unknown = answer.without_shares(group, rows)
    chart = charts.parts(group, rows, numbers, as_shares=True, width=width)
    if chart is None and unknown:
        return NO_SHARES.format(networks=networks.listed(unknown, " and ")), ""
    return chart, f", without {networks.listed(unknown)}" if unknown else ""


def _section(found: RunAnalysis, group: Group, numbers: dict[str, int]) -> dict[str, Any]:
    """What a page shows of one backend, device and path: charts by the page's sections."""
    folder, context = found.run.folder, group.first.context
    stem = file_name(context.replace(", ", "-"))
    first, several = group.name(group.first), len(group.summaries) > 1
    many = len(group.summaries) > charts.MOST_LINES

    def why() -> Iterator[Titled]:
        rows = group.summaries
        chart = charts.parts(group, rows, numbers, as_shares=False)
        yield f"{stem}-parts", "In seconds", chart, READINGS["parts"]
        drawn, without = _shares(group, rows, numbers, WIDTH)
        yield f"{stem}-shares", f"As shares{without}", drawn, READINGS["shares"]

    def ratios() -> Iterator[Titled]:
        chart = charts.ratios(group, numbers)
        yield f"{stem}-ratios", f"Compared with {first}", chart, READINGS["ratios"]
        for phase in dict.fromkeys((group.whole, STEP)):
            title = f"{answer.WHAT[phase].capitalize()} by depth and width"
            reading = READINGS["ratio-map"].format(first=first)
            yield f"{stem}-map-{phase}", title, charts.ratio_map(group, phase), reading

    def growth() -> Iterator[Titled]:
        shown = dict.fromkeys((group.whole, STEP))
        for by in ("parameters", "depth") if several else ():
            left_out = charts.without(group, by)
            reading = f"Without {', '.join(left_out)}: {by} not known." if left_out else ""
            for phase in shown:
                chart = charts.growth(group, numbers, phase, by)
                what = answer.WHAT[phase].capitalize()
                yield f"{stem}-{by}-{phase}", f"{what} against {by}", chart, reading

    def samples() -> Iterator[Titled]:
        for phase in dict.fromkeys((group.whole, STEP)):
            chart = charts.samples(group, found.values, found.noisy, numbers, phase)
            reading = READINGS["samples-map" if many else "samples"]
            yield f"{stem}-samples-{phase}", answer.WHAT[phase].capitalize(), chart, reading

    made = {name.__name__: _drawn(folder, name()) for name in (why, ratios, growth, samples)}
    return {"context": context, "first": group.first, **made}
