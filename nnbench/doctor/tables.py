"""What is printed of backends, their devices, and the noise of a machine."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from nnbench.doctor.finding import LEVELS
from nnbench.doctor.words import Told
from nnbench.machine.devices import BackendSurvey
from nnbench.show.table import text_table
from nnbench.show.terminal import open_console, print_sentences, print_table


def survey_as_json(found: Sequence[BackendSurvey]) -> list[dict[str, Any]]:
    """What each backend sees, as plain data."""
    return [asdict(one) for one in found]


def print_survey(found: Sequence[BackendSurvey]) -> None:
    """What each backend sees, as a table."""
    table = RichTable(box=box.SIMPLE_HEAD)
    for name in ("backend", "version", "device", "what it is"):
        table.add_column(name)
    for one in found:
        if one.problem:
            table.add_row(one.backend, one.version or "-", "-", Text(one.problem))
        for device in one.devices:
            table.add_row(one.backend, one.version or "-", device.name, device.description)
    open_console().print(table)


def print_diagnosis(told: Told) -> None:
    """What was looked at, worst first, and what precision can be had."""
    findings = sorted(told.findings, key=lambda finding: LEVELS.index(finding.level))
    rows = [(one.level, one.subject, one.found, one.advice) for one in findings]
    print_table(text_table("", ("", "looked at", "found", "what to do"), rows))
    if told.noise_floor is not None:
        heading = (
            f"Identical code against itself, {told.noise_floor.launches} launches of each side, "
            f"{told.noise_floor.seconds_per_side:.0f} s a side:"
        )
        print_sentences([heading, *(f"  {sentence}" for sentence in told.sentences)])
