"""`nnbench show`."""

from nnbench.cli.options import Architectures, AsJson, Data, Training, tell_data
from nnbench.show.terminal import print_json
from nnbench.workload.networks import architectures as parse
from nnbench.workload.study import NOTEBOOK


def show(
    *architectures: Architectures,
    data: Data = Data(),
    training: Training = Training(),
    as_json: AsJson = False,
) -> None:
    """Layers, parameters, FLOPs and bytes of architectures, by arithmetic alone."""
    networks = parse(architectures or NOTEBOOK)
    from nnbench.training import tables

    loaded = data.load()
    loaded.check_table(", ".join(architectures or NOTEBOOK))
    tell_data(loaded)
    wanted = training.training(loaded.task)
    shown = [tables.describe(one, wanted, loaded) for one in networks]
    if as_json:
        print_json(shown)
        return
    for one in shown:
        tables.print_architecture(one)
