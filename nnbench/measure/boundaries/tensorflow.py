"""Phase boundaries on TensorFlow: one `tf.function`, traced and then instantiated."""

import inspect
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from nnbench.measure.boundaries import Marks, timed_ns, variables_of
from nnbench.phases import COMPILE, FIRST_STEP, TRACE


def wait(result: Any) -> None:
    """Wait for all GPUs; TensorFlow's CPU kernels have finished when the call returns."""
    if tf.config.list_logical_devices("GPU"):
        tf.test.experimental.sync_devices()


def hook_first_step(model: Any, marks: Marks) -> None:
    """See the package docstring."""
    model.make_train_function()
    train = model.train_function
    graph_function = inspect.getclosurevars(train).nonlocals["multi_step_on_iterator"]

    def first_step(iterator: Any) -> Any:
        marks.first_step_reached = perf_counter_ns()
        marks.durations_ns[TRACE], _ = timed_ns(
            lambda: graph_function.get_concrete_function(iterator), wait
        )
        before = [variable.numpy() for variable in variables_of(model)]
        if model.jit_compile:
            zeros = iter(_dataset_of_zeros(iterator.element_spec, marks.batch_rows))
            marks.durations_ns[COMPILE], _ = timed_ns(lambda: train(zeros), wait)
        else:
            exhausted = iter(_empty_dataset(iterator.element_spec))
            marks.durations_ns[COMPILE], _ = timed_ns(
                lambda: _expect_end_of_data(graph_function, exhausted), wait
            )
        for variable, value in zip(variables_of(model), before, strict=True):
            variable.assign(value)
        marks.durations_ns[FIRST_STEP], logs = timed_ns(lambda: train(iterator), wait)
        model.train_function = train
        return logs

    model.train_function = first_step


def _empty_dataset(element_spec: Any) -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(lambda: iter(()), output_signature=element_spec)


def _expect_end_of_data(graph_function: Any, exhausted: Any) -> None:
    try:
        graph_function(exhausted)
    except tf.errors.OutOfRangeError:
        return
    raise RuntimeError("the step ran although there were no data: compile cannot be bounded")


def _dataset_of_zeros(element_spec: Any, rows: int) -> tf.data.Dataset:
    """One batch of `rows` rows, of the very type that the graph was traced for.

    XLA compiles for the shape it meets, and `fit`'s iterator may leave the rows open.
    """
    batch = tf.nest.map_structure(
        lambda spec: tf.zeros([rows, *spec.shape[1:]], spec.dtype), element_spec
    )
    return tf.data.Dataset.from_generator(lambda: iter([batch]), output_signature=element_spec)


def _repeat(batch: Any) -> Any:
    return iter(tf.data.Dataset.from_tensors(batch).repeat())


def stepper(
    model: Any, features: NDArray[np.float32], labels: NDArray[np.float32]
) -> Callable[[int], None]:
    """See the package docstring; the batch comes from an endless in-memory iterator."""
    train = model.train_function
    iterator = _repeat((tf.constant(features), tf.constant(labels)))

    def take(steps: int) -> None:
        for _ in range(steps):
            train(iterator)
        wait(None)

    return take
