"""How the cost of training grows along one axis: rows, width, depth or batch.

Each axis is a series of cases that differ in it alone. How fast a phase grows is the exponent of
a power law, `time ~ size ^ exponent`, fitted to the upper half of the series, where what does not
grow counts least: 1 is growth in proportion, 0 none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from nnbench.errors import UserError
from nnbench.phases import COMPILE, EPOCH, STEP, TRACE
from nnbench.scale import AXES
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.stats.interval import CONFIDENCE, Interval
from nnbench.stats.summary import block_values
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset, synthetic
from nnbench.workload.study import Networks, Study

ROWS, WIDTH, DEPTH = 1000, 6, 2
"""What a case has on the axes that it does not vary."""

BATCH_ROWS = 4096
"""Rows of the cases along `batch`: the largest batch is half of them."""

SHOWN = (STEP, EPOCH, TRACE, COMPILE)

NO_COMPILE_S = 1e-3
"""A backend that never compiles for longer does not compile: its recorded step only runs."""


@dataclass(frozen=True)
class Series:
    """One phase along an axis; `exponent` is None where there are too few launches or sizes."""

    axis: str
    phase: str
    context: str
    sizes: tuple[int, ...]
    times: tuple[Estimate, ...]
    exponent: Interval | None


def cases(axis: str, study: Study, data: Dataset | None = None) -> list[Case]:
    """The cases along an axis, which sets networks, rows or batches; all else is the study's.

    On synthetic data or `data`. Raises UserError for an unknown axis, and for rows of `data`.
    """
    if axis not in AXES:
        raise UserError(f"unknown axis '{axis}': choose from {', '.join(AXES)}")
    if data is not None and axis == "rows":
        raise UserError("along rows the data is made: leave --data out")
    return [case for size in AXES[axis] for case in _cases(axis, size, study, data)]


def _cases(axis: str, size: int, study: Study, data: Dataset | None) -> list[Case]:
    width, depth = size if axis == "width" else WIDTH, size if axis == "depth" else DEPTH
    training = replace(study.training, batch=str(size)) if axis == "batch" else study.training
    rows = {"rows": size, "batch": BATCH_ROWS}.get(axis, ROWS)
    study = replace(study, networks=Networks((f"{width}x{depth}",)), training=training)
    return study.cases(data or _unmade(synthetic.Recipe(rows=rows)))


def _unmade(recipe: synthetic.Recipe) -> Dataset:
    """Data of this shape and name that takes no memory: workers make their own."""
    zeros = np.broadcast_to(np.float32(0), (recipe.rows, recipe.features))
    names = tuple(f"feature_{number + 1}" for number in range(recipe.features))
    return Dataset(recipe.name, recipe.task, zeros, zeros[:, :1], names, "label", "", recipe.name)


def size_of(case: Case, axis: str) -> int:
    """Where a case lies on an axis."""
    assert case.architecture is not None
    return {
        "rows": case.rows,
        "width": max(case.architecture.widths),
        "depth": case.architecture.depth,
        "batch": case.batch_rows,
    }[axis]


def series(run: Run, axis: str, along: Sequence[Case]) -> list[Series]:
    """Every shown phase of the cases along an axis, for each backend, device and path of a run."""
    values = block_values(run.samples())
    sizes = {case.key: size_of(case, axis) for case in along}
    found = []
    for context in dict.fromkeys(case.context for case in along):
        keys = [case.key for case in along if case.context == context]
        mine = values[values["case"].isin(keys)]
        mine = mine.assign(size=mine["case"].map(sizes))
        found += [_series(axis, phase, context, mine[mine["phase"] == phase]) for phase in SHOWN]
    return [one for one in found if one is not None]


def _series(axis: str, phase: str, context: str, values: pd.DataFrame) -> Series | None:
    sizes = sorted(set(values["size"]))
    by_size = [values[values["size"] == size] for size in sizes]
    times = [nested_estimate(one["seconds"], one["launch"]) for one in by_size]
    if len(times) < 2 or (phase == COMPILE and max(time.value for time in times) < NO_COMPILE_S):
        return None
    return Series(axis, phase, context, tuple(sizes), tuple(times), _exponent(values))


def _exponent(values: pd.DataFrame) -> Interval | None:
    """The slope of log time on log size over the upper half of the sizes, with its interval.

    One slope a launch, as what all its sizes share is no error; the interval is Student's.
    """
    table = values.pivot_table("seconds", "size", "launch", aggfunc="median")
    upper = table.iloc[len(table) // 2 :].dropna(axis="columns")
    if min(upper.shape) < 2:
        return None
    slopes = np.polyfit(np.log(upper.index), np.log(upper.to_numpy()), 1)[0]
    centre = float(np.mean(slopes))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(slopes) - 1) * stats.sem(slopes))
    return Interval(centre, centre - reach, centre + reach)
