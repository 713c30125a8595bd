"""One trial: one case measured once, inside a worker process; `nnbench.phases` defines phases.

Kind `cold` times a whole training, from nothing to the last epoch, with nothing hooked; `phases`
trains again and bounds each phase inside `fit`; `step` takes a few samples of the steady step of
a network that stays trained in the worker, `sum` of the sum of its gradients over several devices.
"""

import contextlib
import gc
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter_ns
from typing import Any

import numpy as np

from nnbench.errors import first_line
from nnbench.measure import boundaries, memory, pieces
from nnbench.measure.boundaries import Marks, timed_ns
from nnbench.phases import BUILD, COLD, COMPILE, DATA, EPOCH, FIRST_STEP, PREPARE, STEP, SUM, TRACE
from nnbench.training import compiled
from nnbench.training.compiled import data as compiled_data
from nnbench.training.compiled.fast_fit import train_prepared
from nnbench.training.fit import fit
from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.counts import built
from nnbench.workload.datasets.nest import TrainingData

KINDS = ("cold", "phases")
STEP_KIND, SUM_KIND = STEP, SUM
SWEPT = (STEP_KIND, SUM_KIND)
"""Kinds of which a block has several trials, in turn with those of other cases."""

SAMPLE_S = 0.01
"""A step sample lasts at least this long: 10^5 times the clock's resolution of some 100 ns."""

SAMPLES_IN_A_TURN = 3
"""Step samples that a case takes before the next case's turn: a few tens of milliseconds."""

FINE_SAMPLE_S, FINE_SAMPLES = 0.001, 4
"""Of a turn where two sides take turns at steps alone: it is over in some ten milliseconds.

What else a busy machine does changes within tenths of a second: short turns of two sides fall into
the same spell, and a sample of a single step fits between what interrupts it. All sides have
equally many, as the least of more is less. `benchmarks/calibration` has what turns vary by.
"""

EPOCH_SAMPLES = 10
"""Samples of compiled epochs in a trial; those of `fit` come from its callbacks."""

WARM_EPOCHS = 5

SLOW_S = 0.05
"""Steps (or compiled epochs) beyond this are slow: fewer of them say as much."""

EPOCHS_S = 2.0
"""Samples of compiled epochs together, but for two at least."""

WARM_STEPS = 8
"""Of slow networks a process is warmed up on so many batches; Dense chains take whole epochs."""


def turn(unit_s: float) -> tuple[int, int]:
    """Untimed and timed takes of a case's turn, by what a step or compiled epoch takes.

    What others left in the caches is a few milliseconds of the first one.
    """
    if unit_s <= SLOW_S:
        return 2, SAMPLES_IN_A_TURN
    return (1 if unit_s <= 1 else 0), 1


def epoch_samples(epoch_s: float) -> int:
    """How many samples of compiled epochs a trial takes, by what one of them takes."""
    return max(2, min(EPOCH_SAMPLES, int(EPOCHS_S / epoch_s)))


def measure(case: Case, kind: str, data: TrainingData) -> tuple[dict[str, Any], Any]:
    """Run one trial of kind `cold` or `phases`; return its record and the trained network.

    The record holds `samples_s`, a list of
    seconds for each phase, on the `fit` path `first_epoch_s` from the call of `fit` to the end
    of its first epoch, the `loss` at the end (None where the model logs none), whether Keras
    resolved `jit_compile` to true, the trainable `parameters`, peak bytes (see `memory.peaks`),
    those held before, and `outcome`: `ok`, or `diverged` when the loss is not finite.
    """
    run = {
        ("cold", "fit"): _cold,
        ("phases", "fit"): _phases,
        ("cold", "compiled"): _cold_compiled,
        ("phases", "compiled"): _phases_compiled,
    }[kind, case.path]
    memory.begin(case.backend, case.device)
    held_before = memory.peaks(case.backend, case.device)["peak_host_bytes"]
    with _no_garbage_collection():
        samples_s, losses, model = run(case, data)
    first_epoch_s = samples_s.pop("first_epoch", None)
    record: dict[str, Any] = {
        "samples_s": samples_s,
        **({"first_epoch_s": first_epoch_s[0]} if first_epoch_s else {}),
        "loss": losses[-1] if losses else None,
        "jit_compiled": bool(model.jit_compile),
        "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
        **memory.peaks(case.backend, case.device),
        "host_bytes_before": held_before,
    }
    if kind == "phases" and case.step_cost is None:
        record |= _counted(case, model, data)
    if not losses or math.isfinite(losses[-1]):
        return record | {"outcome": "ok"}, model
    message = f"the loss became {losses[-1]}"
    return record | {"outcome": "diverged", "message": message, "loss": None}, model


