"""`nnbench predict`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.calibrate import AskedData
from nnbench.cli.options import RESULTS, AsJson, Machine, Results, Training
from nnbench.cli.session import tell_backend
from nnbench.costs import answers, tables, words
from nnbench.costs.setting import shape_of
from nnbench.show.terminal import print_json, print_sentences, print_table
from nnbench.workload import architecture as arch

Rows = Annotated[int | None, Parameter(name="--rows", help="Rows of data; default: 1372.")]


def predict(
    architecture: Annotated[str, Parameter(help="6,6 or 64x8, or a grid; again for more.")],
    *architectures: Annotated[str, Parameter(show=False)],
    rows: Rows = None,
    data: AskedData = AskedData(),
    training: Training = Training(),
    machine: Machine = Machine(),
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """How long a network would train, by the cost model that `nnbench calibrate` made here."""
    networks = arch.parse_many([architecture, *architectures])
    tell_backend(machine)
    found = answers.predictions(results, machine, training, shape_of(data, rows), networks)
    if as_json:
        print_json([tables.predicted_as_json(one) for one in found])
        return
    for one in found:
        print_table(tables.prediction(one))
        print_sentences([*words.prediction_sentences(one.prediction), words.age(one.calibrated)])
