"""What other tools would decide, given the samples of two sides.

Each tool's own code decides. All get the same samples from the same launches, although all but
nnbench would in practice take them from fewer processes, one side after the other: the
comparison errs in their favour.
"""

import statistics
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from asv import _stats as asv_stats
from asv.commands.compare import _is_result_better
from asv_runner.statistics import compute_stats
from pyperf._utils import is_significant
from pytest_benchmark.utils import parse_compare_fail

from nnbench.measure.schedule import SWEEPS
from nnbench.stats import verdict
from nnbench.stats.blocks import ratio_of_turns
from nnbench.stats.estimate import nested_estimate, steady_median

Launches = list[list[float]]


@dataclass(frozen=True)
class Decision:
    """`alarm`: the second side is reported slower. `low`, `high`: its interval, if it has one."""

    alarm: bool
    low: float = float("nan")
    high: float = float("nan")


class Tool(Protocol):
    """Decides from the samples of each launch of two sides, in the order they were measured.

    `swept` says that sample i of one side was taken moments from sample i of the other.
    """

    def __call__(self, first: Launches, second: Launches, *, swept: bool) -> Decision: ...


def nnbench(first: Launches, second: Launches, *, swept: bool) -> Decision:
    """Paired by round, the launch as the unit, at the default setting."""
    ratios = [
        ratio_of_turns(*(np.reshape(one, (SWEEPS, -1)).min(axis=1) for one in (after, before)))
        if swept
        else steady_median(after) / steady_median(before)
        for before, after in zip(first, second, strict=True)
    ]
    ratio = nested_estimate(ratios, np.arange(len(ratios)))
    found = verdict.judge({"step": ratio})[0].verdict
    return Decision(found == verdict.DIFFERENT, ratio.low, ratio.high)


def asv(first: Launches, second: Launches, *, swept: bool) -> Decision:
    """`asv compare` and `asv continuous`: Mann-Whitney at 0.002 and a ratio above 1.1."""
    before, after = _pooled(first), _pooled(second)
    before_time, before_stats = compute_stats(before, 1)
    after_time, after_stats = compute_stats(after, 1)
    worse = _is_result_better(
        before_time, after_time, (before_stats, before), (after_stats, after), 1.1
    )
    return Decision(
        bool(worse),
        after_stats["ci_99_a"] / before_stats["ci_99_b"],
        after_stats["ci_99_b"] / before_stats["ci_99_a"],
    )


def asv_without_factor(first: Launches, second: Launches, *, swept: bool) -> Decision:
    """asv's significance test alone, as with `--factor 1`."""
    before, after = _pooled(first), _pooled(second)
    before_time, before_stats = compute_stats(before, 1)
    after_time, after_stats = compute_stats(after, 1)
    different = asv_stats.is_different(before, after, before_stats, after_stats)
    return Decision(bool(different) and after_time > before_time)


def pytest_benchmark(first: Launches, second: Launches, *, swept: bool) -> Decision:
    """`pytest-benchmark compare --benchmark-compare-fail=median:5%`."""
    check = parse_compare_fail("median:5%")
    before = {"median": statistics.median(_pooled(first))}
    after = {"median": statistics.median(_pooled(second))}
    return Decision(bool(check.fails(after, before)))


def pyperf(first: Launches, second: Launches, *, swept: bool) -> Decision:
    """`pyperf compare_to`: a t test on pooled values at 95 %."""
    before, after = _pooled(first), _pooled(second)
    # Its t test is written for as many values on one side as on the other.
    fewest = min(len(before), len(after))
    significant, _ = is_significant(before[:fewest], after[:fewest])
    return Decision(bool(significant) and statistics.mean(after) > statistics.mean(before))


def _fixed_ratio(percent: float) -> Tool:
    """github-action-benchmark: an alert where the value is so many per cent of the one before.

    Its rule, which is a division; what it is given are means, as its readers of pytest-benchmark's
    files take.
    """

    def decide(first: Launches, second: Launches, *, swept: bool) -> Decision:
        ratio = statistics.fmean(_pooled(second)) / statistics.fmean(_pooled(first))
        return Decision(ratio > percent / 100)

    return decide


def timeit(first: Launches, second: Launches, *, swept: bool) -> Decision:
    """`python -m timeit` on each side: best against best, and anything above 5 % believed."""
    return Decision(min(_pooled(second)) > 1.05 * min(_pooled(first)))


def _pooled(launches: Launches) -> list[float]:
    return [sample for launch in launches for sample in launch]


TOOLS: dict[str, Tool] = {
    "nnbench": nnbench,
    "asv": asv,
    "asv, factor 1": asv_without_factor,
    "pytest-benchmark, median:5%": pytest_benchmark,
    "pyperf compare_to": pyperf,
    "github-action-benchmark, 200 %": _fixed_ratio(200),
    "github-action-benchmark, 105 %": _fixed_ratio(105),
    "timeit, 5 %": timeit,
}
