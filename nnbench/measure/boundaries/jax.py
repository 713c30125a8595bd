"""Phase boundaries on JAX: jaxpr and StableHLO, then XLA, through JAX's ahead-of-time stages."""

import inspect
import itertools
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from nnbench.measure.boundaries import Marks, timed_ns
from nnbench.phases import COMPILE, FIRST_STEP, TRACE


def wait(result: Any) -> None:
    """Wait for the arrays in `result`, or for the weights of the model it is."""
    weights = getattr(result, "trainable_variables", None)
    jax.block_until_ready(result if weights is None else [weight.value for weight in weights])


def hook_first_step(model: Any, marks: Marks) -> None:
    """See the package docstring."""
    model.make_train_function()
    train = model.train_function
    step = inspect.getclosurevars(train).nonlocals["step_function"]

    def first_step(state: Any, iterator: Any) -> Any:
        marks.first_step_reached = perf_counter_ns()
        batch = next(iterator)
        if not model.jit_compile:
            marks.durations_ns[FIRST_STEP], result = timed_ns(lambda: step(state, batch), wait)
            model.train_function = train
            return result
        marks.durations_ns[TRACE], lowered = timed_ns(
            lambda: step.trace(state, batch).lower(), wait
        )
        marks.durations_ns[COMPILE], program = timed_ns(lowered.compile, wait)
        marks.durations_ns[FIRST_STEP], result = timed_ns(lambda: program(state, batch), wait)
        model.train_function = train
        return result

    model.train_function = first_step


def stepper(
    model: Any, features: NDArray[np.float32], labels: NDArray[np.float32]
) -> Callable[[int], None]:
    """See the package docstring.

    The state goes round outside the model, as in `fit`; its buffers are donated to the step, so
    the model's own weights are gone afterwards.
    """
    train = model.train_function
    batches = itertools.repeat((jax.device_put(features), jax.device_put(labels)))
    state = tuple(
        [variable.value for variable in group]
        for group in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
    )

    def take(steps: int) -> None:
        nonlocal state
        for _ in range(steps):
            _, state = train(state, batches)
        wait(state)

    return take
