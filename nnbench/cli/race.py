"""`nnbench race`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nnbench.cli.options import Architectures, Fresh, Models, Name, Output, Trained, options, within
from nnbench.cli.session import indexed, measure, status
from nnbench.errors import UserError
from nnbench.race.goal import LOSS, USUAL_SHARE, Goal
from nnbench.show.terminal import answer, skipped
from nnbench.workload import quantities, tasks
from nnbench.workload.study import MOST_LAUNCHES, Effort, Networks, Study

if TYPE_CHECKING:
    from nnbench.store.runs import Run
    from nnbench.workload.case import Case

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
    to: str | None = None,
    held_out: str | None = None,
    asked: Raced = Raced(),
    name: Name = None,
    fresh: Fresh = False,
) -> int:
    """Train networks over several seeds: which gets to a loss or metric first, which is worth it.

    A command that was interrupted goes on where it stopped when it is given again; with --name,
    another --target-loss is answered from what was trained before.

    Args:
        target_loss: The loss to get to; default: the lowest that all networks get to.
        to: "val_loss<0.3", "val_accuracy>0.9", "accuracy>0.9": what to get to; val_ is of rows that
            are held out. Without a value: what all networks get to.
        held_out: Share of the rows that are validated on, not trained on; default: 20% where --to
            begins with val_.
    """
    if to is not None and target_loss is not None:
        raise UserError("--to and --target-loss name two goals: give one of them")
    goal, target = Goal.parse(to) if to is not None else (LOSS, target_loss)
    share = held_out or (USUAL_SHARE if goal.validates else None)
    validated = None if share is None else quantities.parse_share(share)
    launches = asked.effort.launches()
    networks = Networks(architectures, model)
    study = Study(networks, asked.data, asked.training, asked.machine, launches).or_networks()
    study.check()
    from nnbench.measure.loss_curve_trial import KIND

    data = study.load()
    cases = [replace(case, held_out=validated, metric=goal.metric) for case in study.cases(data)]
    check_metric(cases[0])
    trials: dict[str, Any] = {"kinds": (KIND,), "sweeps": 0, "cases": cases}
    run = measure(study, asked.output, data, name=name, fresh=fresh, **trials)
    tell_race(run, target, goal, as_json=asked.output.as_json)
    return status(run)


def check_metric(case: "Case") -> None:
    """Raise UserError for the share of right answers where there are none."""
    wanted = "accuracy" in (case.metric or "") and case.model is None
    if wanted and tasks.kind(case.training.task) == tasks.REGRESSION:
        raise UserError(
            f"{case.metric} is of classes, and {case.data} is a {case.training.task}: "
            "race to val_loss, or to mean_absolute_error"
        )


def tell_race(
    finished: "Run", target: float | None, goal: Goal | None = None, *, as_json: bool
) -> None:
    """Write the page of a race and print its tables and sentences, or JSON."""
    from nnbench.race import page, tables, words
    from nnbench.race.time_to_loss import Race

    found = Race.of(finished, target, goal)
    skipped(finished.damage)
    written = indexed(page.write(finished, found))
    races = [tables.as_json(one) for one in found]
    shown = []
    for one in found:
        notes = [f"Note: {each}" for each in words.warnings(one)]
        shown += [words.sentences(one), tables.table(one), notes]
    record = {"run": finished.folder, "page": written, "races": races}
    answer(record, [*shown, written], as_json=as_json)
