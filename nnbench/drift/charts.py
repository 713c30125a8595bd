"""The figures of a drift study, one function each; they read cells and trajectories only."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nnbench.drift import matrix, metrics, plan
from nnbench.drift.matrix import Cell
from nnbench.drift.saved import Study
from nnbench.show.palette import SERIES_COLOURS

BITWISE_AT = 0.3
"""Where a distance of 0 ULP is drawn on an axis that begins at 1 ULP."""

ONE_ULP = 2.0**-24
"""Half the spacing of float32 around 1: the relative size of a rounding."""

MOST_PANELS = 4


def _footnote(figure: Figure, study: Study) -> None:
    case = study.case
    figure.supxlabel(
        f"{case.label}, {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch, "
        f"{case.cold_epochs} epochs; {len(study.specification['seeds'])} seeds, the worst shown "
        "where one figure stands for all.",
        fontsize=8,
        color="#555555",
        x=0.01,
        ha="left",
    )


def distance_by_epoch(study: Study, found: Sequence[Cell], backend: str) -> Figure | None:
    """Distance of the weights by epoch: each policy on the left, what else was varied on the right.

    Lines are the median over seeds, bands all seeds; what is bitwise equal lies on the floor. None
    where there is nothing to draw.
    """
    mine = [cell for cell in found if cell.backend == backend]
    repeated = [cell for cell in mine if cell.condition == plan.NEW] or [
        cell for cell in mine if cell.condition == plan.SAME
    ]
    seeded = [name for name in plan.SEEDED if any(cell.policy == name for cell in mine)]
    repeats = (plan.SAME, plan.NEW)
    varied = [
        cell
        for cell in mine
        if seeded and cell.policy == seeded[0] and cell.condition not in repeats
    ]
    panels = [
        (title, cells, label)
        for title, cells, label in (
            ("two trainings under each policy, " + _where(repeated), repeated, "policy"),
            (f"policy {seeded[0] if seeded else ''}, one thing varied", varied, "condition"),
        )
        if any(cell.drifts[0].comparable for cell in cells)
    ]
    if not panels:
        return None
    figure = Figure(figsize=(5.2 * len(panels), 5.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (title, cells, label) in zip(axes, panels, strict=True):
        _lines(axis, cells, label)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch (0: before training)")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("largest distance of a weight")
    figure.suptitle(f"Weights of two trainings, {backend}", fontsize=11)
    _footnote(figure, study)
    return figure


def _where(cells: Sequence[Cell]) -> str:
    return cells[0].condition if cells else ""


def _lines(axis: Axes, cells: Sequence[Cell], label: str) -> None:
    axis.set_yscale("log")
    seen: dict[bytes, int] = {}
    for position, cell in enumerate(cells):
        drifts = [drift for drift in cell.drifts if drift.comparable]
        if not drifts:
            continue
        ulps = np.array([np.nan_to_num(drift.ulps, posinf=2.0**32) for drift in drifts])
        ulps = np.where(ulps < 1, BITWISE_AT, ulps)
        colour = SERIES_COLOURS[position % len(SERIES_COLOURS)]
        middle = np.median(ulps, axis=0)
        # Lines that coincide would hide each other: each after the first is dashed further.
        looks = np.log10(middle).round(1).tobytes()
        copies = seen[looks] = seen.get(looks, -1) + 1
        style = "-" if copies == 0 else (3 * copies, (3, 3 * copies))
        axis.plot(
            drifts[0].epochs,
            middle,
            color=colour,
            linestyle=style,
            linewidth=2,
            label=str(getattr(cell, label)),
        )
        axis.fill_between(
            drifts[0].epochs, ulps.min(0), ulps.max(0), color=colour, alpha=0.15, linewidth=0
        )
    axis.axhline(0.6, color="#bbbbbb", linewidth=0.8, linestyle=":")
    axis.set_ylim(BITWISE_AT / 1.6, 2.0**33)
    decades = [BITWISE_AT, *(10.0**power for power in range(0, 10, 2))]
    axis.set_yticks(decades)
    axis.set_yticks([], minor=True)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axis.grid(axis="y", alpha=0.25)
    axis.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)


def _tick(value: float) -> str:
    if value < 1:
        return "bitwise"
    power = round(np.log10(value))
    return {0: "1 ULP", 2: "100 ULP"}.get(power, f"$10^{{{power}}}$ ULP")


def policy_matrix(study: Study, found: Sequence[Cell]) -> Figure | None:
    """Policy by condition, one panel a backend: colour and figures say how far apart.

    None where there is no pair.
    """
    backends = [name for name in study.specification["backends"] if _of(found, name)]
    columns = matrix.conditions(found)
    if not backends:
        return None
    policies = {
        backend: [
            name
            for name in study.specification["policies"]
            if any(cell.policy == name for cell in _of(found, backend))
        ]
        for backend in backends
    }
    rows = sum(map(len, policies.values()))
    figure = Figure(
        figsize=(2.6 + 1.35 * len(columns), 1.7 + 0.62 * rows + 0.5 * len(backends)),
        layout="constrained",
    )
    axes = figure.subplots(
        len(backends),
        1,
        squeeze=False,
        gridspec_kw={"height_ratios": [len(policies[backend]) for backend in backends]},
    )[:, 0]
    scale = LogNorm(ONE_ULP / 64, 2)
    image = None
    for axis, backend in zip(axes, backends, strict=True):
        values = np.full((len(policies[backend]), len(columns)), np.nan)
        for row, policy in enumerate(policies[backend]):
            for column, condition in enumerate(columns):
                cell = matrix.cell_of(found, backend, policy, condition)
                if cell is None:
                    continue
                far = cell.relative_l2
                values[row, column] = np.nan if cell.reproduced else np.clip(far, ONE_ULP / 64, 2)
                _write_in(axis, cell, row, column, far)
        image = axis.imshow(values, cmap="OrRd", norm=scale, aspect="auto")
        axis.set_yticks(range(len(policies[backend])), policies[backend], fontsize=8)
        top = axis is axes[0]
        axis.set_xticks(range(len(columns)), columns if top else [], fontsize=8)
        axis.tick_params(top=top, labeltop=top, bottom=False, labelbottom=False, length=0)
        if top:
            for label in axis.get_xticklabels():
                label.set(rotation=25, ha="left")
        axis.set_ylabel(backend, fontsize=10, fontweight="bold")
        for side in axis.spines.values():
            side.set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), shrink=0.8, pad=0.02)
        bar.set_label("relative L2 distance of the final weights", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    _footnote(figure, study)
    return figure


def _of(found: Sequence[Cell], backend: str) -> list[Cell]:
    return [cell for cell in found if cell.backend == backend]


def _write_in(axis: Axes, cell: Cell, row: int, column: int, far: float) -> None:
    if cell.reproduced:
        axis.add_patch(_green(row, column))
        axis.text(column, row, f"bitwise\n{cell.pairs} of {cell.pairs}", **_TEXT)
        return
    start = "start apart" if cell.first_epoch == 0 else f"from epoch {cell.first_epoch}"
    text = f"{matrix.ulps(cell.max_ulp)}\n{start}\n{cell.disagreement:.1%} answers"
    axis.text(column, row, text, **{**_TEXT, "color": "white" if far > 0.05 else "black"})


_TEXT: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": 6.5,
    "color": "black",
    "linespacing": 1.15,
}


def _green(row: int, column: int) -> Rectangle:
    return Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#cfe8d5", edgecolor="white")


def ulps_by_layer(study: Study, backend: str) -> Figure | None:
    """Histogram of ULP distances of the final weights by layer, for what parts by arithmetic alone.

    One panel for each condition whose trainings begin equal and end apart; all seeds together.
    None where there is no such condition.
    """
    panels = _parted(study, backend)
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.2 * columns, 0.8 + 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for axis, (condition, layers) in zip(axes, panels.items(), strict=False):
        _histogram(axis, condition, layers)
    figure.suptitle(f"How far single weights are apart, {backend}", fontsize=11)
    _footnote(figure, study)
    return figure


def _parted(study: Study, backend: str) -> dict[str, dict[str, list[float]]]:
    panels: dict[str, dict[str, list[float]]] = {}
    for pair in study.pairs():
        if pair.backend != backend or pair.policy not in plan.SEEDED:
            continue
        far = study.drift(pair)
        if far.bitwise or not far.initial_equal or not far.comparable:
            continue
        if pair.condition not in panels and len(panels) == MOST_PANELS:
            continue
        first, second = study.trajectory(pair.first), study.trajectory(pair.second)
        layers = panels.setdefault(pair.condition, {})
        for name, a, b in zip(first.names, first.at(-1), second.at(-1), strict=True):
            layer = name.rpartition(" ")[0]
            layers.setdefault(layer, []).extend(metrics.ulp_distance(a, b).ravel().tolist())
    return panels


def _histogram(axis: Axes, condition: str, layers: dict[str, list[float]]) -> None:
    largest = max(max(values) for values in layers.values())
    powers = int(np.ceil(np.log2(min(largest, 2.0**32) + 1)))
    width = max(1, -(-powers // 12))
    edges = [0.0, *(2.0**power for power in range(0, powers + width, width))]
    bins = np.arange(len(edges) - 1)
    thickness = 0.8 / len(layers)
    for number, (layer, values) in enumerate(layers.items()):
        clipped = np.minimum(values, edges[-1] - 1e-9)
        shares = np.histogram(clipped, edges)[0] / len(values)
        axis.bar(
            bins + (number - (len(layers) - 1) / 2) * thickness,
            shares,
            thickness,
            color=SERIES_COLOURS[number % len(SERIES_COLOURS)],
            label=layer,
        )
    names = ["0", *(_count(low) for low in edges[1:-1])]
    every = max(1, -(-len(names) // 9))
    axis.set_xticks(bins[::every], names[::every], fontsize=8)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axis.set_xlabel("ULPs apart, and up to the next mark", fontsize=8)
    axis.set_ylabel("share of the layer's weights", fontsize=8)
    axis.set_title(condition, fontsize=10)
    axis.legend(fontsize=7.5)


def _count(low: float) -> str:
    power = round(np.log2(low))
    return f"{low:.0f}" if low < 1e4 else f"$2^{{{power}}}$"
