"""What is printed of runs and comparisons: tables for a person, plain data for scripts."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE
from nnbench.report import words
from nnbench.show import units
from nnbench.show.terminal import open_console
from nnbench.stats import verdict
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary, groups, measured_share, summarise
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison
from nnbench.store.runs import Run

SHOWN_PHASES = (COLD, TRACE, COMPILE, EPOCH, STEP)


def print_run(run: Run) -> None:
    """A table for each backend and device, what it says in words, and the warnings."""
    console = open_console()
    summaries = summarise(run)
    for group in groups(summaries):
        console.print(_run_table(group))
    story = words.tell(summaries, run)
    for sentence in story.sentences:
        console.print(sentence, markup=False)
    for warning in story.warnings:
        console.print(f"Note: {warning.text}", markup=False, style="yellow")


def _run_table(group: Sequence[CaseSummary]) -> Table:
    case = group[0].case
    epochs = f"{case.cold_epochs} epochs cold"
    batch = "full batch" if case.training.batch_size is None else f"batch {case.batch_rows}"
    first = group[0].case.label
    table = Table(
        title=f"{case.place}: {case.data}, {case.rows:,} rows, {batch}; {epochs}",
        caption=f"95 % intervals below each figure; ratios to {first}, paired within blocks",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("network")
    for name in ("weights", *SHOWN_PHASES, "cold ratio", "step ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for summary in group:
        table.add_row(
            summary.case.label,
            "-" if summary.parameters is None else f"{summary.parameters:,}",
            *(_time_cell(summary.times.get(phase)) for phase in SHOWN_PHASES),
            *(_ratio_cell(summary.ratios.get(phase)) for phase in (COLD, STEP)),
        )
    return table


def _time_cell(estimate: Estimate | None) -> Text:
    if estimate is None:
        return Text("-")
    cell = Text(units.seconds(estimate.value))
    if estimate.has_interval:
        interval = units.beside(estimate.value, estimate.low, estimate.high)
        cell.append(f"\n{interval}", style="dim")
    return cell


def _ratio_cell(estimate: Estimate | None) -> Text:
    if estimate is None:
        return Text("-")
    cell = Text(units.ratio(estimate.value))
    if estimate.has_interval:
        interval = units.ratio_range(estimate.low, estimate.high).removesuffix("×")
        cell.append(f"\n{interval}", style="dim")
    return cell


def run_as_json(run: Run, page: Path) -> dict[str, Any]:
    """A run's estimates as plain data; seconds throughout, null for a missing interval."""
    summaries = summarise(run)
    story = words.tell(summaries, run)
    return {
        "run": str(run.folder),
        "report": str(page),
        "fingerprint": run.fingerprint,
        "cases": [
            {
                "key": summary.case.key,
                **summary.case.to_json(),
                "parameters": summary.parameters,
                "flops_per_step": summary.case.step_cost.flops if summary.case.step_cost else None,
                "utilisation": summary.utilisation,
                "peak_host_bytes": summary.peak_host_bytes,
                "peak_device_bytes": summary.peak_device_bytes,
                "times_s": {name: _plain(found) for name, found in summary.times.items()},
                "ratios": {name: _plain(found) for name, found in summary.ratios.items()},
                "ratios_to": summary.baseline.label,
                "loss": summary.loss,
                "failures": summary.failures,
            }
            for summary in summaries
        ],
        "measured_share": measured_share(run),
        "sentences": list(story.sentences),
        "warnings": [warning.text for warning in story.warnings],
    }


def _plain(estimate: Estimate) -> dict[str, Any]:
    plain = asdict(estimate)
    if not estimate.has_interval:
        plain["low"] = plain["high"] = plain["log_error"] = None
    return plain


def print_comparison(
    found: Sequence[Comparison], first: str, second: str, differing: Sequence[str]
) -> None:
    """One line a comparison; what makes the two sides unlike is said on each."""
    console = open_console()
    console.print(f"{second} against {first}, 95 % intervals", markup=False, style="bold")
    suffix = f" (unlike: {'; '.join(differing)})" if differing else ""
    styles = {DIFFERENT: "bold", EQUIVALENT: "green", UNDECIDED: "yellow"}
    for one in found:
        text = verdict.sentence(one, first, second) + suffix
        console.print(text, markup=False, style=styles[one.verdict], soft_wrap=True)


def comparison_as_json(
    found: Sequence[Comparison], first: str, second: str, differing: Sequence[str]
) -> dict[str, Any]:
    """A comparison as plain data; a ratio is second / first."""
    return {
        "first": first,
        "second": second,
        "unlike": list(differing),
        "comparisons": [
            {
                "label": one.label,
                "verdict": one.verdict,
                "ratio": _plain(one.ratio),
                "p_value": one.p_value if one.ratio.has_interval else None,
                "margin": one.margin,
                "more_launches": one.more_launches,
            }
            for one in found
        ],
    }
