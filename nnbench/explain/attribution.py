"""Why one training takes longer than another: the difference of two cold times, taken apart.

Every block of a run yields the parts of both trainings (`phases.split_cold`) and their
differences. A launch counts as the median of its blocks; an estimate is the Hodges-Lehmann centre
of the launches, and its interval comes from drawing launches, all parts together (see
`stats.estimate.nested_estimate`). The rest is what the whole has beyond the parts, in every draw,
so that the parts add up to the whole exactly.
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
from nnbench.stats.blocks import Blocks
from nnbench.stats.estimate import RESAMPLES, Estimate, hodges_lehmann
from nnbench.stats.interval import CONFIDENCE, Interval
from nnbench.stats.summary import Measured, ratios_between_runs, step_flops
from nnbench.store.runs import OK, Run
from nnbench.workload.case import Case
from nnbench.workload.networks import Network

OVERHEAD, STEPS, REST = "epoch overhead", "later steps", "rest"
PARTS = (*ONCE, OVERHEAD, STEPS, REST)

TRACE_AND_COMPILE = "trace and compile"
GROUPS = {TRACE_AND_COMPILE: (TRACE, COMPILE)}

_MEASURED = (*ONCE, OVERHEAD, STEPS, COLD, EPOCH)
_COLUMNS = (*_MEASURED, REST)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Trainable parameters, FLOPs of a step, and the layers that these leave out; None: unknown."""

    parameters: int | None
    flops: int | None
    not_counted: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run, case: Case) -> Self:
        """By arithmetic, or as the run's trials have counted the network that they built."""
        trials = run.trials
        mine = trials.are(outcome=OK, case=case.key)
        rows = np.flatnonzero(mine)
        parameters = trials.column("parameters")[rows]
        counted = parameters[~np.isnan(parameters)]
        # Keras numbers layers by process: the names of one trial are enough.
        left_out = next((one for row, one in trials.rare("not_counted") if mine[row]), ())
        known = case.parameters or (int(counted[0]) if len(counted) else None)
        return cls(known, step_flops(case, trials, rows), tuple(left_out))


@dataclass(frozen=True)
class Attribution:
    """Why `second` takes as long as it does, compared with `first`; both are names.

    `parts` (`PARTS`, second minus first, in seconds) add up to `whole`; `shares` are of them and of
    `GROUPS`. `names` are what the two networks are called. `epoch` is the difference of two steady
    epochs, `epochs_flip` the epochs at which both take equally long (infinite: never), `ratios` are
    second / first by phase. `count` launches stand behind the intervals, or blocks where there was
    one launch (`units`). `counts` are of the first and the second.
    """

    first: str
    second: str
    first_case: Case
    second_case: Case
    first_cold_s: float
    second_cold_s: float
    parts: dict[str, Interval]
    whole: Interval
    shares: dict[str, Interval]
    epochs_flip: Interval
    epoch: Interval
    ratios: dict[str, Estimate]
    sampled: str
    """What its intervals are formed over, such as `5 launches`."""
    counts: tuple[Counts, Counts]
    names: tuple[str, str]


def of_networks(run: Run, first: Network, second: Network) -> list[Attribution]:
    """Compare on every backend, device and path that timed both. Raises UserError without any."""
    mine = {case.comparable: case for case in run.cases.values() if case.label == second.label}
    pairs = [
        (case, mine[case.comparable])
        for case in run.cases.values()
        if case.label == first.label and case.comparable in mine
    ]
    if not pairs:
        held = ", ".join(dict.fromkeys(map(run.name, run.cases.values())))
        raise UserError(f"{run.folder} does not hold both {first} and {second}: it holds {held}")
    return [between_cases(run, *pair) for pair in pairs]


def of_runs(first: Run, second: Run, *, unlike: bool = False) -> list[Attribution]:
    """Case by case. Raises UserError for none; without `unlike`, for unlike hosts or versions."""
    differing = fingerprint.unlike(first.fingerprint, second.fingerprint)
    if differing and not unlike:
        why = fingerprint.not_comparable(first.folder, second.folder, differing)
        raise UserError(f"{why}; --unlike explains them all the same")
    common = [case for key, case in first.cases.items() if key in second.cases]
    if not common:
        raise UserError(f"{first.folder} and {second.folder} have no case in common")
    return [between_runs(first, second, case) for case in common]


def between_cases(run: Run, first: Case, second: Case) -> Attribution:
    """What `second` takes more, paired within blocks. Raises UserError without a complete block."""
    measured, called = Measured.of(run), (run.name(first), run.name(second))
    before, after = (_by_block(measured.blocks, case) for case in (first, second))
    both = before.index.intersection(after.index)
    if both.empty:
        raise UserError(
            f"{run.folder} holds no block with {' and '.join(called)} ({first.context}) "
            "timed as a whole and in parts: measure them again"
        )
    before, after = before.loc[both], after.loc[both]
    launches = np.asarray(both.get_level_values("launch"))
    several = len(set(launches)) > 1
    names = launches if several else np.arange(len(both))
    differences = _medians(after - before, names)
    drawn = _drawn(len(differences))
    draws = _Draws(_centres(differences), _centres(differences[drawn]), len(differences) - 1)
    times = _medians(before, names), _medians(after, names)
    ratios, units = Blocks.of(run).ratios(second, first), "launches" if several else "blocks"
    counts = Counts.of(run, first), Counts.of(run, second)
    return _attribution(called, (first, second), times, draws, ratios, units, counts, called=called)


