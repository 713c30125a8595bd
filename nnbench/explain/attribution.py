"""Why one training takes longer than another: the difference of two cold times, taken apart.

Every block of a run yields the parts of both trainings (`phases.split_cold`) and their
differences. A launch counts as the median of its blocks; an estimate is the Hodges-Lehmann centre
of the launches, and its interval comes from drawing launches, all parts together (see
`statistics.nested_estimate`). The rest is what the whole has beyond the parts, in every draw, so
that the parts add up to the whole exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.phases import COLD, COMPILE, EPOCH, ONCE, TRACE, split_cold
from nnbench.stats.estimate import RESAMPLES, Estimate, hodges_lehmann
from nnbench.stats.interval import CONFIDENCE
from nnbench.stats.summary import Measured, ratios_between_runs
from nnbench.store.runs import Run
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case

OVERHEAD, STEPS, REST = "epoch overhead", "later steps", "rest"
PARTS = (*ONCE, OVERHEAD, STEPS, REST)

TRACE_AND_COMPILE = "trace and compile"
GROUPS = {TRACE_AND_COMPILE: (TRACE, COMPILE)}
"""Parts that a sentence takes together."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """A difference in seconds, second minus first, with its interval; NaN where there is none."""

    name: str
    value_s: float
    low_s: float
    high_s: float

    @property
    def has_interval(self) -> bool:
        """Whether its spread could be estimated."""
        return math.isfinite(self.low_s)

    @property
    def is_told(self) -> bool:
        """Whether the interval leaves out 0: one of the two takes longer."""
        return self.has_interval and not self.low_s <= 0 <= self.high_s


@dataclass(frozen=True)
class Flip:
    """The number of epochs at which both take equally long, with its interval.

    `value` None: the first to lead leads for ever. `high` is infinite where it may be so.
    """

    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Attribution:
    """Why `second` takes as long as it does, held against `first`.

    `first` and `second` are what the two sides are called; their cases are equal where two runs
    of one case are compared. `parts` are those of `PARTS`, and add up to `whole`. `ratios` are
    second / first by phase. `launches` is what stands behind the intervals, or blocks where
    there was one launch (`units`).
    """

    first: str
    second: str
    first_case: Case
    second_case: Case
    first_cold_s: float
    second_cold_s: float
    parts: tuple[Part, ...]
    whole: Part
    shares: dict[str, tuple[float, float, float]]
    epochs_flip: Flip
    epoch: Part
    ratios: dict[str, Estimate]
    units: str
    count: int

    def part(self, name: str) -> Part:
        """One of the parts."""
        return next(each for each in self.parts if each.name == name)


def of_networks(run: Run, first: Architecture, second: Architecture) -> list[Attribution]:
    """Take apart `second` against `first`, once for every place where the run timed both.

    Raises UserError if it did nowhere.
    """
    mine = {case.comparable: case for case in run.cases.values() if case.architecture == second}
    pairs = [
        (case, mine[case.comparable])
        for case in run.cases.values()
        if case.architecture == first and case.comparable in mine
    ]
    if not pairs:
        held = ", ".join(dict.fromkeys(case.label for case in run.cases.values()))
        raise UserError(f"{run.folder} does not hold both {first} and {second}: it holds {held}")
    return [between_cases(run, *pair) for pair in pairs]


def of_runs(first: Run, second: Run, *, unlike: bool = False) -> list[Attribution]:
    """Take apart `second` against `first`, once for every case that both runs timed.

    Raises UserError if there is none, and for runs of unlike hosts or versions unless `unlike`.
    """
    differing = fingerprint.unlike(first.fingerprint, second.fingerprint)
    if differing and not unlike:
        raise UserError(
            f"{first.folder} and {second.folder} are unlike ({'; '.join(differing)}): "
            "their times differ for that alone; --unlike explains them all the same"
        )
    common = [case for key, case in first.cases.items() if key in second.cases]
    if not common:
        raise UserError(f"{first.folder} and {second.folder} have no case in common")
    return [between_runs(first, second, case) for case in common]


def between_cases(run: Run, first: Case, second: Case) -> Attribution:
    """Take apart what `second` takes more than `first`, paired within the blocks of a run.

    Raises UserError if the run holds no block in which both were timed as a whole and in parts.
    """
    measured = Measured.of(run)
    before, after = _by_block(measured.blocks, first), _by_block(measured.blocks, second)
    both = before.index.intersection(after.index)
    if both.empty:
        raise UserError(
            f"{run.folder} holds no block with {first.label} and {second.label} ({first.place}) "
            "timed as a whole and in parts: measure them again"
        )
    before, after = before.loc[both], after.loc[both]
    names, units = _units(before.index)
    differences = _medians(after - before, names)
    drawn = _drawn(len(differences))
    return _attribution(
        (first.label, second.label),
        (first, second),
        _medians(before, names),
        _medians(after, names),
        (differences, drawn),
        measured.ratios(second, first),
        units,
    )


def between_runs(first: Run, second: Run, case: Case) -> Attribution:
    """Take apart what a case takes more in `second` than in `first`; nothing is paired.

    Raises UserError if a run did not time it as a whole and in parts in two launches.
    """
    sides = []
    for run in (first, second):
        blocks = _by_block(Measured.of(run).blocks, case)
        names = np.asarray(blocks.index.get_level_values("launch"))
        if len(set(names)) < 2:
            raise UserError(
                f"{run.folder} timed {case.label} in fewer than two launches as a whole and in "
                "parts: separate runs cannot be told apart by that"
            )
        sides.append(_medians(blocks, names))
    before, after = sides
    ratios = {
        label.rsplit(" ", 1)[1]: ratio
        for label, ratio in ratios_between_runs(first, second).items()
        if label.startswith(f"{case.place}: {case.label} ")
    }
    return _attribution(
        (str(first.folder), str(second.folder)),
        (case, case),
        before,
        after,
        None,
        ratios,
        "launches",
    )


COLUMNS = (*ONCE, OVERHEAD, STEPS, COLD, EPOCH)


def _by_block(blocks: pd.DataFrame, case: Case) -> pd.DataFrame:
    """The parts of a case's cold training, one row a launch and block, in seconds."""
    mine = blocks[blocks["case"] == case.key]
    rows, index = [], []
    for key, group in mine.groupby(["launch", "block"]):
        times_s = dict(zip(group["phase"], group["seconds"], strict=True))
        parts = split_cold(
            times_s, cold_epochs=case.cold_epochs, steps_per_epoch=case.steps_per_epoch
        )
        if parts is not None:
            once = [parts.once_s[name] for name in ONCE]
            rows.append([*once, parts.overhead_s, parts.steps_s, parts.cold_s, times_s[EPOCH]])
            index.append(key)
    names = ["launch", "block"]
    found = pd.MultiIndex.from_tuples(index, names=names) if index else None
    empty = pd.MultiIndex.from_arrays([[], []], names=names)
    return pd.DataFrame(rows, columns=list(COLUMNS), index=empty if found is None else found)


