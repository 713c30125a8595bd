"""The samples of a run, reduced to one value a block: arrays that estimates are made of.

A unit is one block of one launch, of one side. Steady phases keep the median of a block's samples
without warm-up. Steps are compared with each other, and with the sums in them, by the lowest tenth
of a block's samples: what else the machine does only adds time. Of lower quartiles launches of
identical code varied 1.4 times as much, on a quiet machine as beside other tenants. Sides that take
turns are compared turn by turn (`ratio_of_turns`): what slows the machine for seconds hits both
(`benchmarks/calibration`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nnbench.phases import EPOCH, PHASES, STEP, SUM
from nnbench.stats.estimate import (
    Estimate,
    centres,
    nested_difference,
    nested_estimate,
    steady_median,
)
from nnbench.stats.interval import Interval
from nnbench.store.runs import Run
from nnbench.workload.case import Case

Array = NDArray[np.float64]

LOWEST_STEPS = 0.1
"""The quantile of a block's samples by which its steps are compared with others'."""


class Unit(NamedTuple):
    """What the samples of one block of a launch have in common."""

    side: str
    round: int
    launch: int
    block: int


class Ratios(NamedTuple):
    """Row / column of some cases: `value`, `low` and `high`, shape (cases, cases) each.

    NaN where two cases share no block, on the diagonal 1.
    """

    value: Array
    low: Array
    high: Array


def ratio_of_turns(above_s: Array, below_s: Array) -> float:
    """How many times as long one side takes as another, in a block; shape (turns,) each.

    They hold the least sample of each turn, and turns of one place were moments apart. It is the
    median of their ratios: what else the machine does slows one side for tens of turns, by a third
    at times, and a median minds least what an outlier's size is (Tukey, "A survey of sampling from
    contaminated distributions", 1960).
    """
    return float(np.exp(np.median(np.log(above_s / below_s))))


def value_of_block(phase: str, samples_s: Sequence[float] | Array) -> float:
    """One block's value of a phase."""
    if len(samples_s) == 1:
        return float(samples_s[0])
    is_steady = phase in (STEP, EPOCH, SUM)
    return steady_median(samples_s) if is_steady else float(np.median(samples_s))


