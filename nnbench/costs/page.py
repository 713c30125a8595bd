"""The page of a calibrated setting: coefficients, residuals, maps, roofline."""

from pathlib import Path

from nnbench.costs import charts, questions, saved, tables, words
from nnbench.costs.context import Context
from nnbench.phases import STEP
from nnbench.show import html, units
from nnbench.show.html import Part

PAGE = "model.html"

COEFFICIENTS = (
    "What one unit of each kind of work adds to a phase, with its 95 % interval; those of an epoch "
    "are for all of its steps. Costs that no network here notices are left out. Overhead "
    "and compute of a step are joined with softness {softness}: 1 is their sum, large is the "
    "larger of the two."
)
ERRORS = "Each timing predicted from all others: how far that is off, whatever the direction."
RESIDUALS = (
    "Each point is one timing compared with its prediction from all others. Points off the line "
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
    "At the top, a wider network costs nothing more; at the bottom, every unit is paid for. Of two "
    "networks with as many parameters the deeper one has more overhead."
)
FREE = (
    "Up to these widths a step is hardly dearer than the narrowest network's, and up to the second "
    "its overhead is larger than its compute."
)


def write(folder: Path, context: Context) -> Path:
    """Write the page, and its charts as files. Raises UserError if `folder` cannot be written."""
    model = context.model
    reading = COEFFICIENTS.format(softness=units.significant(model.phases[STEP].softness, 2))
    roofline = charts.roofline(context, saved.product_rate(folder))
    free, errors = tables.free_widths(questions.free_width(context)), tables.errors(model)
    coefficients = tables.coefficients(model, context.setting.label)
    residuals, shares = charts.residuals(context), charts.overhead_share(context)
    maps = charts.heat_maps(context)
    parts = [
        Part("Coefficients", reading, coefficients),
        Part("How far off", ERRORS, errors),
        Part("Predicted and measured", RESIDUALS, figure=residuals, name="residuals"),
        Part("Depth and width", HEAT_MAPS, figure=maps, name="heat-maps"),
        Part("Roofline", ROOFLINE, figure=roofline, name="roofline"),
        Part("Overhead against size", OVERHEAD, figure=shares, name="overhead"),
        Part(free.title, FREE, free),
    ]
    return html.write(
        folder / PAGE,
        title="What a network costs here, and why",
        subtitle=words.where(context),
        sentences=[words.basis(context)],
        warnings=[],
        parts=parts,
    )