def between_runs(first: Run, second: Run, case: Case) -> Attribution:
    """What a case takes more, unpaired. Raises UserError below two complete launches in a run."""
    both = []
    for run in (first, second):
        blocks = _by_block(Measured.of(run).blocks, case)
        launches = np.asarray(blocks.index.get_level_values("launch"))
        if len(set(launches)) < 2:
            raise UserError(
                f"{run.folder} timed {run.name(case)} in fewer than two launches as a whole and in "
                "parts: separate runs cannot be distinguished by that"
            )
        both.append(_medians(blocks, launches))
    before, after = both
    draws = _Draws(
        _centres(after) - _centres(before),
        _centres(after[_drawn(len(after), seed=1)]) - _centres(before[_drawn(len(before))]),
        min(len(before), len(after)) - 1,
    )
    start = f"{first.label(case)} "
    ratios = {
        label.removeprefix(start): ratio
        for label, ratio in ratios_between_runs(first, second).items()
        if label.startswith(start)
    }
    names = str(first.folder), str(second.folder)
    counts = Counts.of(first, case), Counts.of(second, case)
    called = first.name(case), second.name(case)
    return _attribution(
        names, (case, case), (before, after), draws, ratios, "launches", counts, called=called
    )


def _by_block(blocks: pd.DataFrame, case: Case) -> pd.DataFrame:
    rows = {}
    for key, group in blocks[blocks["case"] == case.key].groupby(["launch", "block"]):
        times_s = dict(zip(group["phase"], group["seconds"], strict=True))
        parts = split_cold(
            times_s, cold_epochs=case.cold_epochs, steps_per_epoch=case.steps_per_epoch
        )
        if parts is not None:
            once = [parts.once_s[name] for name in ONCE]
            rows[key] = [*once, parts.overhead_s, parts.steps_s, parts.cold_s, times_s[EPOCH]]
    index = pd.MultiIndex.from_tuples(list(rows), names=["launch", "block"])
    return pd.DataFrame(list(rows.values()), columns=list(_MEASURED), index=index)


def _medians(table: pd.DataFrame, names: NDArray[np.int64]) -> Array:
    """The median of each launch's blocks, shape (launches, columns)."""
    return np.asarray(table.groupby(names).median().to_numpy(), dtype=np.float64)


def _drawn(count: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))


def _centres(units: Array) -> Array:
    """The Hodges-Lehmann centre of every column, and the rest; units on the last axis but one."""
    centres = hodges_lehmann(np.swapaxes(units, -1, -2))
    rest = centres[..., _MEASURED.index(COLD)] - centres[..., : _MEASURED.index(COLD)].sum(axis=-1)
    return np.concatenate([centres, rest[..., None]], axis=-1)


@dataclass(frozen=True)
class _Draws:
    values: Array
    draws: Array
    freedom: int

    def column(self, name: str) -> tuple[float, Array]:
        number = _COLUMNS.index(name)
        return float(self.values[number]), self.draws[:, number]

    def _interval(self, value: float, low: float, high: float) -> Interval:
        return Interval(value, low, high) if self.freedom else Interval(value, math.nan, math.nan)

    def interval(self, name: str) -> Interval:
        value, draws = self.column(name)
        reach = float(np.std(draws) * stats.t.ppf((1 + CONFIDENCE) / 2, max(1, self.freedom)))
        return self._interval(value, value - reach, value + reach)

    def share(self, names: Sequence[str]) -> Interval:
        found = [self.column(name) for name in names]
        whole, whole_draws = self.column(COLD)
        value = sum(each for each, _ in found) / whole if whole else math.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = sum(draws for _, draws in found) / whole_draws
            low, high = np.nanquantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return self._interval(value, float(min(low, value)), float(max(high, value)))

    def flip(self, epochs: int) -> Interval:
        """Where the line through the whole at `epochs`, with the slope of an epoch, meets 0."""
        (cold, cold_draws), (epoch, epoch_draws) = self.column(COLD), self.column(EPOCH)
        ends = np.sort(_meets(cold_draws, epoch_draws, epochs))
        tail = round(len(ends) * (1 - CONFIDENCE) / 2)
        value = float(_meets(cold, epoch, epochs))
        return self._interval(value, float(ends[tail]), float(ends[-1 - tail]))


def _meets(cold_s: Array | float, epoch_s: Array | float, epochs: int) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        at = epochs - np.divide(cold_s, epoch_s)
    return np.where(at >= 1, at, math.inf)


def _attribution(
    names: tuple[str, str],
    cases: tuple[Case, Case],
    times: tuple[Array, Array],
    draws: _Draws,
    ratios: dict[str, Estimate],
    units: str,
    counts: tuple[Counts, Counts],
    *,
    called: tuple[str, str],
) -> Attribution:
    count = draws.freedom + 1
    before_s, after_s = (float(_centres(each)[_MEASURED.index(COLD)]) for each in times)
    return Attribution(
        *names,
        *cases,
        before_s,
        after_s,
        {name: draws.interval(name) for name in PARTS},
        draws.interval(COLD),
        {name: draws.share(GROUPS.get(name, (name,))) for name in (*PARTS, *GROUPS)},
        draws.flip(cases[0].cold_epochs),
        draws.interval(EPOCH),
        ratios,
        f"{count} {units if count > 1 else units.removesuffix('s')}",
        counts,
        called,
    )
