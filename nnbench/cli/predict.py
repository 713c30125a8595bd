"""`nnbench predict`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.calibrate import ASKED, AskedData
from nnbench.cli.options import RESULTS, AsJson, Machine, Results, Training
from nnbench.cli.session import tell_backend
from nnbench.show import units
from nnbench.show.terminal import print_json, print_sentences, print_table, say
from nnbench.workload import architecture as arch

Rows = Annotated[int | None, Parameter(name="--rows", help="Rows of data; default: 1372.")]


def predict(
    first: Annotated[
        str, Parameter(name="ARCHITECTURE", help="6,6 or 64x8, or a grid; again for more.")
    ],
    *others: Annotated[str, Parameter(show=False)],
    rows: Rows = None,
    data: AskedData = ASKED,
    training: Training = Training(),
    machine: Machine = Machine(),
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """How long a network would train, by the cost model that `nnbench calibrate` made here."""
    from nnbench.costs import answers, tables, words
    from nnbench.costs.setting import shape_of

    networks = arch.parse_many([first, *others])
    tell_backend(machine)
    found = answers.predictions(results, machine, training, shape_of(data, rows), networks)
    if as_json:
        print_json([tables.predicted_as_json(one) for one in found])
        return
    for one in found:
        print_table(tables.prediction(one))
        print_sentences(words.prediction_sentences(one.prediction))
        ago = units.ago(one.calibrated)
        say(f"Calibrated {ago}; nnbench calibrate adds what the machine is like now.")