def batch_of(case: Case, data: TrainingData) -> Any:
    """The first batch just as `fit` hands it to a step: `x`, `(x, y)` or `(x, y, weights)`."""
    if data.is_stream:
        from keras.src.trainers import data_adapters

        return next(iter(data_adapters.get_data_adapter(data.x).get_numpy_iterator()))
    first = data.first(case.batch_rows)
    return compiled_data.batches(first.x, first.y, first.sample_weight, case.batch_rows).data


def inputs_of(batch: Any) -> Any:
    """What of a batch goes into the network."""
    import keras

    return keras.utils.unpack_x_y_sample_weight(batch)[0]


def _counted(case: Case, model: Any, data: TrainingData) -> dict[str, Any]:
    """FLOPs of a step, and what of the network no rule counts; nothing where it cannot be asked."""
    try:
        found = built.count(model, inputs_of(batch_of(case, data)))
    except Exception as failure:  # noqa: BLE001
        # A person's model may raise anything when it is called without values: its timing holds.
        return {"not_counted": [f"{case.label}: {first_line(failure)}"]}
    counted = {"step_flops": found.flops, "not_counted": found.uncounted}
    return {**counted, "count": found.to_json()}


def warm_up(case: Case, data: TrainingData) -> None:
    """Spend what the first training of a process costs: libraries, thread pools, allocators."""
    if case.training.batch_size and not case.is_dense_chain and not data.is_stream:
        data = data.first(WARM_STEPS * case.training.batch_size)
    model = keras_model.for_case(case)
    if case.path == "fit":
        train(replace(case, cold_epochs=2), model, data)
    else:
        prepared_for(case, model, data).run(2)


def warm_up_case(case: Case, data: TrainingData) -> None:
    """Spend what the first network of its shapes costs: JAX compiles an initialiser a shape.

    It also keeps what it has traced of each function on arrays: without this, the network that a
    process was warmed up with would take a third less to trace than all others.
    """
    model = keras_model.for_case(case)
    # So it does for the optimizer's variables, which otherwise are made in `fit`, as they are for a
    # model that makes its weights there.
    if model.built and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    if case.backend == "jax":
        _trace(case, model, data)


def _trace(case: Case, model: Any, data: TrainingData) -> None:
    if case.path == "compiled":
        prepared_for(case, model, data).trace()
    elif model.jit_compile:
        from nnbench.measure.boundaries import jax

        # Of arrays a full batch, and the last one.
        rows = case.batch_rows + case.last_batch_rows
        few = data if data.is_stream else data.first(rows)
        jax.trace_alone(model, lambda: train(case, model, few))


def train(
    case: Case,
    model: Any,
    data: TrainingData,
    callbacks: Sequence[Any] = (),
    held_out: TrainingData | None = None,
) -> list[float]:
    """Train by `fit` for the case's epochs; return the loss of each, if the model logs one."""
    return fit(
        model,
        data.x,
        data.y,
        sample_weight=data.sample_weight,
        epochs=case.cold_epochs,
        batch_size=case.training.batch_size,
        shuffle=case.training.shuffle,
        callbacks=callbacks,
        validation_data=held_out and held_out.arguments,
        source=case.training.source,
    )


Trained = tuple[dict[str, list[float]], list[float], Any]


