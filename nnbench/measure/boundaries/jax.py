"""Phase boundaries on JAX: jaxpr and StableHLO, then XLA, through JAX's ahead-of-time stages."""

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter_ns
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from nnbench.measure.boundaries import DataClock, Marks, timed_ns
from nnbench.phases import COMPILE, FIRST_STEP, TRACE
from nnbench.training.compiled.data import state_variables


def wait(result: Any) -> None:
    """Wait for the arrays in `result`, or for the weights of the model it is."""
    weights = getattr(result, "trainable_variables", None)
    jax.block_until_ready(result if weights is None else [weight.value for weight in weights])


class _TracedError(Exception):
    """Ends a `fit` before its first step."""


def trace_alone(model: Any, fit: Callable[[], Any]) -> None:
    """Trace the step that `fit` is about to take, on its first two batches, and take none."""
    make = model.make_train_function

    def make_train_function() -> None:
        del model.make_train_function
        make()
        step = inspect.getclosurevars(model.train_function).nonlocals["step_function"]

        def traced(state: Any, iterator: Any) -> Any:
            for batch in itertools.islice(iterator, 2):
                step.trace(state, batch)
            raise _TracedError

        model.train_function = traced

    model.make_train_function = make_train_function
    with suppress(_TracedError):
        fit()


def hook_first_step(model: Any, marks: Marks) -> None:
    """See `Boundaries`."""
    make = model.make_train_function
    train: Any = None
    step: Any = None

    def make_train_function() -> None:
        # Called by `fit` once the optimizer is there, whose variables are shared out, too.
        nonlocal train, step
        del model.make_train_function
        make()
        train = model.train_function
        step = inspect.getclosurevars(train).nonlocals["step_function"]
        model.train_function = first_step

    def first_step(state: Any, iterator: Any) -> Any:
        result = first_of_all(state, next(iterator))
        model.train_function = train
        for batch in itertools.islice(iterator, model.steps_per_execution - 1):
            result = step(result[1], batch)
        return result

    def first_of_all(state: Any, batch: Any) -> Any:
        marks.first_step_reached = perf_counter_ns()
        if not model.jit_compile:
            marks.durations_ns[FIRST_STEP], result = timed_ns(lambda: step(state, batch), wait)
            return result
        marks.durations_ns[TRACE], lowered = timed_ns(
            lambda: step.trace(state, batch).lower(), wait
        )
        marks.durations_ns[COMPILE], program = timed_ns(lowered.compile, wait)
        marks.durations_ns[FIRST_STEP], result = timed_ns(lambda: program(state, batch), wait)
        return result

    model.make_train_function = make_train_function


def stepper(model: Any, batch: Any) -> Callable[[int], None]:
    """See `Boundaries`; the step takes the model's buffers, so its weights are gone afterwards."""
    train = model.train_function
    batches = itertools.repeat(_placed(batch))
    state = tuple([variable.value for variable in group] for group in state_variables(model))

    def take(steps: int) -> None:
        nonlocal state
        for _ in range(steps):
            _, state = train(state, batches)
        wait(state)

    return take


def _placed(batch: Any) -> Any:
    """The batch on the device, or shared out as `fit` does between several."""
    from keras.distribution import distribution

    if distribution() is None:
        return jax.device_put(batch)
    from keras.src.backend.jax.trainer import _distribute_data

    return _distribute_data(batch)


def summer(gradients: Sequence[tuple[tuple[int, ...], str]]) -> Callable[[int], None]:
    """See `Boundaries`; of all arrays XLA makes one all-reduce, as it does within a step."""
    from keras.distribution import distribution

    mesh = distribution().device_mesh.backend_mesh
    apart = NamedSharding(mesh, PartitionSpec(distribution().batch_dim_name))
    alike = NamedSharding(mesh, PartitionSpec())
    held = [jnp.zeros((mesh.size, *shape), kind, device=apart) for shape, kind in gradients]

    @jax.jit  # type: ignore[untyped-decorator]
    def sums(held: Any, count: Any) -> Any:
        def once(_: Any, last: Any) -> Any:
            # The compiler must not see that all sums are the same, nor what of them is looked at.
            mine, last = lax.optimization_barrier((held, last))
            made = [lax.with_sharding_constraint(one.sum(axis=0), alike) for one in mine]
            made, last = lax.optimization_barrier((made, last))
            return last + sum(one.ravel()[0].astype(last.dtype) for one in made)

        return lax.fori_loop(0, count, once, jnp.float32(0))

    # In one program: of several at once, each may wait for threads that another has.
    return lambda count: wait(sums(held, count))


@contextmanager
def timed_data(model: Any, clock: DataClock) -> Iterator[None]:
    """See `Boundaries`."""
    train = model.train_function
    count = model.steps_per_execution
    model.train_function = lambda state, batches: train(state, clock.batches(batches, count))
    try:
        yield
    finally:
        model.train_function = train
