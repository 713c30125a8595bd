"""`nnbench race`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli import options
from nnbench.cli.options import Architectures, AsJson, Data, Fresh, Models, Name, Quiet, Results
from nnbench.cli.session import execute, run_folder, tell_backend
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


RACES, TRAINING, MACHINE, EFFORT = Path("results/races"), Training(), Machine(), Effort()


def race(
    *architectures: Architectures,
    model: Models = (),
    target_loss: Annotated[
        float | None,
        Parameter(help="The loss to get to; default: the lowest that all networks get to."),
    ] = None,
    data: Data = Data(),
    training: Training = TRAINING,
    machine: Machine = MACHINE,
    effort: Effort = EFFORT,
    results: Results = RACES,
    name: Name = None,
    fresh: Fresh = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train networks over several seeds: which gets to a loss first, and which is worth its time.

    A command that was interrupted goes on where it stopped when it is given again; with --name,
    another --target-loss is answered from what was trained before.
    """
    from nnbench.measure import loss_curve_trial
    from nnbench.measure import run as measuring

    if effort.seeds < 1:
        raise UserError(f"{effort.seeds} seeds train nothing: use 1 or more, 6 for 95 % intervals")
    launches = study.Effort(effort.seeds, 1, seed=effort.seed, limit=effort.limit)
    asked = Study(Networks(architectures, model), data, training, machine, launches).or_networks()
    tell_backend(machine, quiet=quiet)
    loaded = data.load()
    kinds = (loss_curve_trial.KIND,)
    wanted = measuring.of_study(asked, asked.cases(loaded), kinds=kinds, sweeps=0)
    folder = run_folder(results, name, wanted, fresh=fresh)
    tell_race(execute(folder, loaded, quiet=quiet), target_loss, as_json=as_json)


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
