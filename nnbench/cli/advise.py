"""`nnbench advise`."""

from dataclasses import dataclass, replace
from typing import Annotated

from nnbench.cli.calibrate import EPOCHS, ShapedData
from nnbench.cli.options import (
    WHOLE,
    Asked,
    Rows,
    check_calibrated,
    tell_backend,
    tell_data,
    within,
)
from nnbench.cli.session import measure, status
from nnbench.errors import UserError
from nnbench.show.terminal import answer, skipped, waiting
from nnbench.workload import quantities
from nnbench.workload.networks import dense_chains

Parameters = Annotated[int, WHOLE, within("number of parameters", 1, 10**12)]


@dataclass(frozen=True)
class AdviseAsked(Asked, epochs=EPOCHS, launches=3, blocks=1, limit=300.0):
    """What the advice is for, and what --verify spends."""

    data: ShapedData = ShapedData()


def advise(
    architecture: str | None = None,
    *,
    params: Parameters | None = None,
    budget_per_epoch: str | None = None,
    rows: Rows | None = None,
    asked: AdviseAsked = AdviseAsked(),
    verify: bool = False,
    page: bool = False,
) -> int:
    """Which network to take, from the cost model of this machine, without training any.

    For a network: the widest as fast as it, depth against width at equal parameters, FLOPs and
    time, where width stops being free, what a calibrated GPU takes. For --params and
    --budget-per-epoch: the networks that meet them, or what to change. The cost model is of chains
    of Dense layers on tables.

    Args:
        architecture: 64x3: what is as fast, as large?
        params: About so many parameters, or at most.
        budget_per_epoch: The time an epoch may take, such as 1ms.
        rows: Rows of data; default: 1372.
        verify: Time the advised networks, to compare.
        page: Write the cost model's page with its charts.
    """
    if not page and architecture is None and params is None and budget_per_epoch is None:
        raise UserError(
            "nothing is asked: name a network such as 64x3, or --params, or --budget-per-epoch"
        )
    network = None
    if architecture is not None:
        network, *others = dense_chains([architecture], "advise")
        if others:
            raise UserError(f"'{architecture}' is {1 + len(others)} networks: name one")
    budget_s = None if budget_per_epoch is None else quantities.parse_seconds(budget_per_epoch)
    output, results = asked.output, asked.output.results
    check_calibrated(results, asked.machine)
    from nnbench.costs.setting import shape_of

    shape = shape_of(asked.data, rows)
    from nnbench.costs import answers, saved, tables, verification
    from nnbench.workload import datasets

    question = answers.Question(network, params, budget_s)
    with waiting("fitting the cost model"):
        context, left_out = answers.context_of(results, asked.machine, asked.training, shape)
        found = answers.answer(context, results, question)
    tell_backend(asked.machine, quiet=output.quiet)
    tell_data(shape)
    skipped([*left_out, *found.skipped])
    failed = 0
    if verify and found.worth_timing:
        cases = [context.case(one) for one in found.worth_timing]
        data = datasets.load(cases[0].data)
        kept, trials = replace(output, results=results / verification.FOLDER), ("phases",)
        run = measure(asked.study(), kept, data, cases=cases, kinds=trials, sweeps=0)
        failed = status(run)
        found = replace(found, verified=verification.compared(context, run))
    if page:
        from nnbench.costs import page as pages

        written = pages.write(saved.folder_of(results, context.setting), context)
        found = replace(found, page=written)
    answer(tables.answers_as_json(found), tables.answers_shown(found), as_json=output.as_json)
    return failed
