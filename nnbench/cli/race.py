"""`nnbench race`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nnbench.cli.options import Architectures, Fresh, Models, Name, Output, Trained, options, within
from nnbench.cli.session import measure, status
from nnbench.show.terminal import answer, skipped
from nnbench.workload import quantities
from nnbench.workload.study import MOST_LAUNCHES, Effort, Networks, Study

if TYPE_CHECKING:
    from nnbench.store.runs import Run

Loss = Annotated[float, within("loss", -1e30, 1e30)]


@options("Effort")
@dataclass(frozen=True)
class RaceEffort:
    """How much is trained."""

    seeds: int = 6
    "Trainings of each network, each in a fresh process."
    seed: int = 0
    "The first seed; the others follow it."
    limit: float = 600.0
    "Seconds after which one is given up."

    def __post_init__(self) -> None:
        quantities.check("number of seeds", self.seeds, 1, MOST_LAUNCHES)

    def launches(self) -> Effort:
        """The same as launches, one a seed."""
        return Effort(self.seeds, 1, seed=self.seed, limit=self.limit)


@dataclass(frozen=True)
class RaceOutput(Output):
    """Races lie by themselves."""

    results: Path = Path("results/races")


@dataclass(frozen=True)
class Raced(Trained, epochs=1000, path="compiled"):
    """Long enough to learn something, on the path that has the least beside the training."""

    effort: RaceEffort = RaceEffort()
    output: RaceOutput = RaceOutput()


def race(
    *architectures: Architectures,
    model: Models = (),
    target_loss: Loss | None = None,
    asked: Raced = Raced(),
    name: Name = None,
    fresh: Fresh = False,
) -> int:
    """Train networks over several seeds: which gets to a loss first, and which is worth its time.

    A command that was interrupted goes on where it stopped when it is given again; with --name,
    another --target-loss is answered from what was trained before.

    Args:
        target_loss: The loss to get to; default: the lowest that all networks get to.
    """
    launches = asked.effort.launches()
    networks = Networks(architectures, model)
    study = Study(networks, asked.data, asked.training, asked.machine, launches).or_networks()
    study.check()
    from nnbench.measure.loss_curve_trial import KIND

    run = measure(study, asked.output, name=name, fresh=fresh, kinds=(KIND,), sweeps=0)
    tell_race(run, target_loss, as_json=asked.output.as_json)
    return status(run)


def tell_race(finished: "Run", target_loss: float | None, *, as_json: bool) -> None:
    """Write the page of a race and print its tables and sentences, or JSON."""
    from nnbench.race import page, tables, words
    from nnbench.race.time_to_loss import Race

    found = Race.of(finished, target_loss)
    skipped(finished.damage)
    written = page.write(finished, found)
    races = [tables.as_json(one) for one in found]
    shown = []
    for one in found:
        notes = [f"Note: {each}" for each in words.warnings(one)]
        shown += [tables.table(one), *words.sentences(one), *notes]
    record = {"run": finished.folder, "page": written, "races": races}
    answer(record, [*shown, written], as_json=as_json)
