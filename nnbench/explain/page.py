"""The page of why one network takes longer: its phases, and the layers of a step."""

from collections.abc import Sequence
from pathlib import Path

from nnbench.explain import charts, layer_words, tables
from nnbench.explain.attribution import Attribution
from nnbench.explain.by_layer import StepByLayer
from nnbench.show import html
from nnbench.show.html import Part
from nnbench.show.text import file_name
from nnbench.store.runs import Run

PAGE = "explain.html"

PHASES = (
    "Each bar begins where the one before ended, with its 95 % interval; the rest is what no part "
    "explains, so that all of them add up to the whole."
)
LAYERS = (
    "From the input on top: each bar begins where the one above ended. Layers are matched by their "
    "names where a person gave them, else by kind, shape and position; what only one network has "
    "stands by itself. Both steps are cut after each of their layers, in the same processes and in "
    "turns; a layer's time is what one cut takes more than the one before. Loss and metrics are "
    "what the whole steps take beyond their last cuts, the rest is a step without layers."
)


def write(
    run: Run, told: Sequence[tuple[Attribution, Sequence[str]]], layers: Sequence[StepByLayer]
) -> Path:
    """Write the page into a run's folder; `told` are the attributions with their sentences."""
    parts: list[Part] = []
    sentences: list[str] = []
    warnings: list[str] = []
    several = len(told) > 1
    for number, (one, said) in enumerate(told):
        where = one.first_case.context
        # A chart's file is named after what tells it from all others of the page.
        table, stem = tables.table(one), _stem(f"explain-{number}", where)
        sentences += _said(where, said, several)
        parts += [
            Part(f"Why it takes longer, {where}", PHASES, figure=charts.waterfall(one), name=stem),
            Part(table.title, table.caption, table),
        ]
    for each in layers:
        where = each.first_case.context
        table, stem = tables.layer_table(each), _stem("explain-layers", where)
        sentences += _said(where, layer_words.sentences(each), several)
        warnings += _said(where, layer_words.warnings(each), several)
        parts += [
            Part(f"A step by layer, {where}", LAYERS, figure=charts.by_layer(each), name=stem),
            Part(table.title, table.caption, table),
        ]
    host, (first, _) = run.fingerprint, told[0]
    return html.write(
        run.folder / PAGE,
        title=f"Why {first.second} takes as long as it does, compared with {first.first}",
        subtitle=f"{run.created} on {host['host']}: {host['cpu']}, {host['cpus']} CPUs",
        sentences=sentences,
        warnings=warnings,
        parts=parts,
    )


def _stem(what: str, where: str) -> str:
    return file_name(f"{what}-{where}".replace(", ", "-"))


def _said(where: str, sentences: Sequence[str], several: bool) -> list[str]:
    return [f"{where}: {text}" if several else text for text in sentences]
