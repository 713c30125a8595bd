"""A drift study for the terminal and for scripts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnbench.drift import determinism_cost, diagnosis, matrix, remedy
from nnbench.drift.across_hosts import Across
from nnbench.drift.diagnosis import Difference
from nnbench.drift.golden import Verdict
from nnbench.drift.matrix import Cell
from nnbench.drift.metrics import Drift
from nnbench.drift.saved import Study
from nnbench.show.terminal import open_console

PIPED_WIDTH = 150


def print_study(study: Study, found: Sequence[Cell]) -> None:
    """The matrix of each backend, the diagnosis, the code that mends it, and what it costs."""
    console = open_console(PIPED_WIDTH)
    columns = matrix.conditions(found)
    for backend in study.specification["backends"]:
        mine = [cell for cell in found if cell.backend == backend]
        if mine:
            console.print(_table(study, mine, backend, [c for c in columns if _has(mine, c)]))
    for finding in diagnosis.diagnose(study, found):
        console.print(finding.text, markup=False, soft_wrap=True)
    for text in diagnosis.explanations(study, found):
        console.print(text, markup=False, soft_wrap=True)
    for backend in study.specification["backends"]:
        _print_remedy(console, study, backend)
        price = determinism_cost.sentence(study, backend)
        if price:
            console.print(price, markup=False, soft_wrap=True)
    for failure in study.failures():
        console.print(
            f"Failed: {failure['key']}: {_reason(failure)}",
            markup=False,
            style="yellow",
            soft_wrap=True,
        )
    for line in [*study.skipped, *study.damage]:
        console.print(f"Not run: {line}", markup=False, style="dim", soft_wrap=True)


def _reason(failure: dict[str, Any]) -> str:
    lines = str(failure.get("message", "")).splitlines() or [failure["outcome"]]
    return lines[0] if len(lines) == 1 else f"{lines[0]} ({lines[-1]})"


def _has(cells: Sequence[Cell], condition: str) -> bool:
    return any(cell.condition == condition for cell in cells)


def _table(study: Study, cells: Sequence[Cell], backend: str, columns: Sequence[str]) -> Table:
    seeds = len(study.specification["seeds"])
    table = Table(
        title=f"{backend}: {study.case.label}, {study.case.cold_epochs} epochs, {seeds} seeds",
        title_justify="left",
    )
    table.add_column("condition")
    policies = [
        name for name in study.specification["policies"] if any(c.policy == name for c in cells)
    ]
    for policy in policies:
        table.add_column(policy)
    for condition in columns:
        row = [Text(condition)]
        for policy in policies:
            cell = matrix.cell_of(cells, backend, policy, condition)
            row.append(Text("-", style="dim") if cell is None else _field(cell))
        table.add_row(*row)
    return table


def _field(cell: Cell) -> Text:
    first, second = matrix.brief(cell)
    if cell.reproduced:
        return Text(first, style="green")
    return Text(f"{first}\n{second}", style="red" if cell.first_epoch == 0 else "yellow")


def _print_remedy(console: Console, study: Study, backend: str) -> None:
    record = remedy.found_for(study, backend)
    if record is not None:
        console.print(
            f"\nThe shortest code that makes this training reproducible on {backend}, verified "
            f"in two fresh processes ({record['seeds_equal']} of {record['seeds']} seeds bitwise):",
            markup=False,
            soft_wrap=True,
        )
        console.print(str(record["code"]), markup=False, style="bold")
        return
    tried = [one for one in study.remedies if one["backend"] == backend]
    if tried:
        problem = f" ({tried[-1]['problem']})" if tried[-1]["problem"] else ""
        console.print(
            f"None of the {len(tried)} ways tried makes this training reproducible on {backend}"
            f"{problem}: the network or its data draw from a generator that no seed reaches, or "
            "an operation does not repeat.",
            markup=False,
            soft_wrap=True,
        )


def study_as_json(study: Study, found: Sequence[Cell], page: Path | None) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "folder": str(study.folder),
        "page": None if page is None else str(page),
        "specification": study.specification,
        "fingerprint": study.fingerprint,
        "cells": [
            {
                "backend": cell.backend,
                "policy": cell.policy,
                "condition": cell.condition,
                "pairs": cell.pairs,
                "bitwise": cell.bitwise,
                "drifts": [
                    {"seed": seed, **drift_as_json(one)}
                    for seed, one in zip(cell.seeds, cell.drifts, strict=True)
                ],
            }
            for cell in found
        ],
        "diagnosis": [
            {
                "backend": one.backend,
                "policy": one.policy,
                "uncontrolled": list(one.sources),
                "text": one.text,
            }
            for one in diagnosis.diagnose(study, found)
        ],
        "varied": diagnosis.explanations(study, found),
        "remedies": study.remedies,
        "cost": {
            backend: None
            if (estimate := determinism_cost.ratio(study, backend)) is None
            else {
                "ratio": estimate.value,
                "low": _finite(estimate.low),
                "high": _finite(estimate.high),
            }
            for backend in study.specification["backends"]
        },
        "skipped": study.skipped,
        "failures": study.failures(),
    }


def drift_as_json(far: Drift) -> dict[str, Any]:
    """The figures of one pair; null where a figure is not finite."""
    return {
        "bitwise": far.bitwise,
        "initial_equal": far.initial_equal,
        "max_ulp": _finite(far.max_ulp),
        "median_ulp": _finite(far.median_ulp),
        "relative_l2": _finite(far.relative_l2),
        "loss_difference": _finite(far.loss_difference),
        "first_epoch": far.first_epoch,
        "doubling_epochs": far.doubling_epochs,
        "disagreement": far.disagreement,
    }


def _finite(value: float) -> float | None:
    return value if value - value == 0 else None


def difference_as_json(difference: Difference) -> dict[str, Any]:
    """A pair's difference as plain data."""
    return {
        "sources": list(difference.sources),
        "layer": difference.layer,
        "layer_ulp": _finite(difference.layer_ulp),
        "forward": difference.forward,
        "weights": list(difference.weights),
        "text": difference.text,
        **drift_as_json(difference.drift),
    }


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """What a check found, as plain data."""
    return {
        "passed": verdict.passed,
        "exact": verdict.exact,
        "required": verdict.required,
        "elsewhere": list(verdict.elsewhere),
        "changed": list(verdict.changed),
        "difference": difference_as_json(verdict.difference),
    }


def across_as_json(found: Sequence[Across], unlike: Sequence[str]) -> dict[str, Any]:
    """Two studies held against each other, as plain data."""
    return {
        "unlike": list(unlike),
        "references": [
            {
                "backend": one.backend,
                "policy": one.policy,
                "bitwise": one.bitwise,
                "seeds": list(one.seeds),
                "differences": [difference_as_json(difference) for difference in one.differences],
            }
            for one in found
        ],
    }
