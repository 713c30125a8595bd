"""Advice put to the test: the networks are timed, and predictions compared with that."""

from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.costs.context import Context
from nnbench.phases import EPOCH
from nnbench.stats.estimate import Estimate
from nnbench.stats.interval import Interval
from nnbench.stats.summary import summarise
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

FOLDER = "advice"


@dataclass(frozen=True)
class Checked:
    """A prediction and what was measured of it; ratios are to the first network.

    `error` is predicted / measured, minus 1; `holds` whether the measured epoch lies in the
    predicted interval. `measured_ratio` is paired within blocks; the first network has no ratios.
    """

    architecture: str
    predicted_epoch_s: Interval
    measured_epoch_s: Estimate
    error: float
    holds: bool
    predicted_ratio: Interval | None
    measured_ratio: Estimate | None


def plan(context: Context, architectures: Sequence[Architecture]) -> tuple[list[Case], Dataset]:
    """The cases of a run that times these networks, and its data."""
    cases = [context.case(one) for one in architectures]
    return cases, datasets.load(cases[0].data)


def compared(context: Context, run: runs.Run) -> list[Checked]:
    """The predictions of a run's cases beside their measurements, in the run's order."""
    found = []
    for summary in summarise(run):
        one, base = summary.case.architecture, summary.baseline.architecture
        measured_s = summary.times.get(EPOCH)
        if one is None or base is None or measured_s is None:
            continue
        told_s = context.predict(one).epoch_s
        found.append(
            Checked(
                architecture=one.label,
                predicted_epoch_s=told_s,
                measured_epoch_s=measured_s,
                error=told_s.value / measured_s.value - 1,
                holds=told_s.low <= measured_s.value <= told_s.high,
                predicted_ratio=None if one == base else context.ratio(one, base, EPOCH),
                measured_ratio=summary.ratios.get(EPOCH),
            )
        )
    return found
