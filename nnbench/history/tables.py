"""What `nnbench history` prints for a person."""

from collections.abc import Iterator, Sequence

from nnbench.history.alarms import SPIKE
from nnbench.history.readers import Skipped
from nnbench.history.table import SERIES, History
from nnbench.history.words import Told, level
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import note, open_console, print_table, say

PIPED_WIDTH = 160
MOST_SERIES = 50
MOST_SKIPPED = 10
COLUMNS = ("benchmark", "case", "commits", "launches", "first", "last", "last / first")


def print_history(history: History) -> None:
    """A line for each series: how many commits, first and last value."""
    for shown in _tables(history):
        print_table(shown, PIPED_WIDTH)
    table = history.table
    series = table.groupby(SERIES).ngroups
    say(f"{len(table)} rows, {table['commit'].nunique()} commits, {series} series")
    print_skipped(history.skipped)


def _tables(history: History) -> Iterator[Table]:
    """A table for each source, host and environment."""
    for (source, host, environment), together in history.table.groupby(SERIES[:3], sort=False):
        rows = []
        for _, series in together.groupby(SERIES, sort=False):
            first, last = (series.iloc[number] for number in (0, -1))
            values = float(first["value"]), float(last["value"])
            shown = (
                *(first["benchmark"], first["case"], len(series), series["launches"].sum()),
                *(level(value, first["unit"]) for value in values),
                f"{values[1] / values[0]:.3f}" if values[0] > 0 else "-",
            )
            rows.append([Cell(str(one)) for one in shown])
        more = f"and {len(rows) - MOST_SERIES} more: choose with --match, or export"
        yield Table(
            f"{source} on {host}: {environment}",
            COLUMNS,
            rows[:MOST_SERIES],
            caption=more if len(rows) > MOST_SERIES else "",
            texts=2,
        )


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """What could not be used, on standard error."""
    for one in skipped[:MOST_SKIPPED]:
        note(f"skipped {one.place}: {one.reason}")
    if len(skipped) > MOST_SKIPPED:
        note(f"skipped {len(skipped) - MOST_SKIPPED} more")


def print_check(told: Told) -> None:
    """A line a finding, then how many alarms."""
    console = open_console()
    spikes = sum(line.found.alarm.kind == SPIKE for line in told.lines)
    for line in told.lines:
        if line.found.alarm.kind != SPIKE:
            style = "bold" if line.found.counts else ""
            console.print(line.sentence, markup=False, soft_wrap=True, style=style)
    if spikes:
        say(f"{spikes} commit{'s were' if spikes > 1 else ' was'} off alone: no step")
    say(told.summary)
    print_skipped(told.check.history.skipped)
