"""Advice put to the test: the networks are timed, and predictions compared with that."""

from dataclasses import dataclass

from nnbench.costs.context import Context
from nnbench.phases import EPOCH
from nnbench.stats.estimate import Estimate
from nnbench.stats.interval import Interval
from nnbench.stats.summary import summarise
from nnbench.store import runs

FOLDER = "advice"


@dataclass(frozen=True)
class Checked:
    """A prediction and what was measured of it; `error` is their ratio minus 1."""

    name: str
    architecture: str
    predicted_epoch_s: Interval
    measured_epoch_s: Estimate
    error: float
    holds: bool
    predicted_ratio: Interval | None
    measured_ratio: Estimate | None


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
                name=run.name(summary.case),
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
