"""All alarms of a history, for continuous integration and the people of a pull request."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.errors import UserError
from nnbench.history import alarms as finding
from nnbench.history import annotations, table
from nnbench.history.alarms import NUMBERS, UNCONFIRMED, Alarm
from nnbench.history.annotations import Annotation
from nnbench.history.series import Series, all_of
from nnbench.history.table import History
from nnbench.store.runs import Run
from nnbench.workload.networks import listed


@dataclass(frozen=True)
class Found:
    """One alarm, what was said of its commit, and how many commits it may be."""

    alarm: Alarm
    subject: str
    acknowledged: str
    range_size: int

    @property
    def counts(self) -> bool:
        """Whether it makes the check fail."""
        return self.alarm.raised and not self.acknowledged


@dataclass(frozen=True)
class Check:
    """What was looked at and found. `silent` counts series of too few commits to raise an alarm.

    `smallest` is the least change that each of `series` could show, as a share; None for none.
    """

    history: History
    series: list[Series]
    found: list[Found]
    silent: int
    smallest: list[float | None]

    @property
    def alarms(self) -> list[Found]:
        """Those that make the check fail."""
        return [one for one in self.found if one.counts]

    def fails(self, *, strict: bool = False) -> bool:
        """Whether there is an alarm or, if `strict`, an unconfirmed change to slower."""
        unexplained = [one.alarm for one in self.found if not one.acknowledged]
        doubtful = any(alarm.kind == UNCONFIRMED and alarm.slower for alarm in unexplained)
        return bool(self.alarms) or (strict and doubtful)


def run(
    history: History,
    remarks: Sequence[Annotation] = (),
    *,
    false_alarms: float = finding.FALSE_ALARMS,
    least: float = finding.LEAST,
    since: str | None = None,
) -> Check:
    """Look for changes in every series; with `since`, only those that may lie after that commit."""
    series = list(all_of(history))
    orders = {name: order for order, name in enumerate(history.known)}
    begin = orders.get(since, -1) if since else -1
    apart = [one for one in series if one.positive and not one.interleaved]
    silent = sum(len(one.commits) < finding.LEAST_COMMITS for one in apart)
    found = []
    seen = set()
    for alarm in finding.find(series, false_alarms=false_alarms, least=least):
        # Other results are a finding about a case, seen in each of its phases: keep one.
        place = (alarm.series.host, alarm.series.environment, alarm.series.case)
        key = (alarm.kind, alarm.commit, *place, alarm.note)
        again = alarm.kind == NUMBERS and key in seen
        seen.add(key)
        if again or orders.get(alarm.commits[-1], begin + 1) <= begin:
            continue
        said = "; ".join(one.text for one in remarks if one.explains(alarm))
        # Commits between that were not measured may have done it, too.
        known = {alarm.before, alarm.commits[-1]} <= orders.keys()
        size = orders[alarm.commits[-1]] - orders[alarm.before] if known else len(alarm.commits)
        found.append(Found(alarm, history.subject(alarm.commit), said, size))
    smallest = [finding.smallest_change(one, false_alarms=false_alarms) for one in series]
    shown = [None if size is None else max(size, least) for size in smallest]
    return Check(history, series, found, silent, shown)


def of_run(measured: Run, folders: Sequence[Path]) -> Check:
    """Changes of a run's networks over commits, on its host. Raises UserError without any."""
    host = str(measured.fingerprint["host"])
    labels = sorted({case.label for case in measured.cases.values()})
    part = table.of_networks(table.read_chosen(folders), host, labels)
    if part.table.empty:
        names = listed(sorted({measured.name(case) for case in measured.cases.values()}))
        where = f"in {', '.join(map(str, folders))} was measured on {host} of {names}"
        mend = "leave --history out, or record it with nnbench history record"
        raise UserError(f"nothing {where}: {mend}")
    return run(part, annotations.read())
