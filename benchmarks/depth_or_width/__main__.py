"""Depth against width at equal parameters, for each family: the tables and charts of docs.

    nnbench run conv:20x2 conv:10x5 --backend tensorflow,jax,torch --path fit,compiled --name conv
    ... the same for lstm:24x1 lstm:12x3 and transformer:32x1 transformer:16x4 ...
    python -m benchmarks.depth_or_width results/conv results/lstm results/transformer

puts what these runs say between two marks of `docs/depth-against-width.md`. In each run the first
network is the wide one, the second the deep one; all figures are of one machine, named there.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE
from nnbench.show import units
from nnbench.show.figures import save_figure
from nnbench.show.palette import SERIES_COLOURS
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary, Measured, summarise
from nnbench.store import runs
from nnbench.store.runs import Run

PAGE = Path(__file__).parents[2] / "docs" / "depth-against-width.md"
BEGIN, END = "<!-- from here: benchmarks/depth_or_width -->", "<!-- to here -->"
PHASES = (COLD, TRACE, COMPILE, EPOCH, STEP)
DRAWN = {COLD: "whole training", STEP: "one step"}


@dataclass(frozen=True)
class Pair:
    """A wide and a deep network on one backend and path, and their paired ratios, deep / wide."""

    wide: CaseSummary
    deep: CaseSummary
    ratios: dict[str, Estimate]

    @property
    def where(self) -> str:
        """The backend and the path."""
        return f"{self.wide.case.backend}, {self.wide.case.path}"


def pairs(run: Run) -> Iterator[Pair]:
    """The two networks of a run on each backend and path that trained both."""
    measured = Measured.of(run)
    found = summarise(run, measured)
    for context in dict.fromkeys(one.case.comparable for one in found):
        group = [one for one in found if one.case.comparable == context]
        if len(group) == 2:
            wide, deep = group
            yield Pair(wide, deep, measured.ratios(deep.case, wide.case))


def told(estimate: Estimate | None) -> str:
    """A ratio with its interval."""
    if estimate is None:
        return "-"
    return f"{estimate.value:.2f} [{estimate.low:.2f}-{estimate.high:.2f}]"


def section(run: Run) -> list[str]:
    """A family's heading, its chart, and a table with a row for each backend and path."""
    found = list(pairs(run))
    wide, deep = found[0].wide, found[0].deep
    family = wide.case.label.partition(":")[0]
    chart = save(found, PAGE.with_name(f"depth-against-width-{family}.png"))
    flops = [one.step_flops or 0 for one in (wide, deep)]
    lines = [
        f"## `{wide.case.label}` against `{deep.case.label}`",
        "",
        f"{wide.parameters:,} against {deep.parameters:,} weights; a step of "
        f"{wide.case.batch_rows} rows is {units.flops(flops[0])} against {units.flops(flops[1])} "
        f"({flops[1] / flops[0]:.2f} times). {wide.case.data}, {wide.case.rows:,} rows, "
        f"{wide.case.cold_epochs} epochs.",
        "",
        f"![{family}: what the deep network takes, by what the wide one takes]({chart.name})",
        "",
        "| deep / wide | whole training | trace | compile | an epoch | a step |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for pair in found:
        ratios = " | ".join(told(pair.ratios.get(phase)) for phase in PHASES)
        lines.append(f"| {pair.where} | {ratios} |")
    lines += ["", "| seconds, wide and deep | whole training | an epoch | a step |"]
    lines += ["| --- | --- | --- | --- |"]
    for pair in found:
        cells = [
            " and ".join(
                units.seconds(one.times[phase].value) if phase in one.times else "-"
                for one in (pair.wide, pair.deep)
            )
            for phase in (COLD, EPOCH, STEP)
        ]
        lines.append(f"| {pair.where} | {' | '.join(cells)} |")
    return [*lines, ""]


def save(found: list[Pair], path: Path) -> Path:
    """Draw both ratios of each backend and path, with their intervals, and what FLOPs say."""
    figure = Figure(figsize=(7.5, 0.5 * len(found) + 1.4), layout="constrained")
    axis = figure.subplots()
    shifts = np.linspace(-0.13, 0.13, len(DRAWN))
    for (phase, name), shift, colour in zip(DRAWN.items(), shifts, SERIES_COLOURS, strict=False):
        known = [(at, pair.ratios[phase]) for at, pair in enumerate(found) if phase in pair.ratios]
        values = np.array([(one.value, one.low, one.high) for _, one in known]).T
        errors = [values[0] - values[1], values[2] - values[0]]
        places = [at + shift for at, _ in known]
        axis.errorbar(values[0], places, xerr=errors, fmt="o", color=colour, label=name, capsize=3)
    flops = [one.step_flops or 0 for one in (found[0].wide, found[0].deep)]
    axis.axvline(1, color="#555555", linewidth=1)
    if flops[0]:
        share = flops[1] / flops[0]
        axis.axvline(share, color="#999999", linestyle="--", linewidth=1, label="FLOPs of a step")
    axis.set_yticks(range(len(found)), [pair.where for pair in found])
    axis.invert_yaxis()
    pair = " / ".join(one.case.label for one in (found[0].deep, found[0].wide))
    axis.set_xlabel(f"{pair}: above 1 the deep network is slower")
    axis.grid(axis="x", alpha=0.3)
    axis.legend(fontsize=8, loc="best")
    save_figure(figure, path, dpi=110)
    return path


def main(folders: list[str]) -> None:
    """Write the part of the page that runs say."""
    found = [runs.read(Path(folder)) for folder in folders]
    here = found[0].fingerprint
    versions = ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    lines = [f"Measured on {here['cpu']}, {here['cpus']} cores; {versions}.", ""]
    for run in found:
        lines += section(run)
    text = PAGE.read_text()
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\n" + "\n".join(lines) + f"\n{END}{tail}")


if __name__ == "__main__":
    main(sys.argv[1:])
