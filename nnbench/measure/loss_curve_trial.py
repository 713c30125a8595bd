"""A trial of kind `curve`: one seeded training, with the loss and the clock of every epoch.

Where the case holds rows out, each epoch ends with a validation on them, which is timed with it.

The clock starts before the network is built. The compiled path runs several epochs between two
readings, so long that reading costs next to nothing, and lays those in between out evenly.
"""

import math
from collections.abc import Iterable
from time import perf_counter_ns
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import keras_import
from nnbench.measure import trial
from nnbench.training.compiled import Prepared, program_cache
from nnbench.workload import keras_model
from nnbench.workload.case import SPLIT_SEED, Case
from nnbench.workload.datasets.nest import TrainingData

KIND = "curve"

READING_S = 0.02
"""Compiled epochs run for at least this long between two readings of the clock."""


def measure(case: Case, seed: int, data: TrainingData) -> dict[str, Any]:
    """`losses` by epoch, None where not finite; `ended_s` by epoch, counted from nothing built.

    `logs` has all that Keras logs by epoch, where the case asks for more than the loss. Raises
    UserError for a person's model without what it asks for.
    """
    trained, held_out = _split(case, data)
    keras_import.set_random_seed(seed)
    by_path = _fit if case.path == "fit" else _compiled
    logs, ended_s = by_path(case, trained, held_out)
    found = {name: [_finite(one) for one in values] for name, values in logs.items()}
    losses = found.pop("loss", [None] * case.cold_epochs)
    asked = case.metric is not None or held_out is not None
    return {
        "samples_s": {},
        "seed": seed,
        "losses": losses,
        **({"logs": found} if asked else {}),
        "ended_s": ended_s,
        "outcome": "ok",
    }


def warm_up(case: Case, data: TrainingData) -> None:
    """Have JAX's compiled program on disk, where all seeds find it, the first one as well."""
    if case.path == "compiled" and case.backend == "jax":
        trained, held_out = _split(case, data)
        _ready(case, trained, held_out)


def _ready(case: Case, data: TrainingData, held_out: TrainingData | None) -> Prepared:
    with program_cache.on_disk(also_if_off=True):
        prepared = trial.prepared_for(case, keras_model.for_case(case), data, held_out)
        prepared.compile()
    return prepared


def _check_measured(case: Case, logs: Iterable[str]) -> None:
    """Raise UserError unless an epoch measures what is raced to."""
    wanted = case.metric or "loss"
    if wanted not in logs:
        raise UserError(
            f"{case.label} measures no {wanted}: it has {', '.join(logs)}; compile it with it"
        )


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


Logs = dict[str, Any]


def _split(case: Case, data: TrainingData) -> tuple[TrainingData, TrainingData | None]:
    """The rows that are trained on, and those that are held out, in the order they have."""
    if case.held_out is None:
        return data, None
    if data.is_stream:
        raise UserError(f"{case.data} makes its batches anew: no rows of it can be held out")
    drawn = np.random.Generator(np.random.PCG64(SPLIT_SEED)).permutation(data.rows)
    held, kept = np.split(drawn, [case.held_out_rows])
    return data.at(np.sort(kept)), data.at(np.sort(held))


def _fit(case: Case, data: TrainingData, held_out: TrainingData | None) -> tuple[Logs, list[float]]:
    import keras

    clock = trial.epoch_clock(case)
    # Told by the first epoch, not by the last.
    check = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: _check_measured(case, logs))
    began_ns = perf_counter_ns()
    model = keras_model.for_case(case)
    trial.train(case, model, data, [clock, check], held_out)
    return model.history.history, ((clock.ended_ns - began_ns) / 1e9).tolist()


def _compiled(
    case: Case, data: TrainingData, held_out: TrainingData | None
) -> tuple[Logs, list[float]]:
    began_ns = perf_counter_ns()
    prepared = _ready(case, data, held_out)
    logs: Logs = {}
    done, read_ns = [0], []
    read_ns.append(perf_counter_ns())
    together = 1
    while done[-1] < case.cold_epochs:
        together = min(together, case.cold_epochs - done[-1])
        ran = prepared.run(together)
        _check_measured(case, ran)
        for name, values in ran.items():
            logs.setdefault(name, []).extend(np.asarray(values, dtype=np.float64).tolist())
        done.append(done[-1] + together)
        read_ns.append(perf_counter_ns())
        epoch_s = max(1, read_ns[-1] - read_ns[-2]) / 1e9 / together
        # The first epoch spends what the first call of a program costs: it says too little.
        together = math.ceil(READING_S / epoch_s) if len(done) > 2 else 2
    epochs = np.arange(1, case.cold_epochs + 1)
    ended_ns = np.interp(epochs, done, np.array(read_ns) - began_ns)
    return logs, (ended_ns / 1e9).tolist()
