"""What `nnbench doctor` prints for a person."""

from collections.abc import Sequence
from dataclasses import replace

from nnbench.doctor import words
from nnbench.doctor.finding import LEVELS, PROBLEM, Finding
from nnbench.doctor.noise_floor import NoiseFloor
from nnbench.show.table import text_table
from nnbench.show.terminal import print_sentences, print_table


def print_diagnosis(findings: Sequence[Finding], floor: NoiseFloor | None) -> None:
    """What was looked at, worst first, and what precision can be had."""
    findings = sorted(findings, key=lambda finding: LEVELS.index(finding.level))
    rows = [(one.level, one.subject, one.found, one.advice) for one in findings]
    table = text_table("", ("", "looked at", "found", "what to do"), rows)
    problems = [number for number, one in enumerate(findings) if one.level == PROBLEM]
    print_table(replace(table, bold=frozenset(problems)))
    if floor is not None:
        effort = f"{floor.launches} launches of each side, {floor.seconds_per_side:.0f} s a side"
        heading = f"Identical code against itself, {effort}:"
        print_sentences([heading, *(f"  {sentence}" for sentence in words.sentences(floor))])
