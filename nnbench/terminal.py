"""What the command line prints: tables for a person, plain data for scripts."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnbench import architecture as arch
from nnbench import comparison, doctor, units
from nnbench.architecture import Architecture
from nnbench.case import OUTPUT_ACTIVATION, Training
from nnbench.comparison import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison
from nnbench.curve import Verdict
from nnbench.datasets import Dataset, DatasetInfo, Description
from nnbench.devices import BackendSurvey
from nnbench.doctor import NOTE, OK, PROBLEM, Finding, NoiseFloor
from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE
from nnbench.report import words
from nnbench.results import Run
from nnbench.scaling import Series
from nnbench.statistics import Estimate
from nnbench.summary import CaseSummary, groups, measured_share, summarise
from nnbench.training.session import Session

SHOWN_PHASES = (COLD, TRACE, COMPILE, EPOCH, STEP)
PIPED_WIDTH = 120


def _console() -> Console:
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False)


def print_run(run: Run) -> None:
    """A table for each backend and device, what it says in words, and the warnings."""
    console = _console()
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
    console = _console()
    console.print(f"{second} against {first}, 95 % intervals", markup=False, style="bold")
    suffix = f" (unlike: {'; '.join(differing)})" if differing else ""
    styles = {DIFFERENT: "bold", EQUIVALENT: "green", UNDECIDED: "yellow"}
    for one in found:
        text = comparison.sentence(one, first, second) + suffix
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


def describe(
    architecture: Architecture, training: Training, *, rows: int, features: int
) -> dict[str, Any]:
    """What follows from an architecture without any framework, as plain data."""
    output = OUTPUT_ACTIVATION[training.task]
    batch = min(training.batch_size or rows, rows)
    cost = arch.step_cost(
        architecture,
        features=features,
        rows=batch,
        activation=training.activation,
        output_activation=output,
        optimizer=training.optimizer,
        precision=training.precision,
    )
    layers = arch.layer_table(
        architecture, features, activation=training.activation, output_activation=output
    )
    return {
        "architecture": architecture.label,
        "features": features,
        "rows_per_step": batch,
        "layers": [asdict(layer) for layer in layers],
        "parameters": architecture.parameters(features),
        **asdict(cost),
        "flops": cost.flops,
        "optimizer": training.optimizer,
        "precision": training.precision,
    }


def print_architecture(shown: dict[str, Any]) -> None:
    """Print what `describe` found."""
    console = _console()
    table = Table(title=f"network {shown['architecture']}", box=box.SIMPLE_HEAD)
    for name in ("layer (type)", "output shape", "activation"):
        table.add_column(name)
    table.add_column("parameters", justify="right")
    for layer in shown["layers"]:
        table.add_row(
            f"{layer['name']} ({layer['kind']})",
            f"(rows, {layer['cells']})",
            layer["activation"],
            f"{layer['parameters']:,}",
        )
    console.print(table)
    console.print(f"parameters       {shown['parameters']:,}, all trainable")
    console.print(
        f"FLOPs a step     {units.flops(shown['flops'])} on {shown['rows_per_step']:,} rows: "
        f"forward {units.flops(shown['forward_flops'])}, "
        f"backward {units.flops(shown['backward_flops'])}, "
        f"update ({shown['optimizer']}) {units.flops(shown['update_flops'])}"
    )
    console.print(f"weights          {units.data_size(shown['weight_bytes'])}")
    console.print(f"optimizer state  {units.data_size(shown['optimizer_bytes'])}")
    console.print(
        f"activations      {units.data_size(shown['activation_bytes'])} ({shown['precision']})"
    )


def print_weights(session: Session) -> None:
    """Initial and final weights, the first few values of each array."""
    console = _console()
    for title, weights in (
        ("initial weights", session.initial_weights),
        ("final weights", session.final_weights),
    ):
        console.print(title)
        for position, values in enumerate(weights):
            kind = "kernel" if position % 2 == 0 else "bias"
            text = np.array2string(
                values, precision=4, threshold=100, edgeitems=3, max_line_width=100
            )
            console.print(f"layer {position // 2 + 1}, {kind} {values.shape}", style="dim")
            console.print(text, markup=False)


def print_training(
    session: Session, verdict: Verdict, predictions: NDArray[np.float32], data: Dataset
) -> None:
    """How a training ended: loss, quality on its own data, verdict.

    `predictions` has one value for each of the data's rows.
    """
    console = _console()
    console.print(
        f"loss ({session.training.loss}): {session.losses[0]:.4g} after the first epoch, "
        f"{session.losses[-1]:.4g} after {len(session.losses)}"
    )
    if data.task == "classification" and np.isfinite(session.losses[-1]):
        accuracy = float(np.mean((predictions >= 0.5) == (data.labels >= 0.5)))
        console.print(f"accuracy on the training data: {accuracy:.2%} of {data.rows:,} rows")
    console.print(verdict.text, markup=False)


def training_as_json(session: Session, verdict: Verdict, chart: Path) -> dict[str, Any]:
    """A training as plain data."""
    return {
        "architecture": session.architecture.label,
        "training": asdict(session.training),
        "data": session.data,
        "seed": session.seed,
        "epochs": len(session.losses),
        "losses": [value if np.isfinite(value) else None for value in session.losses],
        "verdict": verdict.kind,
        "text": verdict.text,
        "chart": str(chart),
    }


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
    _console().print(table)


def print_diagnosis(findings: Sequence[Finding], floor: NoiseFloor | None) -> None:
    """What was looked at, worst first, and what precision can be had."""
    console = _console()
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


def print_datasets(found: Sequence[DatasetInfo], *, as_json: bool) -> None:
    """The data sets that have a name."""
    if as_json:
        plain = [{**asdict(one), "path": one.path and str(one.path)} for one in found]
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("name", "task", "rows", "features", "copy in use", "what it is"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(
            one.name,
            one.task,
            "-" if one.rows is None else f"{one.rows:,}",
            "-" if one.features is None else str(one.features),
            one.origin,
            Text(one.problem or one.source),
        )
    _console().print(table)


def print_dataset(data: Dataset, description: Description, *, as_json: bool) -> None:
    """Columns, ranges, classes and first rows of a data set."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(description), indent=1) + "\n")
        return
    console = _console()
    console.print(
        f"{description.name}: {description.task}, {description.rows:,} rows", markup=False
    )
    console.print(description.source, markup=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("column")
    table.add_column("role")
    for name in ("mean", "deviation", "least", "greatest"):
        table.add_column(name, justify="right")
    for column in description.columns:
        figures = (column.mean, column.sd, column.minimum, column.maximum)
        table.add_row(Text(column.name), column.role, *(f"{figure:.4g}" for figure in figures))
    console.print(table)
    if description.class_counts is not None:
        counts = ", ".join(f"{count:,} of {c}" for c, count in description.class_counts.items())
        console.print(f"rows of each class: {counts}")
    for number, row in enumerate(description.first_rows, start=1):
        console.print(f"row {number}: " + ", ".join(f"{value:.4g}" for value in row))
    console.print(f"digest {data.digest[:12]}", style="dim")


def print_scaling(found: Sequence[Series]) -> None:
    """A table for each backend and path: a row a size along the axis, a column a phase."""
    for place in dict.fromkeys(each.place for each in found):
        mine = [each for each in found if each.place == place]
        title = f"Along {mine[0].axis}: {place}"
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
        for name in (mine[0].axis, *(each.phase for each in mine)):
            table.add_column(name, justify="right", no_wrap=True)
        times = [dict(zip(each.sizes, each.times, strict=True)) for each in mine]
        for size in sorted({size for each in mine for size in each.sizes}):
            cells = [units.seconds(of[size].value) if size in of else "-" for of in times]
            table.add_row(f"{size:,}", *cells)
        table.add_section()
        table.add_row("~ size^", *(_exponent(each) for each in mine))
        _console().print(table)


def _exponent(series: Series) -> str:
    if series.exponent is None:
        return "-"
    value, low, high = (round(each, 2) + 0.0 for each in series.exponent)
    return f"{value:.2f}\n({low:.2f} to {high:.2f})"


def scaling_as_json(found: dict[str, list[Series]], pictures: Sequence[Path]) -> dict[str, Any]:
    """The series of each axis as plain data; times in seconds."""
    return {
        "axes": {
            axis: [
                {
                    "place": each.place,
                    "phase": each.phase,
                    "sizes": list(each.sizes),
                    "times_s": [asdict(time) for time in each.times],
                    "exponent": each.exponent,
                }
                for each in series
            ]
            for axis, series in found.items()
        },
        "charts": [str(picture) for picture in pictures],
    }