def _cold(case: Case, data: TrainingData) -> Trained:
    wait = boundaries.of(case.backend).wait
    begin_ns = perf_counter_ns()
    model = keras_model.for_case(case)
    losses = train(case, model, data)
    wait(model)
    return {COLD: [(perf_counter_ns() - begin_ns) / 1e9]}, losses, model


def _phases(case: Case, data: TrainingData) -> Trained:
    bounds = boundaries.of(case.backend)
    build_ns, model = timed_ns(lambda: keras_model.for_case(case), bounds.wait)
    marks = Marks(case.batch_rows, case.steps_per_epoch)
    bounds.hook_first_step(model, marks)
    clock = epoch_clock(case)
    marks.fit_called = perf_counter_ns()
    losses = train(case, model, data, [clock])
    samples_s = {
        BUILD: [build_ns / 1e9],
        PREPARE: [(marks.first_step_reached - marks.fit_called) / 1e9],
        **{phase: [duration_ns / 1e9] for phase, duration_ns in marks.durations_ns.items()},
        EPOCH: (np.diff(clock.ended_ns) / 1e9).tolist(),
        "first_epoch": [(int(clock.ended_ns[0]) - marks.fit_called) / 1e9],
    }
    if data.is_stream:
        samples_s[DATA] = [_waited_ns(case, model, data) / 1e9]
    return samples_s, losses, model


def _waited_ns(case: Case, model: Any, data: TrainingData) -> int:
    """How long `fit` waits for the batches of an epoch, the second of two that are watched."""
    import keras

    clock = boundaries.DataClock()
    begins = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: clock.waited_ns.append(0)
    )
    with boundaries.of(case.backend).timed_data(model, clock):
        train(replace(case, cold_epochs=2), model, data, [begins])
    return clock.waited_ns[-1]


def _cold_compiled(case: Case, data: TrainingData) -> Trained:
    begin_ns = perf_counter_ns()
    model = keras_model.for_case(case)
    # As `fast_fit`, but that the program is that of a long training, whose phases are measured.
    prepared = prepared_for(case, model, data)
    prepared.compile()
    history = train_prepared(prepared, epochs=case.cold_epochs)
    duration_ns = perf_counter_ns() - begin_ns
    return {COLD: [duration_ns / 1e9]}, history.history.get("loss", []), model


def _phases_compiled(case: Case, data: TrainingData) -> Trained:
    wait = boundaries.of(case.backend).wait
    build_ns, model = timed_ns(lambda: keras_model.for_case(case), wait)
    prepare_ns, prepared = timed_ns(lambda: prepared_for(case, model, data))
    trace_ns, _ = timed_ns(prepared.trace)
    compile_ns, _ = timed_ns(prepared.compile)
    first_ns, _ = timed_ns(lambda: prepared.run(1))
    epochs, sample_ns = _repetitions(lambda count: timed_ns(lambda: prepared.run(count))[0])
    epoch_ns = np.zeros(epoch_samples(sample_ns / 1e9))
    for position in range(len(epoch_ns)):
        epoch_ns[position], logs = timed_ns(lambda: prepared.run(epochs))
    prepared.sync()
    samples_s = {
        BUILD: [build_ns / 1e9],
        PREPARE: [prepare_ns / 1e9],
        TRACE: [trace_ns / 1e9],
        COMPILE: [compile_ns / 1e9],
        EPOCH: (epoch_ns / epochs / 1e9).tolist(),
    }
    if case.steps_per_epoch == 1:
        samples_s[FIRST_STEP] = [first_ns / 1e9]
    return samples_s, [float(loss) for loss in logs.get("loss", ())[-1:]], model


def prepared_for(
    case: Case, model: Any, data: TrainingData, held_out: TrainingData | None = None
) -> compiled.Prepared:
    """The case's training on the compiled path, ready to be traced, compiled and run."""
    return compiled.prepare(
        model,
        data.x,
        data.y,
        sample_weight=data.sample_weight,
        batch_size=case.batch_rows,
        shuffle=case.training.shuffle,
        jit_compile=keras_model.jit_compile(case),
        validation_data=held_out and held_out.arguments,
    )


