"""TensorFlow: the graph of all epochs, with XLA for all of it, for each step or for nothing."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from nnbench.training.compiled.data import Batches
from nnbench.training.compiled.tensorflow_parts import Data, Passes, longest, mapped

NOTHING, STEP, ALL = "nothing", "each step", "all epochs"
"""What XLA compiles of a graph."""


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


def _nothing(logs: Any) -> Any:
    return tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), logs)


def _flat(logs: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: tf.convert_to_tensor(value)}
    return flat
