"""`nnbench advise`."""

from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.calibrate import ASKED, EPOCHS, AskedData
from nnbench.cli.options import RESULTS, AsJson, Effort, Machine, Quiet, Results, Training
from nnbench.cli.predict import Rows
from nnbench.cli.session import tell_backend
from nnbench.errors import UserError
from nnbench.show.table import Table
from nnbench.show.terminal import print_json, print_table, say, waiting
from nnbench.workload import architecture as arch
from nnbench.workload import quantities


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class AdviseTraining(Training):
    """A whole training is longer than one that is timed."""

    epochs: int = EPOCHS
    "Epochs of a whole training."


@Parameter(name="*", group="Effort of --verify")
@dataclass(frozen=True)
class VerifyEffort(Effort):
    """What --verify spends."""

    launches: int = 3
    "Fresh processes that --verify times in."
    blocks: int = 1
    "Times each case's turn comes in a launch."
    limit: float = 300.0
    "Seconds after which a trial is given up."


TRAINING = AdviseTraining()
EFFORT = VerifyEffort()


def advise(
    architecture: Annotated[
        str | None, Parameter(help="64x3: what would be as fast, as large, as costly.")
    ] = None,
    *,
    params: Annotated[int | None, Parameter(help="About so many parameters, or at most.")] = None,
    budget_per_epoch: Annotated[
        str | None, Parameter(help="The time an epoch may take, such as 1ms.")
    ] = None,
    rows: Rows = None,
    data: AskedData = ASKED,
    training: AdviseTraining = TRAINING,
    machine: Machine = Machine(),
    effort: VerifyEffort = EFFORT,
    verify: Annotated[
        bool, Parameter(help="Time the advised networks: predicted and measured.")
    ] = False,
    page: Annotated[bool, Parameter(help="Write the cost model's page with its charts.")] = False,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Which network to take, from the cost model of this machine, without training any.

    For a network: the widest as fast as it, depth against width at equal parameters, FLOPs and
    time, where width stops being free, what a calibrated GPU takes. For --params and
    --budget-per-epoch: the networks that meet them, or what to change.
    """
    from nnbench.costs import answers, saved, tables, verification
    from nnbench.costs import page as pages
    from nnbench.costs.setting import shape_of
    from nnbench.show.progress import Bar

    asked = arch.parse(architecture) if architecture else None
    budget_s = quantities.parse_seconds(budget_per_epoch) if budget_per_epoch else None
    if asked is None and params is None and budget_s is None and not page:
        raise UserError(
            "nothing is asked: name a network such as 64x3, or --params, or --budget-per-epoch"
        )
    tell_backend(machine, quiet=quiet)
    with waiting("fitting the cost model"):
        context = answers.context_of(results, machine, training, shape_of(data, rows))
        found = answers.answer(context, results, asked, params, budget_s)
    if verify and found.worth_timing:
        with Bar(0, "trials", quiet=quiet) as bar:
            checked = verification.verify(
                results,
                context,
                found.worth_timing,
                effort,
                lambda state: bar.show(state.done, state.now, state.total),
            )
        found = replace(found, verified=checked)
    if page:
        folder = saved.folder_of(results, context.setting)
        found = replace(found, page=pages.write(folder, context))
    if as_json:
        print_json(tables.answers_as_json(found))
        return
    for part in tables.answers_shown(found):
        if isinstance(part, Table):
            print_table(part)
        else:
            say(part)
