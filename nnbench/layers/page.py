"""The page of a step's layers."""

from collections.abc import Sequence
from pathlib import Path

from nnbench.layers import charts, tables, words
from nnbench.layers.breakdown import Breakdown
from nnbench.show import html
from nnbench.show.html import Part
from nnbench.show.text import file_name
from nnbench.store.runs import Run

PAGE = "layers.html"

DEPTH = (
    "From the input on top. The interval at a bar's end is that of the layer as a whole, not of "
    "its last part."
)
METHOD = (
    "Beside the whole step, pieces of it are timed in the same processes, in turns, each compiled "
    "and called as the whole: the network cut after each of its layers, where what was made takes "
    "itself for its gradient, and a learning rate of 0. What one takes more than the one before is "
    "the layer's time: forward pass, backward pass and the update of its weights. The same cuts "
    "without a backward pass give the forward pass; the update is timed by itself with gradients "
    "that are there; the backward pass is what is left. As a check each layer is timed alone, on "
    "what it is given in the network: forward pass, backward pass and update; what it is given is "
    "written anew for it, and the gradient of that read once more. Loss and metrics are what the "
    "whole step takes more than the last cut; the rest is a step without layers: calling it, and "
    "handing it a batch. So the parts add up to the whole in every launch. A layer without weights "
    "that cannot be distinguished from nothing is told with the one before it: compilers make one "
    "loop of both. Where branches run at the same time, a branch counts with what it adds to those "
    "before it."
)


def write(run: Run, found: Sequence[Breakdown]) -> Path:
    """Write the page of a run's networks into its folder."""
    parts: list[Part] = []
    for one in found:
        table, where = tables.table(one), one.case.context
        stem = file_name(f"layers-{where}-{one.case.label}".replace(", ", "-").replace(",", "_"))
        figure = charts.along_the_depth(one)
        parts += [
            Part(table.title, table.caption, table),
            Part(f"Along the depth, {where}", DEPTH, figure=figure, name=stem),
        ]
    host = run.fingerprint
    return html.write(
        run.folder / PAGE,
        title="Where a step's time goes",
        subtitle=f"{run.created} on {host['host']}: {host['cpu']}, {host['cpus']} CPUs",
        sentences=[_said(one, text, found) for one in found for text in words.sentences(one)],
        warnings=[_said(one, text, found) for one in found for text in words.warnings(one)],
        parts=[*parts, Part("How this was measured", METHOD)],
    )


def _said(one: Breakdown, text: str, found: Sequence[Breakdown]) -> str:
    return f"{one.case.context}: {text}" if len(found) > 1 else text
