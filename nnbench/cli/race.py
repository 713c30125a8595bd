"""`nnbench race`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from nnbench.cli import options
from nnbench.cli.options import Architectures, Data, Fresh, Models, Name
from nnbench.cli.session import measure
from nnbench.errors import UserError
from nnbench.show.terminal import print_json, print_table, say
from nnbench.workload import study
from nnbench.workload.study import Networks, Study

if TYPE_CHECKING:
    from nnbench.store.runs import Run


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class Training(options.Training):
    """Long enough to learn something."""

    epochs: int = 1000


@Parameter(name="*", group="Machine")
@dataclass(frozen=True)
class Machine(options.Machine):
    """The path that has the least beside the training."""

    path: str = "compiled"


@Parameter(name="*", group="Effort")
@dataclass(frozen=True)
class Effort:
    """How much is trained."""

    seeds: int = 6
    "Trainings of each network, each in a fresh process."
    seed: int = 0
    "The first seed; the others follow it."
    limit: float = 600.0
    "Seconds after which one is given up."


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class Output(options.Output):
    """Races lie by themselves."""

    results: Path = Path("results/races")


def race(
    *architectures: Architectures,
    model: Models = (),
    target_loss: float | None = None,
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    effort: Effort = Effort(),
    output: Output = Output(),
    name: Name = None,
    fresh: Fresh = False,
) -> None:
    """Train networks over several seeds: which gets to a loss first, and which is worth its time.

    A command that was interrupted goes on where it stopped when it is given again; with --name,
    another --target-loss is answered from what was trained before.

    Args:
        target_loss: The loss to get to; default: the lowest that all networks get to.
    """
    from nnbench.measure.loss_curve_trial import KIND

    if effort.seeds < 1:
        raise UserError(f"{effort.seeds} seeds train nothing: use 1 or more, 6 for 95 % intervals")
    launches = study.Effort(effort.seeds, 1, seed=effort.seed, limit=effort.limit)
    asked = Study(Networks(architectures, model), data, training, machine, launches).or_networks()
    finished = measure(asked, output, name=name, fresh=fresh, kinds=(KIND,), sweeps=0)
    tell_race(finished, target_loss, as_json=output.as_json)


def tell_race(finished: "Run", target_loss: float | None, *, as_json: bool) -> None:
    """Write the page of a race and print its tables and sentences, or JSON."""
    from nnbench.race import page, tables, words
    from nnbench.race.time_to_loss import Race

    found = Race.of(finished, target_loss)
    written = page.write(finished, found)
    if as_json:
        races = [tables.as_json(one) for one in found]
        print_json({"run": finished.folder, "page": written, "races": races})
        return
    for one in found:
        print_table(tables.table(one))
        say("\n".join([*words.sentences(one), *(f"Note: {each}" for each in words.warnings(one))]))
    say(str(written))
