"""What is printed of backends, their devices, and the noise of a machine."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from nnbench import doctor
from nnbench.doctor import NOTE, OK, PROBLEM, Finding, NoiseFloor
from nnbench.machine.devices import BackendSurvey
from nnbench.show.terminal import open_console


def survey_as_json(found: Sequence[BackendSurvey]) -> list[dict[str, Any]]:
    """What each backend sees, as plain data."""
    return [asdict(one) for one in found]


def print_survey(found: Sequence[BackendSurvey]) -> None:
    """What each backend sees, as a table."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("backend", "version", "device", "what it is"):
        table.add_column(name)
    for one in found:
        if one.problem:
            table.add_row(one.backend, one.version or "-", "-", Text(one.problem))
        for device in one.devices:
            table.add_row(one.backend, one.version or "-", device.name, device.description)
    open_console().print(table)


def print_diagnosis(findings: Sequence[Finding], floor: NoiseFloor | None) -> None:
    """What was looked at, worst first, and what precision can be had."""
    console = open_console()
    marks = {PROBLEM: Text("problem", "bold red"), NOTE: Text("note", "yellow"), OK: Text("ok")}
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("", "looked at", "found", "what to do"):
        table.add_column(name, overflow="fold")
    for level in (PROBLEM, NOTE, OK):
        for finding in (one for one in findings if one.level == level):
            table.add_row(marks[level], finding.subject, Text(finding.found), Text(finding.advice))
    console.print(table)
    if floor is None:
        return
    console.print(
        f"Identical code against itself, {floor.launches} launches of each side, "
        f"{floor.seconds_per_side:.0f} s a side:"
    )
    for sentence in doctor.sentences(floor):
        console.print(f"  {sentence}", markup=False)
