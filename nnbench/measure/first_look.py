"""A trial of kind `look`: what a case takes about, from a few of its steps, to plan by."""

from dataclasses import replace
from time import perf_counter_ns
from typing import Any

import numpy as np

from nnbench.measure import trial
from nnbench.measure.boundaries import timed_ns
from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.datasets.nest import TrainingData

KIND = "look"

BATCHES = 4
"""An epoch is told from one of so many batches at most: slow steps are looked at for seconds."""

FINE_S = 0.1
"""Where a first step takes longer, what stands around an epoch of one step is not in the way."""


def measure(case: Case, data: TrainingData) -> dict[str, Any]:
    """Seconds that are paid once, that a step takes in its epoch, and that an epoch takes."""
    look = _fit if case.path == "fit" else _compiled
    once_s, few_s, batches = look(case, data)
    return {
        "once_s": max(0.0, once_s - few_s),
        "step_s": few_s / batches,
        "epoch_s": few_s / batches * case.steps_per_epoch,
        "outcome": "ok",
    }


def _fit(case: Case, data: TrainingData) -> tuple[float, float, int]:
    """Seconds from nothing to the end of the first step, of an epoch of few batches, and these."""
    if data.is_stream:
        return _stream(case, data)
    began_ns = perf_counter_ns()
    model = keras_model.for_case(case)

    def ended_ns(batches: int, epochs: int) -> np.ndarray[Any, Any]:
        few = replace(case, cold_epochs=epochs)
        clock = trial.epoch_clock(few)
        trial.train(few, model, data.first(batches * case.batch_rows), [clock])
        return np.asarray(clock.ended_ns)

    first_ns = ended_ns(1, 2)
    once_s, few_s = (first_ns[0] - began_ns) / 1e9, float(np.diff(first_ns)[0]) / 1e9
    batches = min(BATCHES, case.steps_per_epoch)
    if few_s > FINE_S or batches == 1:
        return once_s, few_s, 1
    return once_s, float(np.diff(ended_ns(batches, 3)).min()) / 1e9, batches


def _stream(case: Case, data: TrainingData) -> tuple[float, float, int]:
    """The same of the first batches of a stream, with the time that these take."""
    import keras

    class Few(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            # The logs are numbers: the device has finished.
            ended_ns.append(perf_counter_ns())
            self.model.stop_training = len(ended_ns) > BATCHES

    ended_ns: list[int] = []
    began_ns = perf_counter_ns()
    # In two epochs there are two steps, even of a single batch.
    trial.train(replace(case, cold_epochs=2), keras_model.for_case(case), data, [Few()])
    once_s, few_s = (ended_ns[0] - began_ns) / 1e9, (ended_ns[-1] - ended_ns[0]) / 1e9
    return once_s, few_s, len(ended_ns) - 1


def _compiled(case: Case, data: TrainingData) -> tuple[float, float, int]:
    batches = min(BATCHES, case.steps_per_epoch)
    few = data.first(batches * case.batch_rows)
    began_ns = perf_counter_ns()
    model = keras_model.for_case(case)
    prepared = trial.prepared_for(case, model, few)
    prepared.run(1)
    once_s = (perf_counter_ns() - began_ns) / 1e9
    return once_s, timed_ns(lambda: prepared.run(1))[0] / 1e9, batches
