"""How the cost of training grows along one axis: rows, width, depth or batch.

Each axis is a series of cases that differ in it alone. How fast a phase grows is the exponent of
a power law, `time ~ size ^ exponent`, fitted to the upper half of the series, where what does not
grow counts least: 1 is growth in proportion, 0 none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from nnbench.errors import UserError
from nnbench.phases import COMPILE, EPOCH, STEP, TRACE
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.stats.interval import CONFIDENCE
from nnbench.stats.summary import block_values
from nnbench.store.runs import Run
from nnbench.workload import datasets
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training

AXES: dict[str, tuple[int, ...]] = {
    "rows": (10**3, 10**4, 10**5, 10**6),
    "width": (4, 16, 64, 256, 1024, 4096),
    "depth": (1, 2, 4, 8, 16, 32, 64, 128),
    "batch": (8, 32, 128, 512, 2048),
}
"""The sizes along each axis."""

ROWS, WIDTH, DEPTH = 1000, 6, 2
"""What a case has on the axes that it does not vary."""

BATCH_ROWS = 4096
"""Rows of the cases along `batch`: the largest batch is half of them."""

FEATURES = 4
EPOCHS = 4
SHOWN = (STEP, EPOCH, TRACE, COMPILE)

NO_COMPILE_S = 1e-3
"""A backend that never compiles for longer does not compile: its recorded step only runs."""


@dataclass(frozen=True)
class Series:
    """One phase along an axis; `exponent` is None where there are too few launches or sizes."""

    axis: str
    phase: str
    place: str
    sizes: tuple[int, ...]
    times: tuple[Estimate, ...]
    exponent: tuple[float, float, float] | None


def cases(axis: str, backend: str, device: str, threads: int | None, path: str) -> list[Case]:
    """The cases along an axis. Raises UserError for an unknown one."""
    if axis not in AXES:
        raise UserError(f"unknown axis '{axis}': choose from {', '.join(AXES)}")
    return [_case(axis, size, backend, device, threads, path) for size in AXES[axis]]


def _case(axis: str, size: int, backend: str, device: str, threads: int | None, path: str) -> Case:
    rows = {"rows": size, "batch": BATCH_ROWS}.get(axis, ROWS)
    architecture = Architecture(
        (size if axis == "width" else WIDTH,) * (size if axis == "depth" else DEPTH)
    )
    recipe = datasets.synthetic.Recipe(rows=rows, features=FEATURES)
    return Case(
        architecture,
        replace(Training(), batch_size=size if axis == "batch" else None),
        recipe.name,
        recipe.name,
        rows,
        FEATURES,
        backend,
        device,
        threads,
        path,
        EPOCHS,
    )


def size_of(case: Case, axis: str) -> int:
    """Where a case lies on an axis."""
    assert case.architecture is not None
    return {
        "rows": case.rows,
        "width": max(case.architecture.widths),
        "depth": case.architecture.depth,
        "batch": case.batch_rows,
    }[axis]


def series(run: Run, axis: str) -> list[Series]:
    """Every shown phase along the axis, for each backend, device and path of a run."""
    values = block_values(run.samples())
    found = []
    for place in dict.fromkeys(case.place for case in run.cases.values()):
        mine = {
            key: case
            for key, case in run.cases.items()
            if case.place == place and case.key in _along(axis, case)
        }
        for phase in SHOWN:
            measured = values[(values["phase"] == phase) & values["case"].isin(list(mine))]
            by_case = {key: group for key, group in measured.groupby("case") if not group.empty}
            keys = sorted(by_case, key=lambda key: size_of(mine[str(key)], axis))
            if len(keys) < 2:
                continue
            sizes = tuple(size_of(mine[str(key)], axis) for key in keys)
            times = tuple(
                nested_estimate(by_case[key]["seconds"], by_case[key]["launch"]) for key in keys
            )
            launches = {
                str(key): by_case[key].groupby("launch")["seconds"].median().to_dict()
                for key in keys
            }
            if phase == COMPILE and max(time.value for time in times) < NO_COMPILE_S:
                continue
            exponent = _exponent(sizes, [launches[str(key)] for key in keys])
            found.append(Series(axis, phase, place, sizes, times, exponent))
    return found


def _along(axis: str, case: Case) -> set[str]:
    alike = cases(axis, case.backend, case.device, case.threads, case.path)
    return {each.key for each in alike}


def _exponent(
    sizes: Sequence[int], times_s: Sequence[dict[object, float]]
) -> tuple[float, float, float] | None:
    """The slope of log time on log size over the upper half, with its 95 % interval.

    One slope a launch, so that what all sizes of a launch share does not count as error; the
    interval is Student's over launches.
    """
    upper = range(len(sizes) // 2, len(sizes))
    if len(upper) < 2:
        return None
    shared = set.intersection(*(set(times_s[index]) for index in upper))
    if len(shared) < 2:
        return None
    x = np.log([sizes[index] for index in upper])
    slopes = [
        float(np.polyfit(x, np.log([times_s[index][launch] for index in upper]), 1)[0])
        for launch in shared
    ]
    centre = float(np.mean(slopes))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(slopes) - 1) * stats.sem(slopes))
    return centre, centre - reach, centre + reach
