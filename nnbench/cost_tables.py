"""What the command line prints of cost models: tables for a person, plain data for scripts."""

import sys
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from nnbench import units
from nnbench.costs.model import Coefficient, PhaseModel
from nnbench.costs.prediction import CostModel
from nnbench.costs.terms import FIRST_EPOCH
from nnbench.phases import EPOCH, PHASES
from nnbench.terminal import PIPED_WIDTH

BEYOND = {
    EPOCH: "epoch, beyond its steps",
    FIRST_EPOCH: "first epoch, beyond all that",
}
ORDER = (*PHASES, FIRST_EPOCH)


def print_model(model: CostModel, label: str) -> None:
    """Coefficients with their intervals and units, and the errors on networks left out."""
    shown = [(phase, model.phases[phase]) for phase in ORDER if phase in model.phases]
    costs = Table(title=f"What a network costs on {label}", box=box.SIMPLE_HEAD)
    for name in ("phase", "term"):
        costs.add_column(name)
    for name in ("cost", "95 % interval"):
        costs.add_column(name, justify="right")
    costs.add_column("unit")
    errors = Table(
        title="How far off: each network predicted from all others",
        box=box.SIMPLE_HEAD,
    )
    errors.add_column("phase")
    for name in ("times", "median error", "95th percentile"):
        errors.add_column(name, justify="right")
    for phase, fitted in shown:
        for number, each in enumerate(fitted.coefficients):
            costs.add_row(BEYOND.get(phase, phase) if number == 0 else "", *_cost(each))
        costs.add_section()
        errors.add_row(
            phase,
            str(len(fitted.times_s)),
            units.share(fitted.median_error),
            units.share(fitted.worst_error),
        )
    console = _console()
    console.print(costs)
    console.print(errors)
    for sentence in sentences(model):
        console.print(sentence, markup=False)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


LARGE = {"s per FLOP": (1e9, "per GFLOP"), "s per byte": (1e9, "per GB")}
"""FLOPs and bytes come in large numbers: what a thousand million of them cost is told."""


def _cost(each: Coefficient) -> tuple[str, str, str, str]:
    scale, unit = LARGE.get(each.term.unit, (1.0, each.term.unit.removeprefix("s ") or "once"))
    unit = "once" if unit == "s" else unit
    if each.high == 0:
        return each.term.name, "none", "", unit
    value, low, high = (scale * number for number in (each.value, each.low, each.high))
    return each.term.name, units.seconds(value), units.seconds_range(low, high), unit


def sentences(model: CostModel) -> list[str]:
    """What the steps' coefficients mean: rates, and where overhead turns to compute."""
    return [*_roofline(model.phases["step"]), _range(model)]


def _roofline(step: PhaseModel) -> list[str]:
    costs = {each.term.name: each.value for each in step.coefficients}
    told = []
    if costs["FLOPs"] > 0:
        told.append(f"layers compute at up to {units.flops(1 / costs['FLOPs'])}/s")
    for name in ("weights, optimizer", "activations"):
        if costs[name] > 0:
            told.append(f"{name} move at {units.data_size(1 / costs[name])}/s")
    shape = (
        "overhead and compute add up"
        if step.softness < 1.2
        else "a step takes little more than the larger of overhead and compute"
        if step.softness > 3
        else "overhead and compute overlap in part"
    )
    return [f"Steps: {'; '.join([*told, shape])} (softness {units.significant(step.softness)})."]


def _range(model: CostModel) -> str:
    low, high = (2**model.low, 2**model.high)
    names = ("depth", "width", "rows in a batch", "batches in an epoch")
    spans = [
        f"{name} {round(float(a)):,}–{round(float(b)):,}"
        for name, a, b in zip(names, low, high, strict=True)
    ]
    return f"Calibrated: {', '.join(spans)}."


def model_as_json(model: CostModel, label: str, folder: Path) -> dict[str, Any]:
    """A cost model as plain data, in seconds."""
    return {
        "place": label,
        "runs": str(folder),
        "phases": {
            phase: {
                "times": len(fitted.times_s),
                "softness": fitted.softness,
                "coefficients": [
                    {
                        "term": each.term.name,
                        "unit": each.term.unit,
                        "value": each.value,
                        "low": each.low,
                        "high": each.high,
                    }
                    for each in fitted.coefficients
                ],
                "left_out_error_median": fitted.median_error,
                "left_out_error_95th_percentile": fitted.worst_error,
                "residuals": [
                    {"case": case.key, "architecture": case.label, "relative": float(residual)}
                    for case, residual in zip(fitted.cases, fitted.residuals(), strict=True)
                ],
            }
            for phase, fitted in model.phases.items()
        },
        "sentences": sentences(model),
    }
