"""Advice put to the test: the networks are timed, and predictions held against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.costs.context import Scene
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

FOLDER = "advice"

LAUNCHES = 3
LIMIT_S = 300.0


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
    results_folder: Path,
    scene: Scene,
    architectures: Sequence[Architecture],
    watch: measuring.Watcher,
    launches: int = LAUNCHES,
) -> list[Checked]:
    """Time networks in turn in so many fresh processes; one that could not be measured is left out.

    What was interrupted is gone on with. Raises UserError as `measure.run.execute` does.
    """
    cases = [scene.case(one) for one in dict.fromkeys(architectures)]
    wanted = measuring.specification(
        cases,
        launches=launches,
        blocks=1,
        seed=0,
        limit_s=LIMIT_S,
        kinds=("phases",),
        sweeps=0,
    )
    here = fingerprint.take()
    folder = results_folder / FOLDER
    path = measuring.unfinished(folder, wanted, here)
    run = measuring.execute(
        path or runs.create(folder, None, wanted, here), datasets.load(cases[0].data), watch
    )
    return held_against(scene, run)


def held_against(scene: Scene, run: runs.Run) -> list[Checked]:
    """The predictions of a run's cases beside their measurements, in the run's order."""
    found = []
    for summary in summarise(run):
        one = summary.case.architecture
        assert one is not None
        base = summary.baseline.architecture
        first = summary.case is summary.baseline or base is None
        if EPOCH in summary.times:
            found.append(
                Checked(
                    scene.predict(one),
                    summary.times[EPOCH],
                    None if first or base is None else scene.ratio(one, base, EPOCH),
                    summary.ratios.get(EPOCH),
                )
            )
    return found
