"""`nnbench show`."""

from nnbench.cli.options import Architectures, AsJson, Data, Training
from nnbench.show.terminal import print_json
from nnbench.training import tables
from nnbench.workload import networks
from nnbench.workload.study import NOTEBOOK


def show(
    *architectures: Architectures,
    data: Data = Data(),
    training: Training = Training(),
    as_json: AsJson = False,
) -> None:
    """Layers, parameters, FLOPs and bytes of architectures, by arithmetic alone."""
    loaded = data.load()
    wanted = training.training(loaded.task)
    named = networks.architectures(architectures or NOTEBOOK)
    shown = [tables.describe(one, wanted, loaded) for one in named]
    if as_json:
        print_json(shown)
        return
    for one in shown:
        tables.print_architecture(one)
