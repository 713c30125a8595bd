"""All alarms of a history, put before continuous integration and the people of a pull request."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnbench.history import alarms as finding
from nnbench.history.alarms import NUMBERS, SPIKE, UNCONFIRMED, Alarm
from nnbench.history.annotations import Annotation
from nnbench.history.readers import BYTES
from nnbench.history.series import Series, all_of
from nnbench.history.table import History
from nnbench.show import units

MOST_LINES = 40


@dataclass(frozen=True)
class Found:
    """One alarm, what was said of it, and how many commits it may be."""

    alarm: Alarm
    acknowledged: str
    range_size: int

    @property
    def counts(self) -> bool:
        """Whether it makes the check fail."""
        return self.alarm.raised and not self.acknowledged


@dataclass(frozen=True)
class Check:
    """What was looked at and found. `silent` are series too short or noisy to raise an alarm."""

    history: History
    series: list[Series]
    found: list[Found]
    silent: int

    @property
    def alarms(self) -> list[Found]:
        """Those that make the check fail."""
        return [one for one in self.found if one.counts]


def run(
    history: History,
    annotations: Sequence[Annotation] = (),
    *,
    false_alarms: float = finding.FALSE_ALARMS,
    least: float = finding.LEAST,
    since: str | None = None,
) -> Check:
    """Look for changes in every series; with `since`, only those that may lie after that commit."""
    series = list(all_of(history))
    alarms = finding.find(series, false_alarms=false_alarms, least=least)
    alarms = _numbers_once(alarms)
    if since is not None:
        places = {name: place for place, name in enumerate(history.known)}
        floor = places.get(since, -1)
        alarms = [one for one in alarms if places.get(one.commits[-1], floor + 1) > floor]
    found = [Found(one, _said_of(one, annotations), _range_size(history, one)) for one in alarms]
    silent = sum(
        not one.interleaved and one.positive and len(one.commits) < finding.LEAST_COMMITS
        for one in series
    )
    return Check(history, series, found, silent)


def _numbers_once(alarms: list[Alarm]) -> list[Alarm]:
    """Other results are a finding about a case, told by each of its phases: keep one."""
    seen = set()
    kept = []
    for alarm in alarms:
        key = (alarm.kind, alarm.commit, alarm.series.case, alarm.series.host, alarm.note)
        if alarm.kind != NUMBERS or key not in seen:
            kept.append(alarm)
        seen.add(key)
    return kept


def _said_of(alarm: Alarm, annotations: Sequence[Annotation]) -> str:
    return "; ".join(one.text for one in annotations if one.explains(alarm))


def _range_size(history: History, alarm: Alarm) -> int:
    """Commits that may have done it, those between that were not measured, too."""
    places = {name: place for place, name in enumerate(history.known)}
    if alarm.before in places and alarm.commits[-1] in places:
        return places[alarm.commits[-1]] - places[alarm.before]
    return len(alarm.commits)


def describe(alarm: Alarm) -> str:
    """What changed and by how much: `step, 6x2, ...: +8.1 % [+6.9, +9.3]`."""
    name = alarm.series.label
    if alarm.kind == NUMBERS:
        return f"{alarm.series.case or name}: the same seeded training computes other numbers"
    if alarm.note:
        return f"{name}: {alarm.note}"
    return f"{name}: {change(alarm)}"


def change(alarm: Alarm) -> str:
    """The size with its interval: `+8.1 % [+6.9 %, +9.3 %]`."""
    if alarm.kind == NUMBERS or alarm.note:
        return alarm.note
    low, high = alarm.low - 1, alarm.high - 1
    return f"{_percent(alarm.ratio - 1)} [{_percent(low)}, {_percent(high)}]"


def where(history: History, found: Found) -> str:
    """The commit, or the range, that did it, with the first line of its message."""
    alarm = found.alarm
    if found.range_size <= 1:
        subject = history.subject(alarm.commit)
        return f"{alarm.commit[:9]} {subject}".strip()
    likeliest = f"likeliest {alarm.commit[:9]} {history.subject(alarm.commit)}".strip()
    return f"{alarm.before[:9]}..{alarm.commits[-1][:9]} ({found.range_size} commits, {likeliest})"


def advice(found: Found) -> str:
    """What to do next, where something is left to find out; else empty."""
    alarm = found.alarm
    if alarm.kind == UNCONFIRMED and not alarm.series.interleaved:
        told = f"confirm: nnbench history record {alarm.before[:9]}..{alarm.commits[-1][:9]}"
        return f"{alarm.doubt}; {told}" if alarm.doubt else told
    if found.range_size > 1 and alarm.kind != NUMBERS:
        return f"narrow: nnbench history bisect {alarm.before[:9]} {alarm.commits[-1][:9]}"
    return ""


def sentences(check: Check) -> list[str]:
    """One line a finding, surest first."""
    return [
        f"{mark(one)} {describe(one.alarm)}; {where(check.history, one)}{_end(one)}"
        for one in check.found
    ]


def _end(found: Found) -> str:
    said = f" (acknowledged: {found.acknowledged})" if found.acknowledged else ""
    told = advice(found)
    return said + (f"; {told}" if told else "")


def mark(found: Found) -> str:
    """What kind of finding it is, in a word or two."""
    if found.alarm.kind == NUMBERS:
        return "numbers"
    if found.alarm.kind == SPIKE:
        return "one commit only"
    if found.alarm.kind == UNCONFIRMED:
        return "unconfirmed"
    return "slower" if found.alarm.slower else "faster"


def summary(check: Check) -> str:
    """How many alarms, in how much data."""
    count = len(check.alarms)
    hosts = len({one.host for one in check.series})
    places = len({(one.host, one.environment) for one in check.series})
    commits = check.history.table["commit"].nunique()
    rest = f", {check.silent} series too short to tell" if check.silent else ""
    return (
        f"{count or 'no'} alarm{'' if count == 1 else 's'} in {len(check.series)} series over "
        f"{commits} commits, {hosts} host{'' if hosts == 1 else 's'} and {places} "
        f"environment{'' if places == 1 else 's'}{rest}"
    )


def markdown(check: Check) -> str:
    """A summary fit for a comment on a pull request."""
    lines = [f"### Training time over commits: {summary(check)}", ""]
    if check.found:
        lines += ["| | benchmark | change (95 %) | commit | |", "| --- | --- | --- | --- | --- |"]
    for one in check.found[:MOST_LINES]:
        cells = (
            f"**{mark(one)}**" if one.counts else mark(one),
            describe(one.alarm).partition(": the same")[0]
            if one.alarm.kind == NUMBERS
            else one.alarm.series.label,
            f"other numbers ({one.alarm.note})" if one.alarm.kind == NUMBERS else change(one.alarm),
            where(check.history, one),
            one.acknowledged or advice(one),
        )
        lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
    if len(check.found) > MOST_LINES:
        lines.append(f"\nand {len(check.found) - MOST_LINES} more")
    skipped = len(check.history.skipped)
    rest = f" {skipped} files or parts could not be used." if skipped else ""
    lines += ["", f"Different hosts, devices and versions are never compared.{rest}"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def as_json(check: Check) -> dict[str, Any]:
    """The same as plain data, for scripts."""
    return {
        "alarms": len(check.alarms),
        "series": len(check.series),
        "too_short": check.silent,
        "found": [_plain(check.history, one) for one in check.found],
        "skipped": [{"place": one.place, "reason": one.reason} for one in check.history.skipped],
    }


def _plain(history: History, found: Found) -> dict[str, Any]:
    alarm, series = found.alarm, found.alarm.series
    numbers = {"ratio": alarm.ratio, "low": alarm.low, "high": alarm.high, "p": alarm.p_value}
    return {
        "kind": alarm.kind,
        "alarm": found.counts,
        "source": series.source,
        "host": series.host,
        "environment": series.environment,
        "benchmark": series.benchmark,
        "case": series.case,
        "commit": alarm.commit,
        "subject": history.subject(alarm.commit),
        "after": alarm.before,
        "candidates": list(alarm.commits),
        "commits_in_range": found.range_size,
        "note": alarm.note,
        "doubt": alarm.doubt,
        "acknowledged": found.acknowledged,
        "advice": advice(found),
        **{name: one if math.isfinite(one) else None for name, one in numbers.items()},
    }


def dumps(check: Check) -> str:
    """`as_json` as text."""
    return json.dumps(as_json(check), indent=1, allow_nan=False)


def level(value: float, unit: str) -> str:
    """A value with its unit, as a person reads it."""
    if unit == "s":
        return units.seconds(value)
    if unit == BYTES:
        return units.data_size(value)
    return f"{units.significant(value)} {unit}".strip()


def _percent(change: float) -> str:
    percent = 100 * change
    return f"{percent:+.0f} %" if abs(percent) >= 100 else f"{percent:+.1f} %"
