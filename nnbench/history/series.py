"""One benchmark of one host over its commits: a level and an error for each, on a log scale.

Commits that one run measured in turn share its rounds, and what slowed the machine then. Their
levels are those of a two-way fit, commits and blocks, without the blocks' part: only differences
between commits mean something. All other commits were measured at a time of their own, and the
state of the machine then is part of their level.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nnbench.history.null_model import Array
from nnbench.history.table import NORMAL_95, SERIES, History
from nnbench.stats.estimate import hodges_lehmann
from nnbench.stats.interval import Interval

PASSES = 20
"""Of the two-way fit; it settles within a few."""
LEAST_CLEAN = 3
"""Noisy blocks are left out where a commit keeps this many clean ones."""
RESTLESS = 2.0
"""A round whose launches scatter so many times as far as the usual one's is left out, too."""
ENOUGH = 6
"""Fewer commits in a round do not tell how far its launches scatter."""


@dataclass(frozen=True)
class Series:
    """Levels of one benchmark over `commits`, in their order.

    `logs` (n,) are logarithms of values in `unit`, `errors` (n,) their standard errors by what
    was measured within the commit (0 where unknown), with `freedom` degrees of freedom.
    `interleaved`: measured in turn, several launches each.
    `raw` (n,) are the values themselves, which may be zero or negative. `noisy` (n,) is the
    share of each commit's blocks that was noisy, `pace_s` (n,) what a fixed piece of work took
    the machine then; NaN where that is not known.
    """

    source: str
    host: str
    environment: str
    benchmark: str
    case: str
    version: str
    unit: str
    commits: tuple[str, ...]
    orders: tuple[int, ...]
    logs: Array
    errors: Array
    launches: tuple[int, ...]
    freedom: int
    interleaved: bool
    digests: tuple[str, ...]
    raw: Array
    noisy: Array
    pace_s: Array

    @property
    def label(self) -> str:
        """Benchmark and case in words."""
        return f"{self.benchmark}, {self.case}" if self.case else self.benchmark

    @property
    def positive(self) -> bool:
        """Whether ratios of its values mean something."""
        return bool(np.all(self.raw > 0))

    @property
    def levels(self) -> list[Interval]:
        """Each commit's value in `unit`; its interval is known for positive values only."""
        if not self.positive:
            return [Interval(float(value), math.nan, math.nan) for value in self.raw]
        ends = np.exp(self.logs + NORMAL_95 * np.array([[0.0], [-1.0], [1.0]]) * self.errors)
        return [Interval(*(float(end) for end in one)) for one in ends.T]


def all_of(history: History) -> Iterator[Series]:
    """Every series of two commits or more; a benchmark measured both ways gives two."""
    names = ["host", "environment", "benchmark", "case"]
    pairs = dict(list(history.pairs.groupby(names, sort=False)))
    for _, group in history.table.groupby(SERIES, sort=False):
        together, alone = group[group["interleaved"]], group[~group["interleaved"]]
        if len(together) >= 2:
            yield _in_turn(together, pairs[tuple(together.iloc[0][names])])
        if len(alone) >= 2:
            logs = np.log(alone["value"].where(alone["value"] > 0, 1.0))
            freedom = max(1, int(alone["launches"].sum()) - len(alone))
            yield _series(alone, logs, alone["log_error"].fillna(0.0), freedom, interleaved=False)


def _series(
    group: pd.DataFrame, logs: ArrayLike, errors: ArrayLike, freedom: int, *, interleaved: bool
) -> Series:
    names: dict[str, Any] = {name: str(group.iloc[0][name]) for name in SERIES}
    return Series(
        **names,
        commits=tuple(group["commit"]),
        orders=tuple(int(order) for order in group["order"]),
        logs=np.asarray(logs, dtype=float),
        errors=np.asarray(errors, dtype=float),
        launches=tuple(int(count) for count in group["launches"]),
        freedom=freedom,
        interleaved=interleaved,
        digests=tuple(group["digest"]),
        raw=group["value"].to_numpy(dtype=float),
        noisy=group["noisy"].to_numpy(dtype=float),
        pace_s=group["pace_s"].to_numpy(dtype=float),
    )


def _in_turn(group: pd.DataFrame, pairs: pd.DataFrame) -> Series:
    commits = list(group["commit"])
    clean = _calm(_unless_too_few(pairs[~pairs["noisy"].astype(bool)], pairs))
    _, blocks = _two_way(clean)
    # Launches are the unit: blocks of one process are no repetitions of it.
    launch = [clean[name] for name in ("session", "round", "commit")]
    launches = (clean["log"] - blocks).groupby(launch, sort=False).mean()
    of_commits = launches.groupby("commit")
    by_commit = of_commits.agg(lambda one: float(hodges_lehmann(one.to_numpy(dtype=float))))
    level = np.asarray(by_commit.reindex(commits), dtype=np.float64)
    counts = np.asarray(of_commits.size().reindex(commits), dtype=np.float64)
    levels = by_commit[launches.index.get_level_values("commit")]
    rest: Array = launches.to_numpy(dtype=float) - levels.to_numpy(dtype=float)
    rounds = clean.groupby(["session", "round"], sort=False).ngroups
    freedom = max(1, len(rest) - len(commits) - rounds + 1)
    # One launch a commit says nothing of how launches differ: only neighbours can.
    repeated = len(rest) > len(commits)
    scale = _spread(rest) * math.sqrt(len(rest) / freedom) if repeated else 0.0
    values = np.log(group["value"].to_numpy(dtype=float))
    # Levels are known up to a constant: the one that brings them nearest to the values.
    level = level + float(np.median(values - level))
    return _series(group, level, scale / counts**0.5, freedom, interleaved=repeated)


def _unless_too_few(left: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    every = pairs["commit"].value_counts()
    kept = left["commit"].value_counts().reindex(every.index, fill_value=0)
    return left if (kept >= np.maximum(every / 2, LEAST_CLEAN)).all() else pairs


def _calm(pairs: pd.DataFrame) -> pd.DataFrame:
    level, blocks = _two_way(pairs)
    rest = (pairs["log"] - level - blocks).abs().groupby([pairs["session"], pairs["round"]])
    sizes = pairs.groupby(["session", "round"])["commit"].transform("nunique")
    usual = float(np.median(rest.median()))
    calm = rest.transform("median") <= RESTLESS * usual
    return _unless_too_few(pairs[(sizes < ENOUGH) | calm], pairs)


def _two_way(pairs: pd.DataFrame) -> tuple["pd.Series[float]", ...]:
    """Each row's level of its commit and part of its block, by median polish (Tukey, 1977)."""
    logs, commit = pairs["log"], pairs["commit"]
    block = pairs.groupby(["session", "round", "block"], sort=False).ngroup()
    level = pd.Series(0.0, index=pairs.index)
    blocks = level
    for _ in range(PASSES):
        fresh = (logs - level).groupby(block).transform("median")
        renewed = (logs - fresh).groupby(commit).transform("median")
        settled = np.allclose(renewed, level, atol=1e-7) and np.allclose(fresh, blocks, atol=1e-7)
        level, blocks = renewed, fresh
        if settled:
            break
    return level, blocks


def _spread(rest: Array) -> float:
    """A standard deviation that one launch in ten gone wild cannot carry off."""
    if len(rest) < 20:
        return float(np.std(rest))
    robust = 1.4826 * float(np.median(np.abs(rest)))
    return float(np.std(np.clip(rest, -4 * robust, 4 * robust))) if robust > 0 else 0.0
