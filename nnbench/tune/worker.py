"""What answers in a worker process of tune (see `measure.serve`): settings that stay trained.

Every request has its `kind` and the number of `rows` that are timed:

- `look`: what the present setting takes about (see `measure.first_look`);
- `ready`: build, compile and train a setting; answers what is paid once and an epoch's time;
- `time`: a turn of a setting that is ready: some epochs in the steady state;
- `peak`: what a training holds at its highest, in a process that has trained nothing yet;
- `train`: one from a seed, as `drift.worker` trains it.

What cannot be had or trained is an outcome, `failed`, whoever's code it is: another setting may
do. On a GPU an error may outlive its cause: there the process ends.
"""

import gc
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from nnbench.drift import policies, trajectory
from nnbench.drift import worker as drift_worker
from nnbench.errors import UserError
from nnbench.measure import first_look, memory, serve, trial
from nnbench.store.runs import FAILED
from nnbench.training.compiled.data import LONGEST_RUN
from nnbench.tune.saved import OK, READY_EPOCHS, SAME
from nnbench.workload import keras_model, own_model, user_code
from nnbench.workload.case import Case
from nnbench.workload.datasets.nest import TrainingData

TURN_S = 0.1
"""A turn's epochs last so long together, but for one at least."""

MOST_EPOCHS = 50

PEAK_EPOCHS = 3

Answer = dict[str, Any]


def open_room(started: serve.Started) -> serve.Room:
    """Look at, prepare, time or train a setting for each request."""
    restore = policies.remember_generators()
    _use_once()
    ready: dict[str, Callable[[], Answer]] = {}

    def answer(request: dict[str, Any]) -> Answer:
        case, kind = Case.from_json(request["case"]), request["kind"]
        try:
            if kind == "time":
                return ready[case.key]()
            data = _first(started.data_of(case), request["rows"])
            if kind == "look":
                return first_look.measure(case, data)
            if kind == "peak":
                return _peak(case, data)
            if kind == "train":
                restore()
                return _trained(case, data, request)
            told, ready[case.key] = _made_ready(case, data)
            return told
        except UserError as mistake:
            return _failed(mistake)
        except Exception as failure:
            if case.device != "cpu":
                raise
            return _failed(failure)

    return {}, answer


def _first(data: TrainingData, rows: int) -> TrainingData:
    return data if data.is_stream or rows >= data.rows else data.first(rows)


def _failed(failure: Exception) -> Answer:
    return {"outcome": FAILED, "message": "\n".join(user_code.told(failure))}


def _use_once() -> None:
    """Spend what the first training of a process costs: libraries, thread pools, allocators."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    rows = np.zeros((4, 2), np.float32)
    model.fit(rows, rows[:, :1], epochs=2, verbose=0)


def _made_ready(case: Case, data: TrainingData) -> tuple[Answer, Callable[[], Answer]]:
    """What came of preparing a setting, and what times a turn of it."""
    if _is_another(case):
        return {"outcome": SAME}, dict
    trial.warm_up_case(case, data)
    began_ns = perf_counter_ns()
    model = keras_model.for_case(case)
    if case.path == "fit":
        ended_ns = _fit(case, model, data, READY_EPOCHS)
        first_s = (int(ended_ns[0]) - began_ns) / 1e9
        epoch_s = float(np.diff(ended_ns).min()) / 1e9
        turn = partial(_fit_turn, case, model, data, epoch_s)
    else:
        prepared = trial.prepared_for(case, model, data)
        prepared.run(1)
        first_s = (perf_counter_ns() - began_ns) / 1e9
        epoch_s = min(_clocked_s(prepared, 1) for _ in range(READY_EPOCHS - 1))
        turn = partial(_compiled_turn, prepared, epoch_s)
    told = {
        "outcome": OK,
        "once_s": max(0.0, first_s - epoch_s),
        "jit_compiled": bool(model.jit_compile),
    }
    # It stays for the life of the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return told, turn


def _is_another(case: Case) -> bool:
    """Whether what it asks for is so anyhow: it would be timed twice."""
    jit, training = case.training.jit, case.training
    if jit != "auto":
        usual = keras_model.for_case(replace(case, training=replace(training, jit="auto")))
        if bool(usual.jit_compile) == (jit == "on"):
            return True
    if case.model is None or training.precision == keras_model.USUAL:
        return False
    usual = keras_model.for_case(
        replace(case, training=replace(training, precision=keras_model.USUAL))
    )
    return own_model.policies(usual) == own_model.policies(keras_model.for_case(case))


def _fit(case: Case, model: Any, data: TrainingData, epochs: int) -> Any:
    """When each epoch ended, in ns."""
    some = replace(case, cold_epochs=epochs)
    clock = trial.epoch_clock(some)
    trial.train(some, model, data, [clock])
    return clock.ended_ns


def _turn_epochs(epoch_s: float, most: int) -> int:
    return max(1, min(most, math.ceil(TURN_S / max(epoch_s, 1e-9))))


def _fit_turn(case: Case, model: Any, data: TrainingData, epoch_s: float) -> Answer:
    """The first epoch is not counted: `fit` begins with it, and others have used the caches."""
    epochs = _turn_epochs(epoch_s, MOST_EPOCHS)
    gc.disable()
    try:
        ended_ns = _fit(case, model, data, epochs + 1)
    finally:
        gc.enable()
    return {"outcome": OK, "epoch_s": float(np.median(np.diff(ended_ns))) / 1e9, "epochs": epochs}


def _compiled_turn(prepared: Any, epoch_s: float) -> Answer:
    epochs = _turn_epochs(epoch_s, LONGEST_RUN)
    gc.disable()
    try:
        prepared.run(1)
        taken_s = _clocked_s(prepared, epochs)
    finally:
        gc.enable()
    return {"outcome": OK, "epoch_s": taken_s / epochs, "epochs": epochs}


def _clocked_s(prepared: Any, epochs: int) -> float:
    began_ns = perf_counter_ns()
    prepared.run(epochs)
    return (perf_counter_ns() - began_ns) / 1e9


def _trained(case: Case, data: TrainingData, request: dict[str, Any]) -> Answer:
    folder, given = Path(request["folder"]), request["given"]
    found = drift_worker.train(
        case,
        data,
        code=request["code"],
        seed=request["seed"],
        given=trajectory.read(folder / given) if given else None,
    )
    return {"outcome": OK, "file": trajectory.keep(found, folder)}


def _peak(case: Case, data: TrainingData) -> Answer:
    memory.begin(case.backend, case.device)
    model = keras_model.for_case(case)
    if case.path == "fit":
        trial.train(replace(case, cold_epochs=PEAK_EPOCHS), model, data)
    else:
        prepared = trial.prepared_for(case, model, data)
        prepared.run(PEAK_EPOCHS)
        prepared.sync()
    return {"outcome": OK, **memory.peaks(case.backend, case.device)}
