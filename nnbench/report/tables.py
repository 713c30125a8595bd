"""The tables of a run, for terminal and page, and a run as plain data."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.phases import COLD, COMPILE, DATA, EPOCH, PHASES, STEP, TRACE
from nnbench.report import words
from nnbench.report.answer import WHAT, axis_told
from nnbench.report.reproduce import next_commands
from nnbench.report.run_analysis import Group, RunAnalysis
from nnbench.report.trusted import FAIR, GOOD, LOW
from nnbench.show import markdown, units
from nnbench.show.intervals import MISSING, RATE, RATIO, SECONDS, cell
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import print_pairs, print_sentences, print_table
from nnbench.stats.blocks import Ratios
from nnbench.stats.summary import CaseSummary

SHOWN_PHASES = (COLD, TRACE, COMPILE, EPOCH, DATA, STEP)
LEFT_OUT = (TRACE, COMPILE, DATA, "weights", EPOCH, "cold ratio")
"""Columns that go first where a terminal is too narrow for all."""

ON_PAGES = ("a step", "utilisation", "peak memory")
"""Columns for which a terminal has no room."""

TRUST_STYLES = {GOOD: "green", FAIR: "", LOW: "yellow"}

RATIO_COLUMNS = {COLD: "cold ratio", STEP: "step ratio"}


def print_run(found: RunAnalysis, *, wide: bool = False) -> None:
    """The finding, why, how far it can be trusted, the tables, the notes, and what to ask next.

    `wide` keeps every column of the tables, and tells all that was found in sentences. What cannot
    be read is among the warnings of pages and JSON; here it is told as skipped.
    """
    print_sentences([f"{found.finding}."], style="bold")
    print_sentences(found.answer)
    print_sentences([words.trust(found.trust)], style=TRUST_STYLES[found.trust.level])
    if len(found.groups) > 1:
        for table in by_context(found, _numbers(found))[:1]:
            print_table(table, whole=wide)
        print_sentences([one for one in map(axis_told, found.axes) if one not in found.answer])
    for group in found.groups:
        print_table(cases(group), whole=wide)
    if wide:
        print_sentences(found.sentences)
    notes = [f"Note: {text}" for text in found.warnings if text not in found.run.damage]
    print_sentences(notes, style="yellow")
    print_pairs("What to ask next", next_commands(found, found.run.folder))


def _numbers(found: RunAnalysis) -> dict[str, int]:
    labels = dict.fromkeys(one.case.label for one in found.summaries)
    return {label: number for number, label in enumerate(labels)}


def as_markdown(found: RunAnalysis) -> str:
    """The same as `print_run`, in full, for a comment on a pull request."""
    contexts = by_context(found, _numbers(found))[:1] if len(found.groups) > 1 else []
    parts = [
        f"### {markdown.prose(found.finding)}",
        *map(markdown.prose, (*found.answer, words.trust(found.trust))),
        *map(markdown.table, (*contexts, *map(cases, found.groups))),
        *(f"- {markdown.prose(text)}" for text in found.warnings),
        *(f"{question}\n```sh\n{command}\n```" for question, command in next_commands(found)),
    ]
    return "\n\n".join(parts) + "\n"


def cases(group: Group) -> Table:
    """A row for each case of a group; columns without a figure are gone."""
    case = group.first
    batch = "full batch" if case.training.batch_size is None else f"batch {case.batch_rows}"
    if len({one.case.training.batch_size for one in group.summaries}) > 1:
        batch = "several batches"
    rows = [_row(one, group) for one in group.summaries]
    shown = [name for name in _having(rows) if name not in ON_PAGES]
    return Table(
        f"{case.context}: {case.data}, {case.rows:,} rows, {batch}; {case.cold_epochs} epochs cold",
        shown,
        [[row[name] for name in shown] for row in rows],
        f"Each figure with its 95 % interval; ratios to {group.name(case)}, paired within blocks",
        spare=[name for name in LEFT_OUT if name in shown],
        all_with="--wide",
    )


def all_figures(found: RunAnalysis, numbers: dict[str, int]) -> Table:
    """All cases of a run in one table, for its page: every column that has a figure."""
    rows, series = [], []
    for place, group in enumerate(found.groups):
        for row, one in enumerate(group.summaries):
            cells = _row(one, group, f"{place}/{row}")
            where = {"where": Cell(one.case.context)} if len(found.groups) > 1 else {}
            rows.append({"network": cells.pop("network"), **where, **cells})
            series.append(numbers[one.case.label])
    shown = _having(rows)
    first = found.groups[0]
    several = " of the same backend and path" if len(found.groups) > 1 else ""
    return Table(
        "Every network",
        shown,
        [[row[name] for name in shown] for row in rows],
        f"Each figure with its 95 % interval; ratios to {first.name(first.first)}{several}",
        texts=2 if len(found.groups) > 1 else 1,
        series=series,
    )


def _having(rows: Sequence[dict[str, Cell]]) -> list[str]:
    """Columns in which any row has a figure."""
    return [name for name in rows[0] if any(row[name].text != MISSING for row in rows)]


def _row(one: CaseSummary, group: Group, place: str = "") -> dict[str, Cell]:
    device = one.peak_device_bytes
    name = group.name(one.case)
    ratios = {
        column: _keyed(cell(one.ratios.get(phase), RATIO), f"{phase}/{place}")
        for phase, column in RATIO_COLUMNS.items()
    }
    return {
        "network": Cell(name, "" if name.startswith(one.case.label) else one.case.label),
        "weights": _number(one.parameters, "{:,}".format),
        "a step": _number(one.step_flops, units.flops),
        **{name: cell(one.times.get(name), SECONDS) for name in SHOWN_PHASES},
        "rows/s": cell(one.rows_per_s, RATE),
        "utilisation": _number(one.utilisation, units.share),
        "peak memory": Cell(
            _number(one.peak_host_bytes, units.data_size).text,
            f"device {units.data_size(device)}" if device else "",
            value=one.peak_host_bytes,
        ),
        **ratios,
    }


def _keyed(made: Cell, key: str) -> Cell:
    return Cell(made.text, made.below, made.tone, made.value, key)


def _number(value: float | None, write: Callable[[float], str]) -> Cell:
    return Cell(write(value), value=value) if value else Cell(MISSING)


def ratios_told(found: RunAnalysis) -> dict[str, Any]:
    """Every network compared with every other, as the table shows it: `value|interval`.

    By phase, then group, row and the network compared with.
    """
    first = found.groups[0]
    compared = [first.summaries[row] for row in first.bases or range(len(first.summaries))]
    told: dict[str, Any] = {"names": [first.name(one.case) for one in compared]}
    for phase in RATIO_COLUMNS:
        told[phase] = [_told(group, phase, told["names"]) for group in found.groups]
    return told


def _told(group: Group, phase: str, names: Sequence[str]) -> list[list[str]]:
    mine = [group.name(one.case) for one in group.summaries]
    ratios = group.ratios.get(phase)
    if ratios is None:
        return []
    columns = [mine.index(name) if name in mine else None for name in names]
    return [
        [MISSING if column is None else _ratio(ratios, row, column) for column in columns]
        for row in range(len(mine))
    ]


def _ratio(ratios: Ratios, row: int, column: int) -> str:
    value, low, high = (float(part[row, column]) for part in ratios)
    if row == column or not np.isfinite(value):
        return MISSING
    span = units.ratio_range(low, high).removesuffix("×") if np.isfinite(low) else ""
    return f"{units.ratio(value)}|{span}"


def by_context(found: RunAnalysis, numbers: dict[str, int]) -> list[Table]:
    """Networks by backend and path, a table a phase, the fastest of each row in bold."""
    return [_by_context(found, numbers, phase) for phase in WHAT if _known(found, phase)]


def _known(found: RunAnalysis, phase: str) -> bool:
    return any(phase in one.times for one in found.summaries)


def _by_context(found: RunAnalysis, numbers: dict[str, int], phase: str) -> Table:
    rows, series = [], []
    labels = {found.run.name(one.case): one.case.label for one in found.summaries}
    by_name = [{group.name(one.case): one for one in group.summaries} for group in found.groups]
    for name, label in labels.items():
        times = [one[name].times.get(phase) if name in one else None for one in by_name]
        known = [time.value for time in times if time is not None]
        best = min(known, default=None)
        made = [cell(time, SECONDS) for time in times]
        rows.append(
            [
                Cell(name, "" if name.startswith(label) else label),
                *(
                    Cell(one.text, one.below, "best" if one.value == best else "", one.value)
                    for one in made
                ),
            ]
        )
        series.append(numbers[label])
    return Table(
        WHAT[phase].capitalize(),
        ["network", *(group.first.context for group in found.groups)],
        rows,
        f"{WHAT[phase].capitalize()}: the fastest of each row in bold, with their 95 % intervals",
        series=series,
    )


def as_rows(found: RunAnalysis) -> Iterator[list[object]]:
    """A run's estimates as rows of a CSV file, one a case and phase, in seconds."""
    yield ["network", "architecture", "backend", "device", "threads", "path", "phase",
           "seconds", "low", "high", "samples", "blocks", "launches", "ratio", "ratio_low",
           "ratio_high", "ratio_to"]  # fmt: skip
    for group in found.groups:
        for one in group.summaries:
            case = one.case
            head = [group.name(case), case.label, *case.worker, case.path]
            for phase in (phase for phase in PHASES if phase in one.times):
                time, ratio = one.times[phase], one.ratios.get(phase)
                counts = time.samples, time.blocks, time.launches
                ends = (ratio.value, ratio.low, ratio.high) if ratio else ("", "", "")
                to = group.name(one.baseline) if ratio else ""
                yield [*head, phase, time.value, time.low, time.high, *counts, *ends, to]


def as_json(found: RunAnalysis, page: Path | None) -> dict[str, Any]:
    """A run's estimates, for `show.plain`; seconds throughout."""
    return {
        "run": found.run.folder,
        "report": page,
        "finding": found.finding,
        "answer": found.answer,
        "trust": found.trust,
        "fingerprint": found.run.fingerprint,
        "cases": [_case(summary, found) for summary in found.summaries],
        "compared": found.axes,
        "measured_share": found.measured_share,
        "sentences": found.sentences,
        "warnings": found.warnings,
    }


def _case(one: CaseSummary, found: RunAnalysis) -> dict[str, Any]:
    kept = ("parameters", "utilisation", "peak_host_bytes", "peak_device_bytes")
    return {
        "key": one.case.key,
        "name": found.run.name(one.case),
        **one.case.to_json(),
        **{name: getattr(one, name) for name in kept},
        "flops_per_step": one.step_flops,
        "times_s": one.times,
        "rows_per_s": one.rows_per_s,
        "ratios": one.ratios,
        "ratios_to": found.run.name(one.baseline),
        "loss": one.loss,
        "failures": one.failures,
    }
