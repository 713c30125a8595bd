"""The matrix of a drift study as tables, and what drift says as plain data."""

from pathlib import Path
from typing import Any

from nnbench.drift import matrix, words
from nnbench.drift.analysis import Analysis, Comparison
from nnbench.drift.diagnosis import Difference
from nnbench.drift.golden import Verdict
from nnbench.show.intervals import MISSING
from nnbench.show.table import Cell, Table

PIPED_WIDTH = 150


def matrices(found: Analysis) -> list[Table]:
    """A table a backend: conditions by policies."""
    case, seeds = found.study.case, len(found.study.specification["seeds"])
    tables = []
    for backend in found.backends:
        policies = found.policies(backend)
        rows = [
            [Cell(condition), *(_cell(found, backend, name, condition) for name in policies)]
            for condition in matrix.conditions(found.of_backend(backend))
        ]
        title = f"{backend}: {found.study.name}, {case.cold_epochs} epochs, {seeds} seeds"
        tables.append(Table(title, ("condition", *policies), rows))
    return tables


def _cell(found: Analysis, backend: str, policy: str, condition: str) -> Cell:
    cell = matrix.cell_of(found.cells, backend, policy, condition)
    if cell is None:
        return Cell(MISSING)
    tone = "good" if cell.reproduced else "bad" if cell.first_epoch == 0 else "warning"
    first, *others = words.cell(cell)
    return Cell(first, ",\n".join(others), tone)


def study_as_json(found: Analysis, page: Path | None) -> dict[str, Any]:
    """A study, but for the distances of single weights."""
    study = found.study
    return {
        "folder": study.folder,
        "page": page,
        "specification": study.specification,
        "fingerprint": study.fingerprint,
        "cells": [
            {**vars(cell), "pairs": cell.pairs, "drifts": _drifts(cell)} for cell in found.cells
        ],
        "diagnosis": [
            {**vars(one), "uncontrolled": one.sources, "text": words.uncontrolled(one)}
            for one in found.diagnosis
        ],
        "varied": words.varied(found),
        "remedies": study.remedies,
        "cost": {
            backend: ratio and {"ratio": ratio.value, "low": ratio.low, "high": ratio.high}
            for backend, ratio in found.cost.items()
        },
        "skipped": study.skipped,
        "damage": study.damage,
        "failures": found.failures,
    }


def _drifts(cell: matrix.Cell) -> list[dict[str, Any]]:
    by_seed = zip(cell.seeds, cell.drifts, strict=True)
    return [{"seed": seed, **vars(drift)} for seed, drift in by_seed]


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """What a check found."""
    difference = _difference(verdict.difference)
    return {**vars(verdict), "required": words.required(verdict), "difference": difference}


def comparison_as_json(found: Comparison) -> dict[str, Any]:
    """Two studies compared."""
    references = [
        {**vars(one), "bitwise": one.bitwise, "differences": [*map(_difference, one.differences)]}
        for one in found.references
    ]
    return {"unlike": found.unlike, "references": references}


def _difference(found: Difference) -> dict[str, Any]:
    return {**vars(found), "text": words.difference(found), **vars(found.drift)}
