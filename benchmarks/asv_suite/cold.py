"""What asv measures with its own clock and its own processes: starting, and one whole training."""

import math

from nnbench.machine import devices

from . import grid


class Start:
    """A fresh Python until something can be done."""

    version = "1"
    timeout = 120
    number, repeat, rounds, warmup_time = 1, 5, 1, 0

    def timeraw_import_nnbench(self):
        return "import nnbench"

    def timeraw_help(self):
        return "import sys; sys.argv = ['nnbench', '--help']; import nnbench.cli"


class StartBackend:
    version = "1"
    timeout = 120
    number, repeat, rounds, warmup_time = 1, 3, 1, 0
    params = grid.labels(grid.BACKENDS)
    param_names = ("backend",)

    def setup(self, backend):
        _skip_unless_there(backend)

    def timeraw_import_keras(self, backend):
        return f"from nnbench.machine import devices; devices.start({str(backend)!r})"


class Whole:
    """30 epochs from nothing, in asv's own process: the number a notebook's `%timeit` shows."""

    version = "1"
    timeout = 300
    number, repeat, rounds, warmup_time = 1, 3, 1, 0
    params = grid.labels(("6x2", "100x2"), grid.BACKENDS, grid.PATHS, grid.DEVICES)
    param_names = ("architecture", "backend", "path", "device")

    def setup(self, architecture, backend, path, device):
        _skip_unless_there(backend)
        devices.start(str(backend), str(device))
        self.train = _training(architecture, path)
        self.train(2)

    def time_training(self, architecture, backend, path, device):
        self.train(30)

    def peakmem_training(self, architecture, backend, path, device):
        self.train(30)


def _skip_unless_there(backend):
    if not devices.is_installed(backend):
        raise NotImplementedError(f"{backend} is not installed")


def _training(text, path):
    from nnbench.training.compiled.fast_fit import fast_fit
    from nnbench.training.fit import fit
    from nnbench.workload import architecture, datasets, keras_model
    from nnbench.workload.case import Training

    data = datasets.load("banknotes")

    def train(epochs):
        model = keras_model.build(architecture.parse(text), Training(), data.width)
        if path == "fit":
            loss = fit(model, data.features, data.labels, epochs=epochs)[-1]
        else:
            history = fast_fit(
                model,
                data.features,
                data.labels,
                batch_size=data.rows,
                epochs=epochs,
                verbose=0,
            )
            loss = history.history["loss"][-1]
        if not math.isfinite(loss):
            raise ArithmeticError(f"the loss became {loss}")

    return train
