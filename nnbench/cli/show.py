"""`nnbench show`."""

from nnbench.cli.options import Architectures, AsJson, Data, Machine, Training, tell_data
from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.show.terminal import print_json
from nnbench.workload import user_code
from nnbench.workload.study import NOTEBOOK, Networks, Study


def show(
    *architectures: Architectures,
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    as_json: AsJson = False,
) -> None:
    """Layers, parameters, FLOPs and bytes of networks, a line for each layer, training none."""
    study = Study(Networks(architectures or NOTEBOOK), data, training, machine)
    study.networks.parsed()
    from nnbench.training import tables

    loaded = study.load()
    # A network is the same on each backend, device and path: the first will do.
    found = {case.label: case for case in reversed(study.cases(loaded))}
    cases = list(reversed(found.values()))
    tell_data(loaded)
    if not all(case.is_dense_chain for case in cases):
        devices.mute_native_code()
        devices.start(machine.backends[0], "cpu")
    shown, failed = [], []
    for case in cases:
        try:
            if case.architecture is None:
                told = tables.describe(case, tables.counted_own(case, loaded))
            else:
                counted = tables.counted(case.architecture, case.training, loaded)
                told = tables.describe(case, counted, case.training)
        except UserError as failure:
            failed.append(failure)
            continue
        shown.append(told)
        if not as_json:
            tables.print_network(told)
    if as_json and shown:
        print_json(shown)
    if failed:
        places = [line for one in failed for line in user_code.told(one)[1:]]
        raise UserError("; ".join(map(str, failed)), *places)
