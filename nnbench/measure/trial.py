"""One trial: one case measured once, inside a worker process.

A trial of kind `cold` times a whole training, from nothing to the last epoch, with nothing
hooked. A trial of kind `phases` trains again and bounds each phase inside `fit`. A trial of kind
`step` takes one sample of the steady step of a network that stays trained in the worker. What
each phase means is said in `nnbench.phases`.
"""

import contextlib
import gc
import math
from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench import network
from nnbench.case import Case
from nnbench.measure import boundaries
from nnbench.measure.boundaries import Marks
from nnbench.phases import BUILD, COLD, EPOCH, PREPARE, STEP
from nnbench.training.fit import fit

KINDS = ("cold", "phases")
STEP_KIND = "step"

SAMPLE_S = 0.01
"""A step sample lasts at least this long: 10^5 times the clock's resolution of some 100 ns."""

WARM_EPOCHS = 5
"""Epochs that a network trains before its steps are timed."""

Array = NDArray[np.float32]


def measure(case: Case, kind: str, features: Array, labels: Array) -> tuple[dict[str, Any], Any]:
    """Run one trial of kind `cold` or `phases`; return its record and the trained network.

    `features` is (rows, columns), `labels` (rows, 1). The record holds `samples_s`, a list of
    seconds for each phase, the `loss` at the end, whether Keras resolved `jit_compile` to true,
    and `outcome`: `ok`, or `diverged` when the loss is not finite.
    """
    run = {"cold": _cold, "phases": _phases}[kind]
    with _no_garbage_collection():
        samples_s, losses, model = run(case, features, labels)
    record: dict[str, Any] = {
        "samples_s": samples_s,
        "loss": losses[-1],
        "jit_compiled": bool(model.jit_compile),
    }
    record["outcome"] = "ok" if math.isfinite(record["loss"]) else "diverged"
    if record["outcome"] == "diverged":
        record["message"] = f"the loss became {record['loss']}"
        record["loss"] = None
    return record, model


def warm_up(case: Case, features: Array, labels: Array) -> None:
    """Spend what the first training of a process costs: libraries, thread pools, allocators."""
    fit(_build(case), features, labels, epochs=2, batch_size=case.training.batch_size)


def warm_up_case(case: Case) -> None:
    """Spend what the first network of its shapes costs: JAX compiles an initialiser a shape."""
    _build(case)


def _build(case: Case) -> Any:
    return network.build(case.architecture, case.training, case.features)


Trained = tuple[dict[str, list[float]], list[float], Any]


def _cold(case: Case, features: Array, labels: Array) -> Trained:
    wait = boundaries.of(case.backend).wait
    training = case.training

    begin_ns = perf_counter_ns()
    model = _build(case)
    losses = fit(
        model,
        features,
        labels,
        epochs=case.cold_epochs,
        batch_size=training.batch_size,
        shuffle=training.shuffle,
    )
    wait(model)
    duration_ns = perf_counter_ns() - begin_ns
    return {COLD: [duration_ns / 1e9]}, losses, model


def _phases(case: Case, features: Array, labels: Array) -> Trained:
    bounds = boundaries.of(case.backend)
    training = case.training
    build_ns, model = boundaries.timed_ns(lambda: _build(case), bounds.wait)
    marks = Marks()
    bounds.hook_first_step(model, marks)
    clock = _epoch_clock(case.cold_epochs, bounds.wait)
    marks.fit_called = perf_counter_ns()
    losses = fit(
        model,
        features,
        labels,
        epochs=case.cold_epochs,
        batch_size=training.batch_size,
        shuffle=training.shuffle,
        callbacks=[clock],
    )
    samples_s = {
        BUILD: [build_ns / 1e9],
        PREPARE: [(marks.first_step_reached - marks.fit_called) / 1e9],
        **{phase: [duration_ns / 1e9] for phase, duration_ns in marks.durations_ns.items()},
        EPOCH: (np.diff(clock.ended_ns) / 1e9).tolist(),
    }
    return samples_s, losses, model


def _epoch_clock(epochs: int, wait: Callable[[Any], None]) -> Any:
    """A Keras callback that reads the clock into memory laid out beforehand."""
    import keras

    class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ended_ns = np.zeros(epochs, dtype=np.int64)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            wait(self.model)
            self.ended_ns[epoch] = perf_counter_ns()

    return EpochClock()


class StepTimer:
    """A trained network whose steps are timed, one sample at a time.

    A sample averages so many steps that it lasts at least `SAMPLE_S`. Two steps go before it
    untimed, since others have used the caches in the meantime.
    """

    def __init__(self, case: Case, features: Array, labels: Array, model: Any = None) -> None:
        """Find out how many steps of `model` make a sample; without one, train one first."""
        if model is None:
            model = _build(case)
            batch_size = case.training.batch_size
            fit(model, features, labels, epochs=WARM_EPOCHS, batch_size=batch_size)
        batch = slice(case.batch_rows)
        stepper = boundaries.of(case.backend).stepper
        self._take = stepper(model, features[batch], labels[batch])
        self._take(2)
        self.steps = 1
        while (duration_ns := self._clocked_ns()) < SAMPLE_S * 1e9:
            needed = math.ceil(1.1 * self.steps * SAMPLE_S * 1e9 / max(duration_ns, 1))
            self.steps = max(self.steps + 1, needed)
        # The network stays for the life of the worker: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    def _clocked_ns(self) -> int:
        begin_ns = perf_counter_ns()
        self._take(self.steps)
        return perf_counter_ns() - begin_ns

    def measure(self) -> dict[str, Any]:
        """One sample of `step`, as a trial's record."""
        gc.disable()
        try:
            self._take(2)
            sample_s = self._clocked_ns() / self.steps / 1e9
        finally:
            gc.enable()
        return {
            "samples_s": {STEP: [sample_s]},
            "steps_per_sample": self.steps,
            "outcome": "ok",
        }


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
