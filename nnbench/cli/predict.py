"""`nnbench predict`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.calibrate import ShapedData
from nnbench.cli.options import (
    Machine,
    Output,
    Rows,
    Training,
    check_calibrated,
    tell_backend,
    tell_data,
)
from nnbench.show.terminal import answer, skipped
from nnbench.workload.networks import dense_chains


def predict(
    *architecture: Annotated[str, Parameter(required=True)],
    rows: Rows | None = None,
    data: ShapedData = ShapedData(),
    training: Training = Training(),
    machine: Machine = Machine(),
    output: Output = Output(),
) -> None:
    """How long a network would train, by the cost model that `nnbench calibrate` made here.

    The model is of chains of Dense layers on tables: other networks are timed by `nnbench run`.

    Args:
        architecture: 6,6 or 64x8, or a grid; again for more.
        rows: Rows of data; default: 1372.
    """
    networks = dense_chains(architecture, "predict")
    check_calibrated(output.results, machine)
    from nnbench.costs.setting import shape_of

    shape = shape_of(data, rows)
    from nnbench.costs import answers, tables, words

    found = answers.predictions(output.results, machine, training, shape, networks)
    tell_backend(machine, quiet=output.quiet)
    tell_data(shape)
    skipped(dict.fromkeys(text for one in found for text in one.skipped))
    shown = []
    for one in found:
        sentences = [*words.prediction_sentences(one.prediction), words.age(one.calibrated)]
        shown += [tables.prediction(one), sentences]
    answer([tables.predicted_as_json(one) for one in found], shown, as_json=output.as_json)
