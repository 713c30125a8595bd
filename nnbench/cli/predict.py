"""`nnbench predict`."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli.calibrate import ShapedData
from nnbench.cli.options import (
    Machine,
    Models,
    Output,
    Rows,
    Training,
    check_calibrated,
    tell_backend,
    tell_data,
)
from nnbench.errors import UserError
from nnbench.show.terminal import answer, skipped, waiting
from nnbench.workload.architecture import Architecture
from nnbench.workload.study import Networks, Study

if TYPE_CHECKING:
    from nnbench.workload.case import Case
    from nnbench.workload.datasets import Dataset


def predict(
    *network: Annotated[str, Parameter(name="NETWORK")],
    model: Models = (),
    rows: Rows | None = None,
    data: ShapedData = ShapedData(),
    training: Training = Training(),
    machine: Machine = Machine(),
    output: Output = Output(),
) -> None:
    """How long a network would train, by the cost model that `nnbench calibrate` made here.

    Any network: it is built and its work counted, and nothing is trained.

    Args:
        network: 6,6 or 64x8, conv:32x4, train.py:build(depth=4), model.keras, or a grid.
        rows: Rows of data; default: those of the data, 1372 where none are named.
    """
    networks = Networks(network, model)
    if not (network or model):
        raise UserError("no network was named: try 6,6 conv:32x4 or --model train.py:build")
    networks.parsed()
    check_calibrated(output.results, machine)
    study = Study(networks, data, training, machine)
    with waiting("fitting the cost model"):
        cases, load = cases_of(study, rows)
        from nnbench.costs import answers, tables, words

        found = answers.predictions(output.results, cases, training.epoch_count, load)
    tell_backend(machine, quiet=output.quiet)
    skipped(dict.fromkeys(text for one in found for text in one.skipped))
    shown = []
    for one in found:
        shown += [words.predicted(one), tables.prediction(one)]
    answer([tables.predicted_as_json(one) for one in found], shown, as_json=output.as_json)


def cases_of(study: Study, rows: int | None) -> "tuple[list[Case], Callable[[], Dataset]]":
    """The cases that are asked for, and what loads their data.

    Of chains of Dense layers on a table its shape is enough, which may be one that is not there.
    """
    from nnbench.costs.setting import NoTableError, settings, shape_of

    parsed = study.networks.parsed()
    chains = [one for one in parsed if isinstance(one, Architecture) and one.family == "dense"]
    if chains == parsed:
        with contextlib.suppress(NoTableError):
            shape = shape_of(study.data, rows)
            tell_data(shape)
            every = settings(study.machine, study.training, shape)
            batch = study.training.batch_size
            cases = [one.case(chain, shape.rows, batch) for one in every for chain in chains]
            return cases, study.load
    data = study.load()
    tell_data(data)
    cases = study.cases(data)
    if rows is not None:
        cases = [replace(case, rows=rows) for case in cases]
    return cases, lambda: data
