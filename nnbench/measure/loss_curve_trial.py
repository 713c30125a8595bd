"""A trial of kind `curve`: one seeded training, with the loss and the clock of every epoch.

The clock starts before the network is built. The compiled path runs several epochs between two
readings, so long that reading costs next to nothing, and lays those in between out evenly.
"""

import math
from time import perf_counter_ns
from typing import Any

import numpy as np

from nnbench.machine import keras_import
from nnbench.measure import trial
from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.datasets.nest import TrainingData

KIND = "curve"

READING_S = 0.02
"""Compiled epochs run for at least this long between two readings of the clock."""


def measure(case: Case, seed: int, data: TrainingData) -> dict[str, Any]:
    """`losses` by epoch, None where not finite; `ended_s` by epoch, counted from nothing built."""
    keras_import.set_random_seed(seed)
    by_path = _fit if case.path == "fit" else _compiled
    losses, ended_s = by_path(case, data)
    return {
        "samples_s": {},
        "seed": seed,
        "losses": [loss if math.isfinite(loss) else None for loss in losses],
        "ended_s": ended_s,
        "outcome": "ok",
    }


def _fit(case: Case, data: TrainingData) -> tuple[list[float], list[float]]:
    clock = trial.epoch_clock(case)
    began_ns = perf_counter_ns()
    losses = trial.train(case, keras_model.for_case(case), data, [clock])
    return losses, ((clock.ended_ns - began_ns) / 1e9).tolist()


def _compiled(case: Case, data: TrainingData) -> tuple[list[float], list[float]]:
    began_ns = perf_counter_ns()
    prepared = trial.prepared_for(case, keras_model.for_case(case), data)
    losses: list[float] = []
    done, read_ns = [0], []
    prepared.compile()
    read_ns.append(perf_counter_ns())
    together = 1
    while done[-1] < case.cold_epochs:
        together = min(together, case.cold_epochs - done[-1])
        losses += np.asarray(prepared.run(together)["loss"], dtype=np.float64).tolist()
        done.append(done[-1] + together)
        read_ns.append(perf_counter_ns())
        epoch_s = max(1, read_ns[-1] - read_ns[-2]) / 1e9 / together
        # The first epoch spends what the first call of a program costs: it says too little.
        together = math.ceil(READING_S / epoch_s) if len(done) > 2 else 2
    epochs = np.arange(1, case.cold_epochs + 1)
    ended_ns = np.interp(epochs, done, np.array(read_ns) - began_ns)
    return losses, (ended_ns / 1e9).tolist()
