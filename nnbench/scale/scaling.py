"""How the cost of training grows along one axis: rows, depth or another number.

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
from nnbench.scale.axes import Axis, size_of
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.stats.interval import CONFIDENCE, Interval
from nnbench.stats.summary import block_values
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset, synthetic
from nnbench.workload.datasets.shaped import ShapedRecipe
from nnbench.workload.families import IMAGES, SEQUENCES, TABLE, TOKENS
from nnbench.workload.networks import Network
from nnbench.workload.study import Networks, Study
from nnbench.workload.user_model import UserModel

ROWS, ROWS_OF_OTHERS = 1000, 256
"""Rows of made data where they are not varied: of tables, and of all else."""

MADE = {
    TABLE: synthetic.PREFIX,
    IMAGES: "synthetic:images=16x16x1,classes=4",
    SEQUENCES: "synthetic:sequences=32x4,classes=4",
    TOKENS: "synthetic:tokens=32,vocabulary=100,classes=4",
}
"""What is made for each kind of data."""

Recipe = synthetic.Recipe | ShapedRecipe

SHOWN = (STEP, EPOCH, TRACE, COMPILE)

NO_COMPILE_S = 1e-3
"""A backend that never compiles for longer does not compile: its recorded step only runs."""


@dataclass(frozen=True)
class Series:
    """One phase along an axis; `exponent` is None where there are too few launches or sizes."""

    axis: Axis
    phase: str
    context: str
    sizes: tuple[float, ...]
    times: tuple[Estimate, ...]
    exponent: Interval | None


def is_made(study: Study) -> bool:
    """Whether its data is made, with as many rows as an axis wants."""
    return (study.data.data or synthetic.PREFIX).partition(":")[0] == synthetic.PREFIX


def cases(axis: Axis, study: Study, data: Dataset | None = None) -> list[Case]:
    """The cases along an axis, which sets networks, rows or batches; all else is the study's.

    On `data`, or on data that is made as the study says. Raises UserError for rows of `data`.
    """
    if data is not None and axis.name == "rows":
        raise UserError("along rows the data is made: leave --data out, or name synthetic: data")
    recipe = None if data is not None else _recipe(study, axis)
    # Along all axes but rows, data that is not given is made once.
    made = _made(recipe) if recipe and axis.name != "rows" else data
    return [case for size in axis.sizes for case in _cases(axis, size, study, made, recipe)]


def made_for(study: Study, network: Network, rows: int) -> Dataset:
    """Data of so many rows, made as the study says or as the network takes it."""
    return _made(replace(_recipe(study, Axis("rows", (), network, "")), rows=rows))


def _cases(
    axis: Axis, size: float, study: Study, data: Dataset | None, recipe: Recipe | None
) -> list[Case]:
    network = Networks.named([axis.at(size).label])
    training = study.training
    if axis.name == "batch":
        training = replace(training, batch=str(size))
    if data is None:
        assert recipe is not None
        data = _made(replace(recipe, rows=int(size)))
    return replace(study, networks=network, training=training).cases(data)


def _recipe(study: Study, axis: Axis) -> Recipe:
    network = axis.network
    kind = TABLE if isinstance(network, UserModel) else network.kind.takes[0]
    named = study.data.data
    text = MADE[kind] if named in (None, synthetic.PREFIX) else named
    recipe = synthetic.parse(text, task=study.data.as_)
    if axis.name == "batch":
        # The largest batch is half of them.
        return replace(recipe, rows=2 * int(max(axis.sizes)))
    if "rows=" in text:
        return recipe
    return replace(recipe, rows=ROWS if isinstance(recipe, synthetic.Recipe) else ROWS_OF_OTHERS)


def _made(recipe: Recipe) -> Dataset:
    """The data; of a table only its shape and name, taking no memory: workers make their own."""
    if isinstance(recipe, ShapedRecipe):
        return synthetic.make(recipe)
    zeros = np.broadcast_to(np.float32(0), (recipe.rows, recipe.features))
    names = tuple(f"feature_{number + 1}" for number in range(recipe.features))
    return Dataset(recipe.name, recipe.task, zeros, zeros[:, :1], names, "label", "", recipe.name)


def series(run: Run, axis: Axis, along: Sequence[Case]) -> list[Series]:
    """Every shown phase of the cases along an axis, for each backend, device and path of a run."""
    values = block_values(run.samples())
    sizes = {case.key: size_of(case, axis.name) for case in along}
    found = []
    for context in dict.fromkeys(case.context for case in along):
        keys = [case.key for case in along if case.context == context]
        mine = values[values["case"].isin(keys)]
        mine = mine.assign(size=mine["case"].map(sizes))
        found += [_series(axis, phase, context, mine[mine["phase"] == phase]) for phase in SHOWN]
    return [one for one in found if one is not None]


def _series(axis: Axis, phase: str, context: str, values: pd.DataFrame) -> Series | None:
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
