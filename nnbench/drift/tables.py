"""The matrix of a drift study as tables, and what drift says as plain data."""

from pathlib import Path
from typing import Any

from nnbench.drift import matrix, words
from nnbench.drift.across_hosts import Comparison
from nnbench.drift.analysis import Analysis
from nnbench.drift.diagnosis import Difference
from nnbench.drift.golden import Verdict
from nnbench.show.intervals import MISSING
from nnbench.show.table import Cell, Table

PIPED_WIDTH = 150


def matrices(found: Analysis) -> list[Table]:
    """A table a backend: conditions by policies."""
    study = found.study
    of = f"{study.case.label}, {study.case.cold_epochs} epochs"
    seeds = f"{len(study.specification['seeds'])} seeds"
    tables = []
    for backend in found.backends:
        mine, policies = found.of_backend(backend), found.policies(backend)
        rows = [
            [Cell(condition), *(_cell(found, backend, name, condition) for name in policies)]
            for condition in matrix.conditions(mine)
        ]
        tables.append(Table(f"{backend}: {of}, {seeds}", ("condition", *policies), rows))
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
            {
                **vars(cell),
                "pairs": cell.pairs,
                "drifts": [
                    {"seed": seed, **vars(drift)}
                    for seed, drift in zip(cell.seeds, cell.drifts, strict=True)
                ],
            }
            for cell in found.cells
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
        "failures": found.failures,
    }


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """What a check found."""
    return {
        **vars(verdict),
        "required": words.required(verdict),
        "difference": _difference(verdict.difference),
    }


def comparison_as_json(found: Comparison) -> dict[str, Any]:
    """Two studies compared."""
    return {
        "unlike": found.unlike,
        "references": [
            {
                **vars(one),
                "bitwise": one.bitwise,
                "differences": [_difference(each) for each in one.differences],
            }
            for one in found.references
        ],
    }


def _difference(found: Difference) -> dict[str, Any]:
    return {**vars(found), "text": words.difference(found), **vars(found.drift)}
