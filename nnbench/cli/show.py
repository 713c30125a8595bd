"""`nnbench show`."""

from nnbench.cli.options import Architectures, AsJson, Data, Machine, Training, tell_data
from nnbench.machine import devices
from nnbench.show.terminal import print_json
from nnbench.workload.networks import architectures as parse
from nnbench.workload.study import NOTEBOOK, Networks, Study


def show(
    *architectures: Architectures,
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    as_json: AsJson = False,
) -> None:
    """Layers, parameters, FLOPs and bytes of networks, a line for each layer, training none."""
    networks = parse(architectures or NOTEBOOK)
    from nnbench.training import tables

    loaded = Study(Networks(architectures or NOTEBOOK), data).load()
    for one in networks:
        loaded.check_takes(one)
    tell_data(loaded)
    wanted = training.training(loaded.task, loaded.kind)
    if any(one.family != "dense" for one in networks):
        devices.mute_native_code()
        devices.start(machine.backends[0], "cpu")
    shown = [
        tables.describe(one.label, tables.counted(one, wanted, loaded), wanted) for one in networks
    ]
    if as_json:
        print_json(shown)
        return
    for network in shown:
        tables.print_network(network)
