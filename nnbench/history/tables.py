"""What `nnbench history` prints for a person."""

import sys
from collections.abc import Sequence

from rich import box
from rich.table import Table

from nnbench.history import check as checking
from nnbench.history.alarms import SPIKE
from nnbench.history.bisect import Outcome, Step
from nnbench.history.check import Check
from nnbench.history.readers import Skipped
from nnbench.history.table import SERIES, History
from nnbench.show.terminal import open_console

PIPED_WIDTH = 160
MOST_SERIES = 50
MOST_SKIPPED = 10


def print_history(history: History) -> None:
    """One line a series: how many commits, first and last value."""
    console = open_console(PIPED_WIDTH)
    groups = list(history.table.groupby(SERIES, sort=False))
    places = dict.fromkeys((key[0], key[1], key[2]) for key, _ in groups)
    for source, host, environment in places:
        table = Table(
            title=f"{source} on {host}: {environment}", box=box.SIMPLE_HEAD, title_justify="left"
        )
        for name in ("benchmark", "case"):
            table.add_column(name, overflow="fold")
        for name in ("commits", "launches", "first", "last", "last / first"):
            table.add_column(name, justify="right", no_wrap=True)
        mine = [(key, one) for key, one in groups if key[:3] == (source, host, environment)]
        for key, group in mine[:MOST_SERIES]:
            first, last = float(group["value"].iloc[0]), float(group["value"].iloc[-1])
            table.add_row(
                str(key[3]),
                str(key[4]),
                str(len(group)),
                str(int(group["launches"].sum())),
                checking.level(first, str(key[6])),
                checking.level(last, str(key[6])),
                f"{last / first:.3f}" if first > 0 else "-",
            )
        console.print(table)
        if len(mine) > MOST_SERIES:
            console.print(f"and {len(mine) - MOST_SERIES} more: choose with --match, or export")
    console.print(
        f"{len(history.table)} rows, {history.table['commit'].nunique()} commits, "
        f"{len(groups)} series"
    )
    print_skipped(history.skipped)


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """What could not be used, on standard error."""
    for one in skipped[:MOST_SKIPPED]:
        sys.stderr.write(f"skipped {one.place}: {one.reason}\n")
    if len(skipped) > MOST_SKIPPED:
        sys.stderr.write(f"skipped {len(skipped) - MOST_SKIPPED} more\n")


def print_check(check: Check) -> None:
    """A line a finding, then how many alarms."""
    console = open_console(PIPED_WIDTH)
    spikes = sum(one.alarm.kind == SPIKE for one in check.found)
    for one, text in zip(check.found, checking.sentences(check), strict=True):
        if one.alarm.kind != SPIKE:
            console.print(text, markup=False, soft_wrap=True, style="bold" if one.counts else "")
    if spikes:
        commits = "1 commit was" if spikes == 1 else f"{spikes} commits were"
        console.print(f"{commits} off alone: no step")
    console.print(checking.summary(check), markup=False, soft_wrap=True)
    print_skipped(check.history.skipped)


def step_text(step: Step) -> str:
    """One step of a bisection in a line."""
    ratio = step.verdict.ratio
    seen = f"{100 * (ratio.value - 1):+.1f} %"
    if ratio.has_interval:
        seen += f" [{100 * (ratio.low - 1):+.1f}, {100 * (ratio.high - 1):+.1f}]"
    return f"{step.verdict.label}: {seen}, {step.verdict.verdict}, {ratio.launches} rounds"


def outcome_text(outcome: Outcome) -> str:
    """What a bisection found, in words."""
    ratio = outcome.change.ratio
    size = f"{100 * (ratio.value - 1):+.1f} % [{100 * (ratio.low - 1):+.1f}, {100 * (ratio.high - 1):+.1f}]"  # noqa: E501
    if outcome.found:
        one = outcome.commits[0]
        return f"{one.short} {one.subject}: {size}"
    if not outcome.steps or outcome.change.verdict != "different":
        return f"{outcome.reason}: {size}, {outcome.change.verdict}"
    return (
        f"after {outcome.first.short}, up to {outcome.last.short} "
        f"({len(outcome.commits)} commits): {size}; {outcome.reason}"
    )