def _units(index: pd.Index) -> tuple[NDArray[np.int64], str]:
    launches = np.asarray(index.get_level_values("launch"))
    if len(set(launches)) > 1:
        return launches, "launches"
    return np.arange(len(index)), "blocks"


def _medians(table: pd.DataFrame, names: NDArray[np.int64]) -> Array:
    """The median of each unit's blocks, shape (units, columns)."""
    return np.asarray(table.groupby(names).median().to_numpy(), dtype=np.float64)


def _drawn(count: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))


def _centres(units: Array) -> Array:
    """The Hodges-Lehmann centre of every column, units on the last axis but one."""
    return hodges_lehmann(np.swapaxes(units, -1, -2))


@dataclass(frozen=True)
class _Draws:
    """Estimates of `COLUMNS`, and the same for every draw of the bootstrap."""

    values: Array
    draws: Array
    freedom: int

    @classmethod
    def paired(cls, differences: Array, drawn: NDArray[np.int64]) -> Self:
        return cls(_centres(differences), _centres(differences[drawn]), len(differences) - 1)

    @classmethod
    def apart(cls, before: Array, after: Array) -> Self:
        first = _centres(before[_drawn(len(before))])
        second = _centres(after[_drawn(len(after), seed=1)])
        freedom = min(len(before), len(after)) - 1
        return cls(_centres(after) - _centres(before), second - first, freedom)

    def column(self, name: str) -> tuple[float, Array]:
        place = COLUMNS.index(name)
        return float(self.values[place]), self.draws[:, place]

    def rest(self) -> tuple[float, Array]:
        parts = [COLUMNS.index(name) for name in (*ONCE, OVERHEAD, STEPS)]
        cold, drawn = self.column(COLD)
        return cold - float(self.values[parts].sum()), drawn - self.draws[:, parts].sum(axis=1)

    def part(self, name: str) -> Part:
        value, draws = self.rest() if name == REST else self.column(name)
        if self.freedom < 1:
            return Part(name, value, math.nan, math.nan)
        reach = float(np.std(draws) * stats.t.ppf((1 + CONFIDENCE) / 2, self.freedom))
        return Part(name, value, value - reach, value + reach)

    def share(self, names: Sequence[str]) -> tuple[float, float, float]:
        """The share of the whole that these parts have, with its interval."""
        found = [self.rest() if name == REST else self.column(name) for name in names]
        whole, whole_draws = self.column(COLD)
        value = sum(each for each, _ in found) / whole if whole else math.nan
        if self.freedom < 1:
            return value, math.nan, math.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = sum(draws for _, draws in found) / whole_draws
        low, high = np.nanquantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return value, float(min(low, value)), float(max(high, value))

    def flip(self, epochs: int) -> Flip:
        """Where the line through the whole at `epochs`, with the slope of an epoch, meets 0."""
        cold, cold_draws = self.column(COLD)
        epoch, epoch_draws = self.column(EPOCH)
        value = _meets(cold, epoch, epochs)
        if self.freedom < 1:
            return Flip(value, math.nan, math.nan)
        met = [
            _meets(float(each), float(slope), epochs)
            for each, slope in zip(cold_draws, epoch_draws, strict=True)
        ]
        ends = sorted(math.inf if each is None else each for each in met)
        tail = round(len(ends) * (1 - CONFIDENCE) / 2)
        return Flip(value, ends[tail], ends[-1 - tail])


def _meets(cold_s: float, epoch_s: float, epochs: int) -> float | None:
    at = epochs - cold_s / epoch_s if epoch_s else -math.inf
    return at if at >= 1 else None


def _attribution(
    names: tuple[str, str],
    cases: tuple[Case, Case],
    before: Array,
    after: Array,
    paired: tuple[Array, NDArray[np.int64]] | None,
    ratios: dict[str, Estimate],
    units: str,
) -> Attribution:
    draws = _Draws.paired(*paired) if paired else _Draws.apart(before, after)
    cold = COLUMNS.index(COLD)
    parts = tuple(draws.part(name) for name in PARTS)
    return Attribution(
        *names,
        *cases,
        float(_centres(before)[cold]),
        float(_centres(after)[cold]),
        parts,
        draws.part(COLD),
        {name: draws.share(GROUPS.get(name, (name,))) for name in (*PARTS, *GROUPS)},
        draws.flip(cases[0].cold_epochs),
        draws.part(EPOCH),
        ratios,
        units,
        draws.freedom + 1,
    )
