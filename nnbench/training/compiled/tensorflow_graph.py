"""TensorFlow: the graph of all epochs, with XLA for all of it, for each step or for nothing."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from nnbench.training.compiled.data import LONGEST_RUN, Batches, Task

NOTHING, STEP, ALL = "nothing", "each step", "all epochs"
"""What XLA compiles of a graph."""

ORDERED = 2**17
"""Rows, all epochs of a run together, whose order the device holds."""


class Passes:
    """The model's steps, traced once each whatever the graphs that they are part of."""

    def __init__(self, model: Any, task: Task) -> None:
        self.model = model
        self.train = traced_once(model.train_step, task.training)
        self.test = task.validation and traced_once(model.test_step, task.validation)

    @property
    def nodes(self) -> list[Any]:
        """Every operation of a training step, in whatever function of it."""
        definition = self.train.graph.as_graph_def()
        functions = definition.library.function
        return [*definition.node, *(node for one in functions for node in one.node_def)]


class Data:
    """A task's arrays on the device, and the order of rows for each epoch."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.training = mapped(tf.convert_to_tensor, task.training.data)
        nothing = np.zeros(0, np.float32)
        self.validation = mapped(
            tf.convert_to_tensor, nothing if task.validation is None else task.validation.data
        )

    def arguments(self, first_epoch: int, epochs: int, steps: int | None = None) -> list[Any]:
        """What a graph is called with, to take so many steps of each epoch, or all."""
        most = longest(self.task)
        validates = np.zeros(most, bool)
        validates[:epochs] = [self.task.validates(first_epoch + n) for n in range(epochs)]
        rows = self.task.training.rows
        orders = np.zeros((most, rows if self.task.shuffles else 0), np.int32)
        for number in range(epochs if self.task.shuffles else 0):
            # Without sorting: a tenth of what the device takes, and the same for every graph.
            random = np.random.default_rng([self.task.seed % 2**64, first_epoch + number])
            orders[number] = random.permutation(rows)
        counts = tf.constant(epochs), tf.constant(tf.int32.max if steps is None else steps)
        return [
            *counts,
            tf.constant(orders),
            tf.constant(validates),
            self.training,
            self.validation,
        ]


class Graph:
    """All epochs as one program; their number is an argument, so one serves all."""

    def __init__(self, passes: Passes, data: Data, xla: str, *, full_only: bool = False) -> None:
        """`full_only`: of steps, XLA takes those of training on full batches, for one program."""
        self._xla, self._full_only = xla, full_only
        self._passes, self._task = passes, data.task.without_data()
        function = tf.function(self._epochs, jit_compile=xla == ALL or None, autograph=False)
        self._program = function.get_concrete_function(*data.arguments(0, 0))

    def compile(self, data: Data) -> None:
        """Optimise, place and instantiate: what XLA makes of a step it makes when it is taken."""
        if self._xla == STEP:
            with self.unchanged():
                self.take(data.arguments(0, 1, 1))
        else:
            self.take(data.arguments(0, 0))

    def run(self, data: Data, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """Train; the logs are by epoch."""
        parts, most = [], longest(self._task)
        for first in range(first_epoch, first_epoch + epochs, most):
            count = min(most, first_epoch + epochs - first)
            logs = self._program(*data.arguments(first, count))
            parts.append({name: values.numpy()[:count] for name, values in logs.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def take(self, arguments: list[Any]) -> None:
        """Train as `Data.arguments` says, and leave the logs."""
        self._program(*arguments)

    def unchanged(self) -> "Unchanged":
        """A context after which all that the graph may change is as before."""
        return Unchanged(self._program.variables)

    def _epochs(
        self, epochs: Any, steps: Any, orders: Any, validates: Any, data: Any, validation: Any
    ) -> dict[str, Any]:
        order = tf.TensorSpec(orders.shape[1:], tf.int32)
        traced = tf.function(self._epoch, autograph=False).get_concrete_function(
            steps, order, validates[0], data, validation
        )
        history = {
            name: tf.zeros([longest(self._task), *logged.shape], logged.dtype)
            for name, logged in traced.structured_outputs.items()
        }

        def recorded(number: Any, history: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            logs = traced(steps, orders[number], validates[number], data, validation)
            history = {
                name: tf.tensor_scatter_nd_update(history[name], [[number]], value[tf.newaxis])
                for name, value in logs.items()
            }
            return number + 1, history

        _, history = tf.while_loop(
            lambda number, _: number < epochs,
            recorded,
            (tf.constant(0), history),
            parallel_iterations=1,
        )
        return history  # type: ignore[no-any-return]

    def _epoch(
        self, steps: Any, order: Any, validates: Any, data: Any, validation: Any
    ) -> dict[str, Any]:
        task, passes = self._task, self._passes
        passes.model.reset_metrics()
        order = order if task.shuffles else None
        logs = _flat(self._pass_over(passes.train, task.training, data, order, steps))
        batches = task.validation
        if batches is None:
            return logs

        def evaluate() -> dict[str, Any]:
            passes.model.reset_metrics()
            found = _flat(self._pass_over(passes.test, batches, validation, None, steps))
            return {f"val_{name}": value for name, value in found.items()}

        if task.validates_always:
            return {**logs, **evaluate()}

        evaluated = tf.function(evaluate, autograph=False).get_concrete_function()

        def skip() -> dict[str, Any]:
            nothing = evaluated.structured_outputs
            return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in nothing.items()}

        return {**logs, **tf.cond(validates, evaluated, skip)}

    def _pass_over(
        self, step: Any, batches: Batches, data: Any, order: Any, steps: Any
    ) -> dict[str, Any]:
        """Take every batch in turn; the logs are those of the epoch, as `fit` finds them."""
        traced = step
        if self._xla == STEP and not (self._full_only and traced is not self._passes.train):
            # A function of its own: XLA takes it for each size of batch as it meets them.
            step = tf.function(lambda batch: traced(batch), jit_compile=True, autograph=False)

        def rows(begin: Any, count: int) -> Any:
            if order is not None:
                chosen = tf.slice(order, [begin], [count])
                return mapped(lambda a: tf.gather(a, chosen), data)
            return mapped(
                lambda a: tf.slice(
                    a,
                    tf.concat([[begin], tf.zeros(a.shape.rank - 1, tf.int32)], 0),
                    [count, *a.shape[1:]],
                ),
                data,
            )

        def batch(number: Any) -> Any:
            return rows(number * batches.batch_size, batches.batch_size)

        model = self._passes.model
        if batches.steps == 1:
            return model._get_metrics_result_or_logs(step(data))  # type: ignore[no-any-return]
        uneven = batches.rows % batches.batch_size
        alike = tf.minimum(batches.steps - 1 if uneven else batches.steps, steps)
        first = tf.constant(0)
        if uneven:
            tf.while_loop(
                lambda number: number < alike,
                lambda number: (step(batch(number)), number + 1)[1:],
                (first,),
                parallel_iterations=1,
            )
            # A last batch of another size is in the program by itself.
            last = rows(batches.rows_before_last, uneven)
            logs = traced(last) if self._xla == STEP and self._full_only else step(last)
        else:
            _, logs = tf.while_loop(
                lambda number, _: number < alike,
                lambda number, _: (number + 1, step(batch(number))),
                (first, _nothing(traced.structured_outputs)),
                parallel_iterations=1,
            )
        return model._get_metrics_result_or_logs(logs)  # type: ignore[no-any-return]


class Unchanged:
    """Puts variables back, those of metrics, of the optimizer and of random numbers among them."""

    def __init__(self, variables: Any) -> None:
        self._variables = list(variables)

    def __enter__(self) -> None:
        self._values = [variable.numpy() for variable in self._variables]

    def __exit__(self, *_: Any) -> None:
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)


def longest(task: Task) -> int:
    """Epochs that a program runs at a time."""
    if not task.shuffles:
        return LONGEST_RUN
    return max(1, min(LONGEST_RUN, ORDERED // task.training.rows))


def mapped(function: Callable[[Any], Any], data: Any) -> Any:
    """The function's value for each array, in their structure."""
    return keras.tree.map_structure(function, data, none_is_leaf=False)


def traced_once(step: Callable[[Any], Any], batches: Batches) -> Any:
    """The step as `fit` traces it: once, without a number of rows where the last batch has fewer.

    Keras averages the losses of several outputs otherwise if it does not know the number.
    """
    size = None if batches.rows % batches.batch_size else batches.batch_size
    specs = mapped(lambda a: tf.TensorSpec([size, *a.shape[1:]], a.dtype), batches.data)
    return tf.function(step, autograph=False).get_concrete_function(specs)


def _nothing(logs: Any) -> Any:
    return tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), logs)


def _flat(logs: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: tf.convert_to_tensor(value)}
    return flat
