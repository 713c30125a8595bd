"""A tuning as a table and as plain data."""

from pathlib import Path
from typing import Any

from nnbench.show import intervals
from nnbench.show.intervals import RATIO, SECONDS
from nnbench.show.table import Cell, Table
from nnbench.tune.finding import Answer, Finding, Setting, Trained
from nnbench.tune.words import now, sentences, warnings

MOST_ROWS = 20
"""Settings that are shown: the slowest are counted."""


def table(found: Finding) -> Table:
    """A row a setting, the fastest first: those that keep the training, then those that do not."""
    same = [one for one in found.settings if one.keeps]
    changing = [one for one in found.settings if not one.keeps]
    rows: list[list[Cell] | None] = [_row(found, one) for one in _shown(found, same)]
    if changing:
        rows += [None, *(_row(found, one) for one in _shown(found, changing))]
    chosen = [one.setting for one in found.answers]
    shown = [*_shown(found, same), None, *_shown(found, changing)]
    left = len(found.settings) - sum(one is not None for one in shown)
    case = found.present.case
    more = f"; {left} slower ones are left out" if left > 0 else ""
    below = "; below the line: those that change the training" if changing else ""
    return Table(
        title=f"{found.tuning.name} on {case.data}, {case.device}: "
        f"an epoch, now = 1 ({now(found)})",
        columns=("setting", "epoch / now", "epoch", "paid once", "launches"),
        rows=rows,
        caption=f"95 % intervals below; paid once = build, trace, compile{below}{more}",
        bold=frozenset(place for place, one in enumerate(shown) if one in chosen),
        spare=("launches", "paid once", "epoch"),
    )


def _shown(found: Finding, settings: list[Setting]) -> list[Setting]:
    """The fastest, and the present one wherever it stands."""
    return [
        one for place, one in enumerate(settings) if place < MOST_ROWS // 2 or one is found.present
    ]


def _row(found: Finding, one: Setting) -> list[Cell]:
    is_now = one is found.present
    ratio = intervals.cell(one.ratio, RATIO)
    return [
        Cell(f"{one.name} (now)" if is_now else one.name),
        Cell("1") if is_now else ratio,
        intervals.cell(one.epoch_s, SECONDS),
        intervals.cell(one.once_s, SECONDS),
        Cell(str(one.ratio.launches)),
    ]


def as_json(found: Finding, page: Path) -> dict[str, Any]:
    """A tuning as plain data, in seconds and bytes."""
    case = found.present.case
    return {
        "folder": found.folder,
        "page": page,
        "network": found.tuning.name,
        "architecture": case.label,
        "data": case.data,
        "rows": case.trained_rows,
        "rows_timed": found.rows,
        "now": {**_setting(found.present), "peak_bytes": found.present_peak_bytes},
        "same_training": _answer(found.same),
        "likely": None if found.likely is None else _setting(found.likely),
        "changes_training": _answer(found.changing),
        "drift_epochs": found.epochs,
        "now_again": _trained(found.again),
        "settings": [_setting(one) for one in found.settings],
        "failed": found.failed,
        "not_reached": found.not_reached,
        "spent_s": found.tuning.spent_s,
        "budget_s": found.tuning.budget_s,
        "sentences": sentences(found),
        "warnings": warnings(found),
    }


def _setting(one: Setting) -> dict[str, Any]:
    parts = {"ratio": one.ratio, "epoch_s": one.epoch_s, "once_s": one.once_s}
    return {
        "name": one.name,
        "changes": one.changes,
        "keeps_training": one.keeps,
        **{
            name: {"value": each.value, "low": each.low, "high": each.high}
            for name, each in parts.items()
        },
        "launches": one.ratio.launches,
        "timed_to_the_end": one.last,
        "case": one.case.to_json(),
    }


def _answer(one: Answer | None) -> dict[str, Any] | None:
    if one is None:
        return None
    alike = {"cannot_be_distinguished_from": one.alike, "ahead_from_epoch": one.pays_from}
    return {**_setting(one.setting), **alike, **(_trained(one.trained) or {}), "code": one.code}


def _trained(one: Trained | None) -> dict[str, Any] | None:
    if one is None:
        return None
    drift = one.drift and {
        "bitwise": one.drift.bitwise,
        "loss_difference": one.drift.loss_difference,
        "relative_l2": one.drift.relative_l2,
        "max_ulp": one.drift.max_ulp,
        "disagreement": one.drift.disagreement,
    }
    return {"drift": drift, "problem": one.problem, "peak_bytes": one.peak_bytes}
