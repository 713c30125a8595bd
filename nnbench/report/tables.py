"""The table of a group of cases, for terminal and page, and a run as plain data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnbench.phases import COLD, COMPILE, DATA, EPOCH, STEP, TRACE
from nnbench.report.run_analysis import Group, RunAnalysis
from nnbench.show import units
from nnbench.show.intervals import MISSING, RATE, RATIO, SECONDS, cell
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import print_sentences, print_table
from nnbench.stats.summary import CaseSummary

SHOWN_PHASES = (COLD, TRACE, COMPILE, EPOCH, DATA, STEP)
LEFT_OUT = (TRACE, COMPILE, "weights", "cold ratio", COLD)
"""Columns that go first where a terminal is too narrow for all."""

ON_PAGES = ("a step", "utilisation", "peak memory")
"""Columns for which a terminal has no room."""


def print_run(found: RunAnalysis) -> None:
    """A table for each backend and device, what it says in words, and the warnings.

    What cannot be read is among those of pages and JSON; here it is told as skipped.
    """
    for group in found.groups:
        print_table(cases(group))
    print_sentences(found.sentences)
    notes = [f"Note: {text}" for text in found.warnings if text not in found.run.damage]
    print_sentences(notes, style="yellow")


def cases(group: Group, *, whole: bool = False) -> Table:
    """A row for each case; `whole` has the columns for pages too."""
    case = group.first
    batch = "full batch" if case.training.batch_size is None else f"batch {case.batch_rows}"
    rows = [_row(summary) for summary in group.summaries]
    absent = () if any(DATA in one.times for one in group.summaries) else (DATA,)
    shown = [name for name in rows[0] if name not in absent and (whole or name not in ON_PAGES)]
    return Table(
        f"{case.context}: {case.data}, {case.rows:,} rows, {batch}; {case.cold_epochs} epochs cold",
        shown,
        [[row[name] for name in shown] for row in rows],
        f"95 % intervals below each figure; ratios to {case.label}, paired within blocks",
        spare=[name for name in LEFT_OUT if name in shown],
    )


def _row(one: CaseSummary) -> dict[str, Cell]:
    device = one.peak_device_bytes
    return {
        "network": Cell(one.case.label),
        "weights": _number(one.parameters, "{:,}".format),
        "a step": _number(one.step_flops, units.flops),
        **{name: cell(one.times.get(name), SECONDS) for name in SHOWN_PHASES},
        "rows/s": cell(one.rows_per_s, RATE),
        "utilisation": _number(one.utilisation, units.share),
        "peak memory": Cell(
            _number(one.peak_host_bytes, units.data_size).text,
            f"device {units.data_size(device)}" if device else "",
        ),
        "cold ratio": cell(one.ratios.get(COLD), RATIO),
        "step ratio": cell(one.ratios.get(STEP), RATIO),
    }


def _number(value: float | None, write: Callable[[float], str]) -> Cell:
    return Cell(write(value) if value else MISSING)


def as_json(found: RunAnalysis, page: Path) -> dict[str, Any]:
    """A run's estimates, for `show.plain`; seconds throughout."""
    return {
        "run": found.run.folder,
        "report": page,
        "fingerprint": found.run.fingerprint,
        "cases": [_case(summary) for summary in found.summaries],
        "measured_share": found.measured_share,
        "sentences": found.sentences,
        "warnings": found.warnings,
    }


def _case(one: CaseSummary) -> dict[str, Any]:
    kept = ("parameters", "utilisation", "peak_host_bytes", "peak_device_bytes")
    return {
        "key": one.case.key,
        **one.case.to_json(),
        **{name: getattr(one, name) for name in kept},
        "flops_per_step": one.step_flops,
        "times_s": one.times,
        "rows_per_s": one.rows_per_s,
        "ratios": one.ratios,
        "ratios_to": one.baseline.label,
        "loss": one.loss,
        "failures": one.failures,
    }
