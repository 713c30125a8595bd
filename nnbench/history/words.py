"""What a history says, in words: made once from a check, for terminal, page, charts and JSON."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from nnbench.history.alarms import LEAST_COMMITS, NUMBERS, SPIKE, UNCONFIRMED
from nnbench.history.bisect import Outcome
from nnbench.history.check import Check, Found
from nnbench.history.readers import BYTES
from nnbench.history.series import Series
from nnbench.history.table import History
from nnbench.show import intervals, units
from nnbench.show.intervals import CHANGE
from nnbench.show.text import markdown as markdown_text
from nnbench.stats.verdict import DIFFERENT, Comparison

MOST_LINES = 40
MARKS = {NUMBERS: "numbers", SPIKE: "one commit only", UNCONFIRMED: "unconfirmed"}


@dataclass(frozen=True)
class Line:
    """What is told of one finding; `where` is its commit or range, `advice` what to do next."""

    found: Found
    mark: str
    name: str
    change: str
    span: str
    where: str
    advice: str

    @property
    def sentence(self) -> str:
        """All of it in a line: `slower step, 6x2: +8.1 % [+6.9 %, +9.3 %]; 1a2b3c4d5 Subject`."""
        change = f"{self.change} [{self.span}]" if self.span else self.change
        if self.found.alarm.kind == NUMBERS:
            change = "the same seeded training computes other numbers"
        said = f" (acknowledged: {self.found.acknowledged})" if self.found.acknowledged else ""
        told = f"; {self.advice}" if self.advice else ""
        return f"{self.mark} {self.name}: {change}; {self.where}{said}{told}"


@dataclass(frozen=True)
class Told:
    """What a check says: how many alarms in how much data, and a line a finding, surest first."""

    check: Check
    summary: str
    lines: list[Line]

    def of(self, series: Series) -> list[Line]:
        """What is told of one series."""
        return [line for line in self.lines if line.found.alarm.series is series]


def tell(check: Check) -> Told:
    """Put a check into words."""
    return Told(check, _summary(check), [_line(one) for one in check.found])


def _line(found: Found) -> Line:
    alarm = found.alarm
    begin, end = alarm.before[:9], alarm.commits[-1][:9]
    where = f"{alarm.commit[:9]} {found.subject}".strip()
    if found.range_size > 1:
        where = f"{begin}..{end} ({found.range_size} commits, likeliest {where})"
    advice = ""
    if alarm.kind == UNCONFIRMED and not alarm.series.interleaved:
        doubt = f"{alarm.doubt}; " if alarm.doubt else ""
        advice = f"{doubt}confirm: nnbench history record {begin}..{end}"
    elif found.range_size > 1 and alarm.kind != NUMBERS:
        advice = f"narrow: nnbench history bisect {begin} {end}"
    mark = MARKS.get(alarm.kind, "slower" if alarm.slower else "faster")
    name, change = alarm.series.label, alarm.note or CHANGE.number(alarm.ratio.value)
    if alarm.kind == NUMBERS:
        name, change = alarm.series.case or name, f"other numbers ({alarm.note})"
    span = "" if alarm.note else intervals.span(alarm.ratio, CHANGE)
    return Line(found, mark, name, change, span, where, advice)


def _summary(check: Check) -> str:
    environments = {(one.host, one.environment) for one in check.series}
    hosts = {host for host, _ in environments}
    commits = check.history.table["commit"].nunique()
    rest = f", {check.silent} series too short to tell" if check.silent else ""
    rest += f"; {could}" if (could := could_show(check)) else ""
    apart = unpaired(check.history)
    rest = f"{rest}; {apart}" if apart else rest
    return (
        f"{_count(check.alarms, 'alarm')} in {len(check.series)} series over {commits} commits, "
        f"{_count(hosts, 'host')} and {_count(environments, 'environment')}{rest}"
    )


def could_show(check: Check) -> str:
    """Which changes would have been seen, from the surest series to the least sure; or empty."""
    known = sorted(size for size in check.smallest if size is not None)
    if not known:
        return ""
    ends = dict.fromkeys(units.change(1 + size) for size in (known[0], known[-1]))
    return f"a lasting change from {' to '.join(ends)} on would be an alarm"


def too_few(check: Check) -> str:
    """That there are too few commits to say anything, and what to do about it; or empty."""
    if not check.silent:
        return ""
    few = max(len(one.commits) for one, size in zip(check.series, check.smallest, strict=True)
              if size is None and one.positive)  # fmt: skip
    return (
        f"{_count(range(few), 'commit')} {'is' if few == 1 else 'are'} too few, each measured by "
        f"itself: from {LEAST_COMMITS} on an alarm can be raised. Commits measured in turn need "
        "only 2: nnbench history record FIRST..LAST"
    )


def unpaired(history: History) -> str:
    """That hosts measured a single commit of several, which nothing is compared with; or empty."""
    commits = history.table.groupby(["source", "host"])["commit"].nunique()
    single = int((commits == 1).sum())
    if not single or history.table["commit"].nunique() < 2:
        return ""
    told = f"{single} of {len(commits)} hosts measured a single commit"
    mend = "measure commits on one, or --same-host REGEX takes runners of one CPU model for one"
    return f"{told}: different hosts are never compared, {mend}"


def _count(them: Collection[object], name: str) -> str:
    return f"{len(them) or 'no'} {name}{'' if len(them) == 1 else 's'}"


def markdown(told: Told) -> str:
    """A summary fit for a comment on a pull request."""
    lines = [f"### Training time over commits: {told.summary}", ""]
    if told.lines:
        lines += ["| | benchmark | change (95 %) | commit | |", "| --- | --- | --- | --- | --- |"]
    for one in told.lines[:MOST_LINES]:
        mark = f"**{one.mark}**" if one.found.counts else one.mark
        change = f"{one.change} [{one.span}]" if one.span else markdown_text(one.change)
        names = (one.name, one.where, one.found.acknowledged or one.advice)
        name, where, said = (markdown_text(text) if text else "" for text in names)
        lines.append(f"| {mark} | {name} | {change} | {where} | {said} |")
    if len(told.lines) > MOST_LINES:
        lines.append(f"\nand {len(told.lines) - MOST_LINES} more")
    skipped = len(told.check.history.skipped)
    rest = f" {skipped} files or parts could not be used." if skipped else ""
    lines += ["", f"Different hosts, devices and versions are never compared.{rest}"]
    return "\n".join(lines) + "\n"


def as_json(told: Told) -> dict[str, Any]:
    """The same for scripts."""
    check = told.check
    return {
        "alarms": len(check.alarms),
        "series": len(check.series),
        "too_short": check.silent,
        "could_show": [
            _could(one, size) for one, size in zip(check.series, check.smallest, strict=True)
        ],
        "found": [_finding(line) for line in told.lines],
        "skipped": check.history.skipped,
    }


def _could(one: Series, size: float | None) -> dict[str, Any]:
    names = ("source", "host", "environment", "benchmark", "case")
    told = {name: getattr(one, name) for name in names}
    return told | {"commits": len(one.commits), "smallest_change": size}


def _finding(line: Line) -> dict[str, Any]:
    found, alarm, series = line.found, line.found.alarm, line.found.alarm.series
    names = ("source", "host", "environment", "benchmark", "case")
    return {
        "kind": alarm.kind,
        "alarm": found.counts,
        **{name: getattr(series, name) for name in names},
        "commit": alarm.commit,
        "subject": found.subject,
        "after": alarm.before,
        "candidates": alarm.commits,
        "commits_in_range": found.range_size,
        "note": alarm.note,
        "doubt": alarm.doubt,
        "acknowledged": found.acknowledged,
        "advice": line.advice,
        "ratio": alarm.ratio.value,
        "low": alarm.ratio.low,
        "high": alarm.ratio.high,
        "p": alarm.p_value,
    }


def level(value: float, unit: str) -> str:
    """A value with its unit, as a person reads it."""
    if unit == "s":
        return units.seconds(value)
    if unit == BYTES:
        return units.data_size(value)
    return f"{units.significant(value)} {unit}".strip()


def measurement(seen: Comparison) -> str:
    """One measurement of a bisection in a line."""
    change = intervals.sentence(seen.ratio, CHANGE)
    return f"{seen.label}: {change}, {seen.verdict}, {seen.ratio.launches} rounds"


def outcome(found: Outcome) -> str:
    """What a bisection found, in words."""
    size = intervals.sentence(found.change.ratio, CHANGE)
    if found.found:
        return f"{found.commits[0].short} {found.commits[0].subject}: {size}"
    if found.change.verdict != DIFFERENT:
        return f"{found.reason}: {size}, {found.change.verdict}"
    span = f"after {found.first.short}, up to {found.last.short} ({len(found.commits)} commits)"
    return f"{span}: {size}; {found.reason}"
