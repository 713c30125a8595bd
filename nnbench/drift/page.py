"""The page of a drift study: `drift.html` in its folder, which needs nothing else."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from nnbench.drift import charts, determinism_cost, diagnosis, matrix, remedy
from nnbench.drift.matrix import Cell
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.show import figures, html

PAGE = "drift.html"
CHARTS = "charts"

READING = {
    "matrix": (
        "Policy by condition",
        "Green: equal in every bit, for every seed. Elsewhere the largest distance of a weight, "
        "from when on, and the share of rows that the two networks answer differently. An empty "
        "field was not asked: where both sides are given the same start, a seed plays no part.",
    ),
    "distance": (
        "Weights by epoch",
        "The floor is bitwise equality; one ULP is the smallest step a number can take. A line "
        "that begins high started from other weights; one that rises from the floor started equal "
        "and was parted by arithmetic.",
    ),
    "ulps": (
        "Single weights, by layer",
        "What parts two trainings by arithmetic alone does not do so in all layers alike.",
    ),
}


def write(study: Study, found: Sequence[Cell]) -> Path:
    """Write the page and its charts, and return its path. Raises UserError if that fails."""
    backends = [
        name for name in study.specification["backends"] if any(c.backend == name for c in found)
    ]
    return html.render(
        study.folder / PAGE,
        "drift/page.html.j2",
        study=study,
        cells=found,
        columns=matrix.conditions(found),
        policies=POLICIES,
        backends=backends,
        brief=matrix.brief,
        cell_of=lambda *key: matrix.cell_of(found, *key),
        findings=diagnosis.diagnose(study, found),
        explanations=diagnosis.explanations(study, found),
        remedies={name: remedy.found_for(study, name) for name in backends},
        costs=[text for name in backends if (text := determinism_cost.sentence(study, name))],
        charts=_charts(study, found, backends),
    )


def _charts(
    study: Study, found: Sequence[Cell], backends: Sequence[str]
) -> list[tuple[str, str, str]]:
    drawn: list[tuple[str, str, Figure | None]] = [
        ("matrix", "matrix", charts.policy_matrix(study, found))
    ]
    for backend in backends:
        drawn += [
            ("distance", f"distance-{backend}", charts.distance_by_epoch(study, found, backend)),
            ("ulps", f"ulps-{backend}", charts.ulps_by_layer(study, backend)),
        ]
    shown = []
    for kind, name, figure in drawn:
        if figure is None:
            continue
        image = figures.save_figure(figure, study.folder / CHARTS / f"{name}.png")
        shown.append((*READING[kind], image))
    return shown
