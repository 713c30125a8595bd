"""Phase boundaries on TensorFlow: one `tf.function`, traced and then instantiated."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

import tensorflow as tf

from nnbench.measure.boundaries import DataClock, Marks, timed_ns, variables_of
from nnbench.phases import COMPILE, FIRST_STEP, TRACE


def wait(result: Any) -> None:
    """Wait for all GPUs; TensorFlow's CPU kernels have finished when the call returns."""
    if tf.config.list_logical_devices("GPU"):
        tf.test.experimental.sync_devices()


def hook_first_step(model: Any, marks: Marks) -> None:
    """See `Boundaries`."""
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
            zeros = _iterator([_zeros(iterator.element_spec, marks.batch_rows)], iterator)
            marks.durations_ns[COMPILE], _ = timed_ns(lambda: train(zeros), wait)
        else:
            exhausted = _iterator([], iterator)
            marks.durations_ns[COMPILE], _ = timed_ns(
                lambda: _expect_end_of_data(graph_function, exhausted), wait
            )
        for variable, value in zip(variables_of(model), before, strict=True):
            variable.assign(value)
        taken_ns, logs = timed_ns(lambda: train(iterator), wait)
        marks.durations_ns[FIRST_STEP] = taken_ns // marks.steps(model)
        model.train_function = train
        return logs

    model.train_function = first_step


def _iterator(batches: list[Any], like: Any) -> Any:
    """An iterator over some batches, of the very type that the graph was traced for."""
    whole = tf.nest.map_structure(_whole, like.element_spec)
    made = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=whole)
    return iter(_shared_out(made))


def _whole(spec: Any) -> Any:
    """What a batch is like of which each device takes a share."""
    shares = getattr(spec, "_value_specs", None)
    if shares is None:
        return spec
    rows = [share.shape[0] for share in shares]
    together = None if None in rows else sum(rows)
    return tf.TensorSpec([together, *shares[0].shape[1:]], shares[0].dtype)


def _shared_out(batches: Any) -> Any:
    """Batches as `fit` hands them to several devices, a share of each to every one."""
    strategy = tf.distribute.get_strategy()
    several = strategy.num_replicas_in_sync > 1
    return strategy.experimental_distribute_dataset(batches) if several else batches


def _expect_end_of_data(graph_function: Any, exhausted: Any) -> None:
    try:
        logs = graph_function(exhausted)
    except tf.errors.OutOfRangeError:
        return
    # A graph of several steps looks for a batch before each, and returns nothing without one.
    if not logs.has_value():
        return
    raise RuntimeError("the step ran although there were no data: compile cannot be bounded")


def _zeros(element_spec: Any, rows: int) -> Any:
    """A batch: XLA compiles for the shape it meets, and `fit`'s iterator may leave rows open."""
    return tf.nest.map_structure(
        lambda spec: tf.zeros([rows, *spec.shape[1:]], spec.dtype), element_spec
    )


def stepper(model: Any, batch: Any) -> Callable[[int], None]:
    """See `Boundaries`; the batch comes from an endless in-memory iterator."""
    import keras

    train = model.train_function
    # Lists become tuples: of a list of arrays this would make one array.
    constants = keras.tree.map_structure(tf.constant, keras.tree.lists_to_tuples(batch))
    iterator = iter(_shared_out(tf.data.Dataset.from_tensors(constants).repeat()))

    def take(steps: int) -> None:
        for _ in range(steps):
            train(iterator)
        wait(None)

    return take


def summer(gradients: Sequence[tuple[tuple[int, ...], str]]) -> Callable[[int], None]:
    """See `Boundaries`; all-reduced as Keras' optimizers do it."""
    strategy = tf.distribute.get_strategy()
    held = strategy.experimental_distribute_values_from_function(
        lambda _: [tf.zeros(shape, kind) for shape, kind in gradients]
    )

    def once(mine: Any) -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, mine)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def sums(held: Any, count: Any) -> Any:
        def next_one(number: Any, mine: Any) -> tuple[Any, Any]:
            return number + 1, strategy.run(once, (mine,))

        first = tf.constant(0), held
        return tf.while_loop(
            lambda number, _: number < count, next_one, first, parallel_iterations=1
        )

    def take(count: int) -> None:
        wait(sums(held, tf.constant(count)))

    return take


@contextmanager
def timed_data(model: Any, clock: DataClock) -> Iterator[None]:
    """See `Boundaries`."""
    train = model.train_function
    # Its graph takes batches itself from iterators of its own alone.
    count = model.steps_per_execution
    model.train_function = lambda iterator: train(clock.batches(iterator, count))
    try:
        yield
    finally:
        model.train_function = train