@dataclass(frozen=True)
class Blocks:
    """Values in seconds by phase, shape (cases, units), NaN where nothing was measured.

    `keys` name the cases, in the run's order; `counts` are samples, warm-up included. Of a run with
    several sides `turns` has the least step of each turn, by row and column.
    """

    keys: tuple[str, ...]
    units: tuple[Unit, ...]
    seconds: dict[str, Array]
    paired: dict[str, Array]
    counts: dict[str, Array]
    turns: dict[tuple[int, int], Array]

    @classmethod
    def of(cls, run: Run) -> Self:
        """Reduce the good samples of a run."""
        trials, keys = run.trials, tuple(run.cases)
        good = run.good_rows()
        firsts, of_good = trials.groups(Unit._fields, good)
        units = tuple(Unit(*values) for values in trials.values(Unit._fields, firsts))
        column_of = np.full(len(trials), -1)
        column_of[good] = of_good
        places = {key: row for row, key in enumerate(keys)}
        row_of = np.array([places[key] for key in trials.names("case")], dtype=np.int64)
        row_of = row_of[trials.column("case")]
        series, all_s, number = trials.series(), trials.seconds, trials.column("trial")
        shape = len(keys), len(units)
        seconds: dict[str, Array] = {}
        paired: dict[str, Array] = {}
        counts: dict[str, Array] = {}
        turns: dict[tuple[int, int], Array] = {}
        for phase in (phase for phase in (*PHASES, SUM) if phase in trials.phases):
            mine = (series.phases == trials.phases.index(phase)) & (series.counts > 0)
            mine &= column_of[series.rows] >= 0
            of, starts, lengths = (
                part[mine] for part in (series.rows, series.starts, series.counts)
            )
            if not len(of):
                continue
            # In a block as they were taken, whatever the order of the lines.
            cells = row_of[of] * len(units) + column_of[of]
            order = np.lexsort((number[of], cells))
            cells, starts, lengths = cells[order], starts[order], lengths[order]
            before = np.cumsum(lengths) - lengths
            values = all_s[np.arange(lengths.sum()) + np.repeat(starts - before, lengths)]
            known, begins = np.unique(cells, return_index=True)
            lasting = np.add.reduceat(lengths, begins)
            seconds[phase], paired[phase] = np.full(shape, np.nan), np.full(shape, np.nan)
            counts[phase] = np.zeros(shape)
            counts[phase].flat[known] = lasting
            blocks_s = np.split(values, before[begins][1:])
            seconds[phase].flat[known] = [value_of_block(phase, one) for one in blocks_s]
            paired[phase].flat[known] = (
                [np.quantile(one, LOWEST_STEPS) for one in blocks_s]
                if phase in (STEP, SUM)
                else seconds[phase].flat[known]
            )
            if phase == STEP and len(run.specification["sides"]) > 1:
                least_s = np.split(np.minimum.reduceat(values, before), begins[1:])
                rows, columns = (part.tolist() for part in np.divmod(known, len(units)))
                turns = dict(zip(zip(rows, columns, strict=True), least_s, strict=True))
        return cls(keys, units, seconds, paired, counts, turns)

    @cached_property
    def launches(self) -> NDArray[np.int64]:
        """The launch of each unit."""
        return np.array([unit.launch for unit in self.units], dtype=np.int64)

    @cached_property
    def rounds(self) -> NDArray[np.int64]:
        """The round of each unit."""
        return np.array([unit.round for unit in self.units], dtype=np.int64)

    def series(self, key: str, phase: str) -> tuple[Array, NDArray[np.int64]]:
        """A phase's values of a case, and the launch of each; empty where there are none."""
        values = self.seconds.get(phase, np.full((len(self.keys), len(self.units)), np.nan))
        row = values[self.keys.index(key)]
        return row[np.isfinite(row)], self.launches[np.isfinite(row)]

    def times(
        self, case: Case, side: str | None = None, phases: Sequence[str] | None = None
    ) -> dict[str, Estimate]:
        """Each phase of a case, or of `phases`, of one side or of all together."""
        row = self.keys.index(case.key)
        of_side = np.array([side is None or unit.side == side for unit in self.units], dtype=bool)
        found = {}
        for phase, values in self.seconds.items():
            if phases is not None and phase not in phases:
                continue
            known = np.isfinite(values[row]) & of_side
            if known.any():
                samples = int(self.counts[phase][row][known].sum())
                found[phase] = nested_estimate(
                    values[row][known], self.launches[known], samples=samples
                )
        return found

    def ratios(self, mine: Case, base: Case) -> dict[str, Estimate]:
        """For each phase that both cases have: `mine` / `base`, from pairs in the same blocks."""
        above, below = self.keys.index(mine.key), self.keys.index(base.key)
        found = {}
        for phase, values in self.paired.items():
            ratio = values[above] / values[below]
            known = np.isfinite(ratio)
            if known.any():
                samples = int(self.counts[phase][above][known].sum())
                found[phase] = nested_estimate(ratio[known], self.launches[known], samples=samples)
        return found

    def share(self, case: Case, part: str, whole: str) -> Estimate | None:
        """What one phase of a case takes / what another takes, from pairs in the same blocks."""
        if not {part, whole} <= self.paired.keys():
            return None
        row = self.keys.index(case.key)
        share = self.paired[part][row] / self.paired[whole][row]
        known = np.isfinite(share)
        return nested_estimate(share[known], self.launches[known]) if known.any() else None

    def all_ratios(
        self, cases: Sequence[Case], phase: str, bases: Sequence[int] | None = None
    ) -> Ratios | None:
        """Every case / every other, paired within blocks; None where the phase was not measured.

        With `bases`, rows of `cases`, only those with these are known.
        """
        if phase not in self.paired:
            return None
        rows = [self.keys.index(case.key) for case in cases]
        logs = np.log(self.paired[phase][rows])
        here = np.isfinite(logs).any(axis=0)
        logs, launches = logs[:, here], self.launches[here]
        if bases is None:
            above, below = np.triu_indices(len(cases), 1)
        else:
            above, below = np.array(
                [(row, base) for base in bases for row in range(len(cases)) if row != base]
            ).T
        differences = _launch_medians(logs[above] - logs[below], launches)
        found = np.full((3, len(above)), np.nan)
        whole = np.isfinite(differences).all(axis=1)
        if whole.any():
            found[:, whole] = centres(differences[whole])
        for row in np.flatnonzero(~whole & np.isfinite(differences).any(axis=1)):
            known = differences[row][np.isfinite(differences[row])]
            found[:, row] = np.concatenate(centres(known[None]))
        value, low, high = (np.full((len(cases), len(cases)), np.nan) for _ in range(3))
        for part in (value, low, high):
            np.fill_diagonal(part, 1.0)
        value[above, below], low[above, below], high[above, below] = found
        value[below, above], low[below, above], high[below, above] = 1 / found[[0, 2, 1]]
        return Ratios(value, low, high)

    def between_sides(
        self, case: Case, first: str, second: str, before: int | None = None
    ) -> dict[str, Estimate]:
        """For each phase of a case: side `second` / side `first`; a round is one unit.

        Of the rounds before that of number `before`, if it is given.
        """
        row, shared = self.keys.index(case.key), ("round", "block")
        return self._by_round([(row, second)], [(row, first)], shared, before)

    def between(self, mine: Sequence[Case], base: Sequence[Case]) -> dict[str, Estimate]:
        """For each phase: `mine` / `base`, the geometric mean over pairs of cases.

        The cases may have run in other processes of the same rounds; a round is one unit, and
        counts only where all pairs were measured.
        """
        above, below = (
            [(self.keys.index(case.key), None) for case in cases] for cases in (mine, base)
        )
        return self._by_round(above, below, ("side", "round", "block"))

    def difference(self, mine: Sequence[Case], base: Sequence[Case], phase: str) -> Interval | None:
        """`mine` - `base` in seconds, the mean over pairs of cases, as `between` pairs them."""
        if phase not in self.paired:
            return None
        shared = ("side", "round", "block")
        pairs = []
        for above, below in zip(mine, base, strict=True):
            rows = (self.keys.index(case.key) for case in (above, below))
            one, other = (self._placed(self.paired[phase], row, None, shared) for row in rows)
            pairs.append({place: one[place] - other[place] for place in one if place in other})
        places = sorted(set.intersection(*map(set, pairs)))
        if not places:
            return None
        values = np.mean([[pair[place] for place in places] for pair in pairs], axis=0)
        return nested_difference(values, [place[1] for place in places])

    def _by_round(
        self,
        mine: Sequence[tuple[int, str | None]],
        base: Sequence[tuple[int, str | None]],
        shared: Sequence[str],
        before: int | None = None,
    ) -> dict[str, Estimate]:
        found = {}
        for phase in self.paired:
            pairs = [
                self._pairs(phase, above, below, shared)
                for above, below in zip(mine, base, strict=True)
            ]
            together = set.intersection(*map(set, pairs)) if pairs else set()
            places = sorted(
                place
                for place in together
                if before is None or place[shared.index("round")] < before
            )
            if places:
                logs = np.log([[pair[place] for place in places] for pair in pairs])
                rounds = [place[shared.index("round")] for place in places]
                found[phase] = nested_estimate(np.exp(logs.mean(axis=0)), rounds)
        return found

    def _pairs(
        self,
        phase: str,
        mine: tuple[int, str | None],
        base: tuple[int, str | None],
        shared: Sequence[str],
    ) -> dict[tuple[Any, ...], float]:
        """`mine` / `base` by place; of steps turn by turn, where two sides took turns."""
        values = self.paired[phase]
        above, below = (self._columns(values, *one, shared) for one in (mine, base))
        found = {}
        for place in above.keys() & below.keys():
            cells = (mine[0], above[place]), (base[0], below[place])
            one, other = (self.turns.get(cell) for cell in cells)
            are_sides = phase == STEP and mine[1] != base[1]
            if are_sides and one is not None and other is not None and len(one) == len(other):
                found[place] = ratio_of_turns(one, other)
            else:
                found[place] = float(values[cells[0]] / values[cells[1]])
        return found

    def _placed(
        self, values: Array, row: int, side: str | None, shared: Sequence[str]
    ) -> dict[tuple[Any, ...], float]:
        columns = self._columns(values, row, side, shared)
        return {place: float(values[row, column]) for place, column in columns.items()}

    def _columns(
        self, values: Array, row: int, side: str | None, shared: Sequence[str]
    ) -> dict[tuple[Any, ...], int]:
        return {
            tuple(getattr(unit, name) for name in shared): column
            for column, unit in enumerate(self.units)
            if side in (None, unit.side) and np.isfinite(values[row, column])
        }


def _launch_medians(logs: Array, launches: NDArray[np.int64]) -> Array:
    """The median of each launch's blocks, shape (rows, launches); of one launch its blocks."""
    names = np.unique(launches)
    if len(names) < 2:
        return logs
    return np.stack([_median(logs[:, launches == name]) for name in names], axis=1)


def _median(values: Array) -> Array:
    """The median of each row, of what is there; NaN where nothing is."""
    if np.isfinite(values).all():
        return np.asarray(np.median(values, axis=1))
    known = [row[np.isfinite(row)] for row in values]
    return np.array([np.median(row) if len(row) else np.nan for row in known])
