"""One benchmark of one host over its commits: a level and an error for each, on a log scale.

Commits that one run measured in turn share its rounds: what slowed the machine then slowed all of
them. Their levels are those of a two-way fit, commits and blocks, in which the blocks' part is
taken away, so that only differences between commits mean something. All other commits were
measured at a time of their own, and the machine's mood of that time is part of their level.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nnbench.history.table import SERIES, History
from nnbench.stats.estimate import hodges_lehmann

Array = NDArray[np.float64]

ROUNDS = 20
"""Passes of the two-way fit; it settles within a few."""

LEAST_CLEAN = 3
"""Disturbed blocks are left out where a commit keeps this many clean ones."""

RESTLESS = 2.0
"""A round whose launches scatter so many times as far as the usual one's is left out, too."""

TELLING = 6
"""Fewer commits in a round do not tell how far its launches scatter."""


@dataclass(frozen=True)
class Series:
    """Levels of one benchmark over `commits`, in their order.

    `logs` (n,) are logarithms of values in `unit`, `errors` (n,) their standard errors by what
    was measured within the commit (0 where unknown), with `freedom` degrees of freedom.
    `interleaved`: measured in turn, several launches each.
    `raw` (n,) are the values themselves, which also may be zero or negative. `noisy` (n,) is the
    share of each commit's blocks that was disturbed, `pace_s` (n,) what a fixed piece of work
    took the machine then; NaN where that is not known.
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


def all_of(history: History) -> Iterator[Series]:
    """Every series of a history with two commits or more.

    A benchmark measured both ways gives two series: in turn, and each commit by itself.
    """
    pairs = dict(
        list(history.pairs.groupby(["host", "environment", "benchmark", "case"], sort=False))
    )
    for _, group in history.table.groupby(SERIES, sort=False):
        together = group[group["interleaved"]]
        alone = group[~group["interleaved"]]
        if len(together) >= 2:
            first = together.iloc[0]
            key = (first["host"], first["environment"], first["benchmark"], first["case"])
            yield _in_turn(together, pairs[key])
        if len(alone) >= 2:
            yield _alone(alone)


def _series(group: pd.DataFrame, logs: Array, errors: Array, **more: Any) -> Series:
    names: dict[str, Any] = {name: str(group.iloc[0][name]) for name in SERIES}
    return Series(
        **names,
        commits=tuple(group["commit"]),
        orders=tuple(int(order) for order in group["order"]),
        logs=logs,
        errors=errors,
        launches=tuple(int(count) for count in group["launches"]),
        digests=tuple(group["digest"]),
        raw=group["value"].to_numpy(dtype=float),
        noisy=group["noisy"].to_numpy(dtype=float),
        pace_s=group["pace_s"].to_numpy(dtype=float),
        **more,
    )


def _alone(group: pd.DataFrame) -> Series:
    values = group["value"].to_numpy(dtype=float)
    logs = np.log(np.where(values > 0, values, 1.0))
    errors = np.nan_to_num(group["log_error"].to_numpy(dtype=float))
    freedom = max(1, int(group["launches"].sum()) - len(group))
    return _series(group, logs, errors, freedom=freedom, interleaved=False)


def _in_turn(group: pd.DataFrame, pairs: pd.DataFrame) -> Series:
    commits = list(group["commit"])
    clean = _calm(_clean(pairs), commits)
    commit = np.asarray(pd.Categorical(clean["commit"], categories=commits).codes, dtype=np.intp)
    names = ["session", "round", "block"]
    block = np.asarray(clean.groupby(names, sort=False).ngroup(), dtype=np.intp)
    unit = clean.groupby(["session", "round", "commit"], sort=False).ngroup().to_numpy()
    logs = clean["log"].to_numpy(dtype=float)
    level, mood = _two_way(logs, commit, block, len(commits))
    # Launches are the unit: blocks of one process are no repetitions of it.
    residuals = pd.Series(logs - mood[block]).groupby(unit).mean().to_numpy(dtype=float)
    owner = pd.Series(commit).groupby(unit).first().to_numpy()
    counts = np.bincount(owner, minlength=len(commits))
    level = np.array(
        [float(hodges_lehmann(residuals[owner == one])) for one in range(len(commits))]
    )
    rest = residuals - level[owner]
    rounds = clean.groupby(["session", "round"], sort=False).ngroups
    freedom = max(1, len(rest) - len(commits) - rounds + 1)
    # One launch a commit says nothing of how launches differ: only neighbours can.
    repeated = len(rest) > len(commits)
    scale = _spread(rest) * math.sqrt(len(rest) / freedom) if repeated else 0.0
    errors = scale / np.sqrt(np.maximum(counts, 1))
    values = np.log(group["value"].to_numpy(dtype=float))
    # Levels are known up to a constant: the one that brings them nearest to the values.
    level += float(np.median(values - level))
    return _series(group, level, errors, freedom=freedom, interleaved=repeated)


def _clean(pairs: pd.DataFrame) -> pd.DataFrame:
    """Without the blocks that the noise watch marked, where enough others remain."""
    return _unless_too_few(pairs[~pairs["noisy"].astype(bool)], pairs)


def _unless_too_few(left: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    rounds = left.groupby("commit")["round"].count()
    every = rounds.reindex(pairs["commit"].unique()).fillna(0)
    half = pairs.groupby("commit")["round"].count().reindex(every.index) / 2
    return left if (every >= np.maximum(half, LEAST_CLEAN)).all() else pairs


def _calm(pairs: pd.DataFrame, commits: list[str]) -> pd.DataFrame:
    """Without the rounds in which the machine was restless, whatever the noise watch saw.

    They are told by how far their launches scatter about the levels, not by the levels.
    """
    commit = np.asarray(pd.Categorical(pairs["commit"], categories=commits).codes, dtype=np.intp)
    names = ["session", "round", "block"]
    block = np.asarray(pairs.groupby(names, sort=False).ngroup(), dtype=np.intp)
    logs = pairs["log"].to_numpy(dtype=float)
    level, mood = _two_way(logs, commit, block, len(commits))
    rest = pd.Series(np.abs(logs - level[commit] - mood[block]), index=pairs.index)
    rounds = [pairs["session"], pairs["round"]]
    spreads = rest.groupby(rounds).transform("median")
    sizes = pairs.groupby(["session", "round"])["commit"].transform("nunique")
    usual = float(np.median(rest.groupby(rounds).median()))
    return _unless_too_few(pairs[(sizes < TELLING) | (spreads <= RESTLESS * usual)], pairs)


def _two_way(
    logs: Array, commit: NDArray[np.intp], block: NDArray[np.intp], count: int
) -> tuple[Array, Array]:
    """Levels of commits and moods of blocks, by turns, with medians (median polish, Tukey 1977)."""
    level, mood = np.zeros(count), np.zeros(int(block.max()) + 1)
    table = pd.DataFrame({"log": logs, "commit": commit, "block": block})
    for _ in range(ROUNDS):
        rest = table["log"] - level[commit]
        fresh = rest.groupby(table["block"]).median().reindex(range(len(mood))).to_numpy()
        by_commit = (table["log"] - fresh[block]).groupby(table["commit"]).median()
        renewed = by_commit.reindex(range(count)).fillna(0.0).to_numpy()
        settled = np.allclose(renewed, level, atol=1e-7) and np.allclose(fresh, mood, atol=1e-7)
        level, mood = renewed, fresh
        if settled:
            break
    return level, mood


def _spread(rest: Array) -> float:
    """A standard deviation that one launch in ten gone wild cannot carry off."""
    if len(rest) < 20:
        return float(np.std(rest))
    robust = 1.4826 * float(np.median(np.abs(rest)))
    return float(np.std(np.clip(rest, -4 * robust, 4 * robust))) if robust > 0 else 0.0