def _repetitions(duration_ns: Callable[[int], int], sample_s: float = SAMPLE_S) -> tuple[int, int]:
    """How many steps or epochs make a sample, and the nanoseconds that it takes."""
    count = 1
    while (taken_ns := duration_ns(count)) < sample_s * 1e9:
        count = max(count + 1, math.ceil(1.1 * count * sample_s * 1e9 / max(taken_ns, 1)))
    return count, taken_ns


def epoch_clock(case: Case) -> Any:
    """A Keras callback that reads the clock into memory laid out beforehand."""
    import keras

    wait = boundaries.of(case.backend).wait

    class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ended_ns = np.zeros(case.cold_epochs, dtype=np.int64)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            wait(self.model)
            self.ended_ns[epoch] = perf_counter_ns()

    return EpochClock()


def _taker(case: Case, data: TrainingData, model: Any) -> tuple[Callable[[int], Any], int]:
    """A function that makes so many calls or, on the compiled path, trains epochs; steps in one."""
    if case.path == "compiled":
        prepared = prepared_for(case, model or _network(case, data), data)
        return prepared.run, case.steps_per_epoch
    if model is None:
        model = _network(case, data)
        train(replace(case, cold_epochs=WARM_EPOCHS), model, data)
    take = boundaries.of(case.backend).stepper(model, batch_of(case, data))
    return take, int(model.steps_per_execution)


def _summer(case: Case, data: TrainingData) -> tuple[Callable[[int], Any], int]:
    """A function that sums the case's gradients over its devices so many times."""
    model = keras_model.for_case(case)
    keras_model.make_weights(model, inputs_of(batch_of(case, data)))
    gradients = [(tuple(one.shape), str(one.dtype)) for one in model.trainable_variables]
    return boundaries.of(case.backend).summer(gradients), 1


def _network(case: Case, data: TrainingData) -> Any:
    return pieces.model(case, batch_of(case, data)) if case.piece else keras_model.for_case(case)


class StepTimer:
    """Times a trained network's steps by turns, some untimed first: others have used the caches.

    Of the kind `sum` it times the sums of its gradients in place of steps.
    """

    def __init__(
        self,
        case: Case,
        data: TrainingData,
        model: Any = None,
        kind: str = STEP_KIND,
        *,
        fine: bool = False,
    ) -> None:
        """Find out how many steps of `model` make a sample; without one, train one first.

        `fine` is for shorter samples and turns, see `FINE_SAMPLE_S`.
        """
        summed = kind == SUM_KIND
        self._take, self._unit = _summer(case, data) if summed else _taker(case, data, model)
        self._kind = kind
        self._take(1)
        unit_s = self._clocked_ns(1) / 1e9
        if unit_s <= 1:
            # What one of the first steps pays once is no sign of slow ones.
            unit_s = min(unit_s, self._clocked_ns(1) / 1e9)
        self._untimed, self._samples = turn(unit_s)
        self._steps = 1
        if unit_s <= SLOW_S:
            self._take(WARM_EPOCHS if case.path == "compiled" else 1)
            self._steps, _ = _repetitions(self._clocked_ns, FINE_SAMPLE_S if fine else SAMPLE_S)
            if fine:
                self._samples = FINE_SAMPLES
        # The network stays for the life of the worker: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    def _clocked_ns(self, steps: int) -> int:
        begin_ns = perf_counter_ns()
        self._take(steps)
        return perf_counter_ns() - begin_ns

    def measure(self) -> dict[str, Any]:
        """The samples of one turn, as a trial's record."""
        durations_ns = [0] * self._samples
        gc.disable()
        try:
            if self._untimed:
                self._take(self._untimed)
            for position in range(self._samples):
                durations_ns[position] = self._clocked_ns(self._steps)
        finally:
            gc.enable()
        steps = self._steps * self._unit
        return {
            "samples_s": {self._kind: [one_ns / steps / 1e9 for one_ns in durations_ns]},
            "steps_per_sample": steps,
            "outcome": "ok",
        }


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    # What has survived is not looked at again: the networks of a sweep add up to 0.1 s a trial.
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
