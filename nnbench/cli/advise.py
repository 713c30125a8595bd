"""`nnbench advise`."""

from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.calibrate import EPOCHS, AskedData
from nnbench.cli.options import RESULTS, AsJson, Effort, Machine, Quiet, Results, Training
from nnbench.cli.predict import Rows
from nnbench.cli.session import execute, run_folder, tell_backend
from nnbench.costs import answers, saved, tables, verification
from nnbench.costs import page as pages
from nnbench.costs.answers import Question
from nnbench.costs.setting import shape_of
from nnbench.show.table import Table
from nnbench.show.terminal import print_json, print_table, say, waiting


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class WholeTraining(Training):
    """A whole training is longer than one that is timed."""

    epochs: int = EPOCHS


@Parameter(name="*", group="Effort")
@dataclass(frozen=True)
class VerifyEffort(Effort):
    """What --verify spends."""

    launches: int = 3
    blocks: int = 1
    limit: float = 300.0


def advise(
    architecture: Annotated[str | None, Parameter(help="64x3: what is as fast, as large?")] = None,
    *,
    params: Annotated[int | None, Parameter(help="About so many parameters, or at most.")] = None,
    budget_per_epoch: Annotated[str | None, Parameter(help="Time of an epoch: 1ms.")] = None,
    rows: Rows = None,
    data: AskedData = AskedData(),
    training: WholeTraining = WholeTraining(),
    machine: Machine = Machine(),
    effort: VerifyEffort = VerifyEffort(),
    verify: Annotated[bool, Parameter(help="Time the advised networks, to compare.")] = False,
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
    question = Question.read(architecture, params, budget_per_epoch, may_be_empty=page)
    tell_backend(machine, quiet=quiet)
    with waiting("fitting the cost model"):
        context = answers.context_of(results, machine, training, shape_of(data, rows))
        found = answers.answer(context, results, question)
    if verify and found.worth_timing:
        wanted, loaded = verification.plan(context, found.worth_timing, effort)
        run = execute(run_folder(results / verification.FOLDER, None, wanted), loaded, quiet=quiet)
        found = replace(found, verified=verification.compared(context, run))
    if page:
        written = pages.write(saved.folder_of(results, context.setting), context)
        found = replace(found, page=written)
    if as_json:
        print_json(tables.answers_as_json(found))
        return
    for part in tables.answers_shown(found):
        print_table(part) if isinstance(part, Table) else say(part)
