"""What asv measures with its own clock and its own processes: starting, and one whole training."""

import functools
import importlib.util
import inspect
import math
from pathlib import Path

import numpy as np

import nnbench

from . import grid

BANKNOTES = Path(__file__).parents[2] / "data" / "bank_note.csv"

START = """
try:
    from nnbench.machine import devices
except ImportError:
    from nnbench import devices
devices.start(*{arguments!r})
"""
"""How nnbench starts a backend. It is timed here, so it has to be found where it was, too."""


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
        return START.format(arguments=(str(backend),))


class Whole:
    """30 epochs from nothing, in asv's own process: the number a notebook's `%timeit` shows."""

    version = "1"
    timeout = 300
    number, repeat, rounds, warmup_time = 1, 3, 1, 0
    params = grid.labels(("6x2", "100x2"), grid.BACKENDS, grid.PATHS, grid.DEVICES)
    param_names = ("architecture", "backend", "path", "device")

    def setup(self, architecture, backend, path, device):
        _skip_unless_there(backend)
        exec(START.format(arguments=(str(backend), str(device))), {})
        rows = np.loadtxt(BANKNOTES, np.float32, delimiter=",", skiprows=1)
        self.features, self.labels = np.ascontiguousarray(rows[:, :-1]), rows[:, -1:].copy()
        self.train(architecture, path, 2)

    def time_training(self, architecture, backend, path, device):
        self.train(architecture, path, 30)

    def peakmem_training(self, architecture, backend, path, device):
        self.train(architecture, path, 30)

    def train(self, architecture, path, epochs):
        model = _network(architecture, self.features.shape[1])
        # Packages from before the argument chose the compiler by themselves.
        known = "jit_compile" in inspect.signature(nnbench.fast_fit).parameters
        jit = {"jit_compile": "auto"} if known else {}
        compiled = functools.partial(nnbench.fast_fit, model, **jit)
        fit = model.fit if path == "fit" else compiled
        history = fit(
            self.features, self.labels, batch_size=len(self.features), epochs=epochs, verbose=0
        )
        loss = history.history["loss"][-1]
        if not math.isfinite(loss):
            raise ArithmeticError(f"the loss became {loss}")


def _skip_unless_there(backend):
    if not all(importlib.util.find_spec(name) for name in (backend, "keras")):
        raise NotImplementedError(f"{backend} is not installed")


def _network(architecture, features):
    # Imports Keras: not before the backend is started.
    import keras

    width, depth = map(int, architecture.split("x"))
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(depth)]
    model = keras.Sequential(
        [keras.Input((features,)), *hidden, keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model
