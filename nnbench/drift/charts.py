"""The figures of a drift study, one function each, from its analysis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from nnbench.drift import matrix, plan, words
from nnbench.drift.analysis import Analysis, Distances
from nnbench.drift.matrix import Cell
from nnbench.show import figures, units
from nnbench.show.palette import DARK_ON_FILLS, LIGHT_ON_FILLS, SERIES_COLOURS

BITWISE_AT = 0.3
"""Where a distance of 0 ULP is drawn on an axis that begins at 1 ULP."""


def _figure(found: Analysis, width: float, height: float, title: str = "") -> Figure:
    case, seeds = found.study.case, len(found.study.specification["seeds"])
    figure = Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=11)
    figures.footnote(
        figure,
        f"{found.study.name}, {case.data}, {case.rows:,} rows, {case.batch_rows:,} a batch, "
        f"{case.cold_epochs} epochs; {seeds} seeds, the worst shown where one figure stands for "
        "all.",
    )
    return figure


def distance_by_epoch(found: Analysis, backend: str) -> Figure | None:
    """Distance of weights by epoch, median and all seeds; None where there is nothing to draw."""
    mine = [cell for cell in found.of_backend(backend) if cell.drifts[0].comparable]
    repeat = plan.NEW if any(cell.condition == plan.NEW for cell in mine) else plan.SAME
    repeated = [cell for cell in mine if cell.condition == repeat]
    seeded = next((name for name in plan.SEEDED if name in found.policies(backend)), "")
    under = [cell for cell in mine if cell.policy == seeded]
    varied = [cell for cell in under if cell.condition not in (plan.SAME, plan.NEW)]
    panels = [
        (f"two trainings under each policy, {repeat}", repeated, "policy"),
        (f"policy {seeded}, one thing varied", varied, "condition"),
    ]
    panels = [panel for panel in panels if panel[1]]
    if not panels:
        return None
    figure = _figure(found, 5.2 * len(panels), 5.2, f"Weights of two trainings, {backend}")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (title, cells, label) in zip(axes, panels, strict=True):
        _lines(axis, cells, label)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch (0: before training)")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("largest distance of a weight")
    return figure


def _lines(axis: Axes, cells: Sequence[Cell], label: str) -> None:
    axis.set_yscale("log")
    seen: dict[bytes, int] = {}
    for number, cell in enumerate(cells):
        epochs = cell.drifts[0].epochs
        ulps = np.nan_to_num([drift.ulps for drift in cell.drifts], posinf=2.0**32)
        ulps = np.where(ulps < 1, BITWISE_AT, ulps)
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        middle = np.median(ulps, axis=0)
        # Lines that coincide would hide each other: each after the first is dashed further.
        looks = np.log10(middle).round(1).tobytes()
        copies = seen[looks] = seen.get(looks, -1) + 1
        style = "-" if copies == 0 else (3 * copies, (3, 3 * copies))
        named = str(getattr(cell, label))
        axis.plot(epochs, middle, color=colour, linestyle=style, linewidth=2, label=named)
        axis.fill_between(epochs, ulps.min(0), ulps.max(0), color=colour, alpha=0.15, linewidth=0)
    axis.axhline(0.6, color="#bbbbbb", linewidth=0.8, linestyle=":")
    axis.set_ylim(BITWISE_AT / 1.6, 2.0**33)
    axis.set_yticks([BITWISE_AT, *(10.0**power for power in range(0, 10, 2))])
    axis.set_yticks([], minor=True)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axis.grid(axis="y", alpha=0.25)
    axis.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)


def _tick(value: float) -> str:
    if value < 1:
        return "bitwise"
    power = round(np.log10(value))
    return {0: "1 ULP", 2: "100 ULP"}.get(power, f"{units.power(10, power)} ULP")


def policy_matrix(found: Analysis) -> Figure | None:
    """Policy by condition, a panel a backend, coloured by distance; None where there is no pair."""
    if not found.backends:
        return None
    columns = matrix.conditions(found.cells)
    rows = [len(found.policies(backend)) for backend in found.backends]
    figure = _figure(found, 2.6 + 1.35 * len(columns), 1.7 + 0.62 * sum(rows) + 0.5 * len(rows))
    axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axis, backend in zip(axes, found.backends, strict=True):
        image = _panel(axis, found.of_backend(backend), found.policies(backend), columns)
        axis.set_ylabel(backend, fontsize=10, fontweight="bold")
        axis.set_xticks(range(len(columns)), [])
        axis.tick_params(bottom=False, labelbottom=False, length=0)
        axis.spines[:].set_visible(False)
    axes[0].set_xticks(range(len(columns)), columns, fontsize=8, rotation=25, ha="left")
    axes[0].tick_params(top=True, labeltop=True)
    bar = figure.colorbar(image, ax=list(axes), shrink=0.8, pad=0.02)
    bar.set_label("relative L2 distance of the final weights", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _panel(axis: Axes, cells: list[Cell], policies: list[str], columns: list[str]) -> Any:
    # From a 64th of the rounding of a float32 on.
    least, most = 2.0**-30, 2.0
    values = np.full((len(policies), len(columns)), np.nan)
    looks: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5, "linespacing": 1.15}
    for cell in cells:
        row, column = policies.index(cell.policy), columns.index(cell.condition)
        if cell.reproduced:
            corner = column - 0.5, row - 0.5
            axis.add_patch(Rectangle(corner, 1, 1, facecolor="#cfe8d5", edgecolor=LIGHT_ON_FILLS))
        else:
            values[row, column] = np.clip(cell.relative_l2, least, most)
        ink = LIGHT_ON_FILLS if cell.relative_l2 > 0.05 else DARK_ON_FILLS
        axis.text(column, row, "\n".join(words.cell(cell)), color=ink, **looks)
    axis.set_yticks(range(len(policies)), policies, fontsize=8)
    return axis.imshow(values, cmap="OrRd", norm=LogNorm(least, most), aspect="auto")


def ulps_by_layer(found: Analysis, backend: str) -> Figure | None:
    """ULP histograms of final weights by layer, one for each condition in `parted`, or None."""
    panels = list(found.parted[backend].items())[:4]
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    title = f"How far single weights are apart, {backend}"
    figure = _figure(found, 5.2 * columns, 0.8 + 3.0 * rows, title)
    for number, (condition, layers) in enumerate(panels, start=1):
        _histogram(figure.add_subplot(rows, columns, number), condition, layers)
    return figure


def _histogram(axis: Axes, condition: str, layers: Distances) -> None:
    largest = max(max(values) for values in layers.values())
    powers = int(np.ceil(np.log2(min(largest, 2.0**32) + 1)))
    width = max(1, -(-powers // 12))
    edges = [0.0, *(2.0**power for power in range(0, powers + width, width))]
    bins = np.arange(len(edges) - 1)
    thickness = 0.8 / len(layers)
    for number, (layer, values) in enumerate(layers.items()):
        shares = np.histogram(np.minimum(values, edges[-1] - 1e-9), edges)[0] / len(values)
        at = bins + (number - (len(layers) - 1) / 2) * thickness
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        axis.bar(at, shares, thickness, color=colour, label=layer)
    names = ["0", *(_count(low) for low in edges[1:-1])]
    every = max(1, -(-len(names) // 9))
    axis.set_xticks(bins[::every], names[::every], fontsize=8)
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.set_xlabel("ULPs apart, and up to the next mark", fontsize=8)
    axis.set_ylabel("share of the layer's weights", fontsize=8)
    axis.set_title(condition, fontsize=10)
    axis.legend(fontsize=7.5)


def _count(low: float) -> str:
    return f"{low:.0f}" if low < 1e4 else units.power(2, round(np.log2(low)))
