"""What `nnbench history` prints for a person."""

import math
from collections.abc import Sequence

from nnbench.history.alarms import SPIKE
from nnbench.history.check import Check
from nnbench.history.readers import Skipped
from nnbench.history.table import SERIES, History
from nnbench.history.words import Told, level, too_few, unpaired
from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import print_sentences, print_table, say, skipped

PIPED_WIDTH = 160
MOST_SERIES, MOST_SKIPPED, MOST_SHOWN = 50, 10, 10
COLUMNS = ("benchmark", "case", "commits", "launches", "first", "last", "last / first")


def print_history(history: History) -> None:
    """A table for each source, host and environment: first and last value of each series."""
    table = history.table
    for (source, host, environment), together in table.groupby(SERIES[:3], sort=False):
        rows = []
        for _, series in together.groupby(SERIES, sort=False):
            first, last = (series.iloc[number] for number in (0, -1))
            values = float(first["value"]), float(last["value"])
            counts = len(series), series["launches"].sum()
            ends = [level(value, first["unit"]) for value in values]
            ratio = f"{values[1] / values[0]:.3f}" if values[0] > 0 else "-"
            shown = (first["benchmark"], first["case"], *counts, *ends, ratio)
            rows.append([Cell(str(one)) for one in shown])
        title, more = f"{source} on {host}: {environment}", ""
        if len(rows) > MOST_SERIES:
            more = f"and {len(rows) - MOST_SERIES} more: choose with --match, or export"
        shown_rows = rows[:MOST_SERIES]
        print_table(Table(title, COLUMNS, shown_rows, caption=more, texts=2), PIPED_WIDTH)
    count = table.groupby(SERIES).ngroups
    say(f"{len(table)} rows, {table['commit'].nunique()} commits, {count} series")
    if apart := unpaired(history):
        say(apart)
    print_skipped(history.skipped)


def print_skipped(found: Sequence[Skipped]) -> None:
    """What could not be used, on standard error."""
    told = [f"{one.place}: {one.reason}" for one in found[:MOST_SKIPPED]]
    if (more := len(found) - MOST_SKIPPED) > 0:
        told.append(f"{more} more")
    skipped(told)


def could_show(check: Check) -> Table:
    """What size of change each series could show: those that show least first."""
    known = sorted(
        zip(check.series, check.smallest, strict=True),
        key=lambda pair: -(pair[1] if pair[1] is not None else math.inf),
    )
    rows = [
        [
            Cell(one.benchmark),
            Cell(one.case),
            Cell(str(len(one.commits))),
            Cell("in turn" if one.interleaved else "each by itself"),
            Cell("none: too few commits" if size is None else units.change(1 + size)),
        ]
        for one, size in known[:MOST_SHOWN]
    ]
    left = len(known) - len(rows)
    more = f"; and {left} more that show smaller ones" if left else ""
    columns = ["benchmark", "case", "commits", "measured", "smallest change"]
    caption = f"a lasting change of this size in the middle is an alarm four times in five{more}"
    return Table("What size of change could be seen", columns, rows, caption, texts=2)


def print_check(told: Told) -> None:
    """A line a finding, then how many alarms."""
    spikes = sum(line.found.alarm.kind == SPIKE for line in told.lines)
    for line in told.lines:
        if line.found.alarm.kind != SPIKE:
            style = "bold" if line.found.counts else ""
            print_sentences([line.sentence], style, wrap=False)
    if spikes:
        say(f"{spikes} commit{'s were' if spikes > 1 else ' was'} off alone: no step")
    if told.check.series and not told.check.alarms:
        print_table(could_show(told.check), PIPED_WIDTH)
    say(told.summary)
    if few := too_few(told.check):
        say(few)
    print_skipped(told.check.history.skipped)
