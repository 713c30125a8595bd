"""Phase boundaries on Torch: eager unless `jit_compile=True`."""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import torch

from nnbench.measure.boundaries import Marks, timed_ns, variables_of
from nnbench.phases import COMPILE, FIRST_STEP


def wait(result: Any) -> None:
    """Wait for the GPU's stream; CPU kernels have finished when the call returns."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def hook_first_step(model: Any, marks: Marks) -> None:
    """See `Boundaries`."""
    model.make_train_function()
    train = model.train_function

    def first_step(data: Any) -> Any:
        marks.first_step_reached = perf_counter_ns()
        if model.jit_compile:
            before = [variable.value.detach().clone() for variable in variables_of(model)]
            marks.durations_ns[COMPILE], _ = timed_ns(lambda: train(data), wait)
            for variable, value in zip(variables_of(model), before, strict=True):
                variable.assign(value)
        marks.durations_ns[FIRST_STEP], logs = timed_ns(lambda: train(data), wait)
        model.train_function = train
        return logs

    model.train_function = first_step


def stepper(model: Any, batch: Any) -> Callable[[int], None]:
    """See `Boundaries`."""
    import keras

    train = model.train_function
    batches = [keras.tree.map_structure(keras.ops.convert_to_tensor, batch)]

    def take(steps: int) -> None:
        for _ in range(steps):
            train(batches)
        wait(None)

    return take
