"""Advice put to the test: the networks are timed, and predictions compared with that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.costs.context import Context
from nnbench.costs.prediction import Prediction
from nnbench.machine import fingerprint
from nnbench.measure import run as measuring
from nnbench.phases import EPOCH
from nnbench.stats.estimate import Estimate
from nnbench.stats.interval import Interval
from nnbench.stats.summary import summarise
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.architecture import Architecture
from nnbench.workload.study import Effort, Study

FOLDER = "advice"


@dataclass(frozen=True)
class Checked:
    """A prediction and what was measured of it; ratios are to the first network.

    `measured_ratio` is paired within blocks; both are missing for the first network itself.
    """

    prediction: Prediction
    epoch_s: Estimate
    ratio: Interval | None
    measured_ratio: Estimate | None

    @property
    def error(self) -> float:
        """Predicted / measured epoch, minus 1."""
        return self.prediction.epoch_s.value / self.epoch_s.value - 1

    @property
    def holds(self) -> bool:
        """Whether the measured epoch lies in the predicted interval."""
        return self.prediction.epoch_s.low <= self.epoch_s.value <= self.prediction.epoch_s.high


def verify(
    results: Path,
    context: Context,
    architectures: Sequence[Architecture],
    effort: Effort,
    watch: measuring.Watcher,
) -> list[Checked]:
    """Time networks in turn in fresh processes; one that could not be measured is left out.

    What was interrupted is gone on with. Raises UserError as `measure.run.execute` does.
    """
    cases = [context.case(one) for one in dict.fromkeys(architectures)]
    wanted = measuring.of_study(Study(effort=effort), cases, kinds=("phases",), sweeps=0)
    here = fingerprint.take()
    folder = results / FOLDER
    path = measuring.unfinished(folder, wanted, here)
    run = measuring.execute(
        path or runs.create(folder, None, wanted, here), datasets.load(cases[0].data), watch
    )
    return compared(context, run)


def compared(context: Context, run: runs.Run) -> list[Checked]:
    """The predictions of a run's cases beside their measurements, in the run's order."""
    found = []
    for summary in summarise(run):
        one, base = summary.case.architecture, summary.baseline.architecture
        assert one is not None
        assert base is not None
        first = summary.case is summary.baseline
        if EPOCH in summary.times:
            found.append(
                Checked(
                    context.predict(one),
                    summary.times[EPOCH],
                    None if first else context.ratio(one, base, EPOCH),
                    summary.ratios.get(EPOCH),
                )
            )
    return found
