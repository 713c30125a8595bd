"""The page of a calibrated place: coefficients, residuals, maps, roofline."""

from pathlib import Path

import numpy as np

from nnbench.costs import charts, questions, words
from nnbench.costs.context import Scene
from nnbench.errors import UserError
from nnbench.show import html, units
from nnbench.show.html import Part
from nnbench.show.table import Cell, Table
from nnbench.store import runs

PAGE = "model.html"


def write(folder: Path, scene: Scene) -> Path:
    """Write the page, and its charts as files, into `folder`; return the page's path.

    Raises UserError if the folder cannot be written.
    """
    rate = product_rate(folder)
    free = words.free_widths(questions.free_width(scene))
    softness = units.significant(scene.model.phases["step"].softness, 2)
    return html.write(
        folder / PAGE,
        title="What a network costs here, and why",
        subtitle=words.place(scene),
        sentences=[words.basis(scene)],
        warnings=[],
        parts=[
            Part("Coefficients", COEFFICIENTS.format(softness=softness), coefficients(scene)),
            Part(
                "Predicted and measured",
                RESIDUALS,
                figure=charts.residuals(scene),
                name="residuals",
            ),
            Part("Depth and width", HEAT_MAPS, figure=charts.heat_maps(scene), name="heat-maps"),
            Part("Roofline", ROOFLINE, figure=charts.roofline(scene, rate), name="roofline"),
            Part(
                "Overhead against size",
                OVERHEAD,
                figure=charts.overhead_share(scene),
                name="overhead",
            ),
            Part(free.title, FREE, free),
        ],
    )


COEFFICIENTS = (
    "What one unit of each kind of work adds to a phase, with its 95 % interval; those of an epoch "
    "are for all of its steps. Costs that no network here notices are left out. Overhead "
    "and compute of a step are joined with softness {softness}: 1 is their sum, large is the "
    "larger of the two. What the coefficients leave is followed by a Gaussian process; the last "
    "column is the median error of a timing predicted from all others."
)
RESIDUALS = (
    "Each point is one timing held against its prediction from all others. Points off the line "
    "whose interval does not touch it are where the model is wrong."
)
HEAT_MAPS = (
    "Brighter is slower. Where contours run upright, width is what costs; where they lie flat, "
    "depth is. A circle that stands out from what is around it is a prediction that failed."
)
ROOFLINE = (
    "A point on a rising line pays for being started only: more FLOPs would come for nothing. A "
    "point at the top computes as fast as this device lets such networks compute."
)
OVERHEAD = (
    "At the top, a wider network costs nothing more; at the bottom, every cell is paid for. Of two "
    "networks with as many parameters the deeper one has more overhead."
)
FREE = (
    "Up to these widths a step is hardly dearer than the narrowest network's, and up to the second "
    "its overhead is larger than its compute."
)


def coefficients(scene: Scene) -> Table:
    """A row for each phase and term."""
    rows = []
    for phase, model in scene.model.phases.items():
        noticed = [each for each in model.coefficients if each.high > 0]
        for number, each in enumerate(noticed or model.coefficients[:1]):
            error = (
                f"{units.share(model.median_error)} of {len(model.times_s)}" if not number else ""
            )
            rows.append(
                [
                    Cell(phase if not number else ""),
                    Cell(each.term.name),
                    Cell(_small(each.value), f"{_small(each.low)} – {_small(each.high)}"),
                    Cell(each.term.unit.removeprefix("s").strip() or "once"),
                    Cell(error),
                ]
            )
    return Table("Coefficients", ("phase", "term", "costs", "", "left-out error"), rows)


def _small(value_s: float) -> str:
    """A duration that may be much less than a nanosecond."""
    if 0 < value_s < 1e-9:
        scale, unit = (1e-12, "ps") if value_s >= 1e-12 else (1e-15, "fs")
        return f"{units.significant(value_s / scale)} {unit}"
    return units.seconds(value_s)


def product_rate(folder: Path) -> float | None:
    """The matrix-product rate that the workers of the runs in a folder measured, in FLOP/s."""
    rates = []
    for path in runs.find(folder):
        try:
            run = runs.read(path)
        except UserError:
            continue
        rates += [
            launch["product_flops_per_s"]
            for launch in run.launches
            if "product_flops_per_s" in launch
        ]
    return float(np.median(rates)) if rates else None
