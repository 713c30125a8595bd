"""What `nnbench doctor` prints for a person."""

from dataclasses import replace

from nnbench.doctor.finding import LEVELS, PROBLEM
from nnbench.doctor.words import Told
from nnbench.show.table import text_table
from nnbench.show.terminal import print_sentences, print_table


def print_diagnosis(told: Told) -> None:
    """What was looked at, worst first, and what precision can be had."""
    findings = sorted(told.findings, key=lambda finding: LEVELS.index(finding.level))
    rows = [(one.level, one.subject, one.found, one.advice) for one in findings]
    table = text_table("", ("", "looked at", "found", "what to do"), rows)
    problems = [number for number, one in enumerate(findings) if one.level == PROBLEM]
    print_table(replace(table, bold=frozenset(problems)))
    if told.noise_floor is not None:
        heading = (
            f"Identical code against itself, {told.noise_floor.launches} launches of each side, "
            f"{told.noise_floor.seconds_per_side:.0f} s a side:"
        )
        print_sentences([heading, *(f"  {sentence}" for sentence in told.sentences)])
