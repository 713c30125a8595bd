"""TensorFlow: all epochs as one `tf.function` over Keras' own training step.

The step is `model.train_step(batch)`, as in `fit`, here in a loop within the graph. The number of
epochs is an argument: one graph serves all. The model's own variables hold the state throughout.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from nnbench.training.compiled.data import LONGEST_RUN, Batches, Task


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        self._model = model
        self._task = task
        self._program: Any = None
        self.take(task)

    def trace(self) -> None:
        """Python to a graph."""
        function = tf.function(
            self._epochs, jit_compile=_takes_xla(self._model, self._task), autograph=False
        )
        self._program = function.get_concrete_function(*self._arguments(0, 1))

    def compile(self) -> None:
        """Optimise, place and instantiate the graph, by running it for no epoch at all."""
        self._program(*self._arguments(0, 0))

    def run(self, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """See `compiled.Program`."""
        logs = self._program(*self._arguments(first_epoch, epochs))
        return {name: values.numpy()[:epochs] for name, values in logs.items()}

    def sync(self) -> None:
        """The model's variables hold the state already."""

    def distrust(self) -> None:
        """`fit` compiles its step once as well."""

    def take(self, task: Task | None) -> None:
        """See `compiled.Program`."""
        self._data = self._validation = None
        if task is not None:
            self._task = task
            self._data = _mapped(tf.convert_to_tensor, task.training.data)
            nothing = np.zeros(0, np.float32)
            validation = nothing if task.validation is None else task.validation.data
            self._validation = _mapped(tf.convert_to_tensor, validation)

    def _arguments(self, first_epoch: int, epochs: int) -> tuple[Any, ...]:
        validates = np.zeros(LONGEST_RUN, bool)
        validates[:epochs] = [self._task.validates(first_epoch + n) for n in range(epochs)]
        seed = tf.constant(self._task.seed, tf.int64)
        counts = tf.constant(first_epoch, tf.int32), tf.constant(epochs, tf.int32)
        return seed, *counts, tf.constant(validates), self._data, self._validation

    def _epochs(
        self, seed: Any, first_epoch: Any, epochs: Any, validates: Any, data: Any, validation: Any
    ) -> dict[str, Any]:
        traced = tf.function(self._epoch, autograph=False).get_concrete_function(
            seed, first_epoch, validates[0], data, validation
        )
        history = {
            name: tf.zeros([LONGEST_RUN, *logged.shape], logged.dtype)
            for name, logged in traced.structured_outputs.items()
        }

        def recorded(number: Any, history: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            logs = traced(seed, first_epoch + number, validates[number], data, validation)
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
        self, seed: Any, epoch: Any, validates: Any, data: Any, validation: Any
    ) -> dict[str, Any]:
        training = self._task.training
        order = None
        if self._task.shuffles:
            keys = tf.random.stateless_uniform(
                [training.rows], tf.stack([seed, tf.cast(epoch, tf.int64)])
            )
            order = tf.argsort(keys, stable=True)
        self._model.reset_metrics()
        logs = _flat(self._pass_over(self._model.train_step, training, data, order))
        batches = self._task.validation
        if batches is None:
            return logs

        def evaluate() -> dict[str, Any]:
            self._model.reset_metrics()
            found = _flat(self._pass_over(self._model.test_step, batches, validation, None))
            return {f"val_{name}": value for name, value in found.items()}

        if self._task.validates_always:
            return {**logs, **evaluate()}

        evaluated = tf.function(evaluate, autograph=False).get_concrete_function()

        def skip() -> dict[str, Any]:
            nothing = evaluated.structured_outputs
            return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in nothing.items()}

        return {**logs, **tf.cond(validates, evaluated, skip)}

    def _pass_over(
        self, step: Callable[[Any], Any], batches: Batches, data: Any, order: Any
    ) -> dict[str, Any]:
        """Take every batch in turn; the logs are those of the epoch, as `fit` finds them."""
        step = _traced_once(step, batches, data)

        def rows(begin: Any, count: int) -> Any:
            if order is None:
                return _mapped(
                    lambda a: tf.slice(
                        a,
                        tf.concat([[begin], tf.zeros(a.shape.rank - 1, tf.int32)], 0),
                        [count, *a.shape[1:]],
                    ),
                    data,
                )
            chosen = tf.slice(order, [begin], [count])
            return _mapped(lambda a: tf.gather(a, chosen), data)

        def one(number: Any) -> tuple[Any]:
            step(rows(number * batches.batch_size, batches.batch_size))
            return (number + 1,)

        before = batches.steps - 1
        if before:
            first = (tf.constant(0),)
            tf.while_loop(lambda number: number < before, one, first, parallel_iterations=1)
            last = rows(batches.rows_before_last, batches.rows - batches.rows_before_last)
        else:
            last = data
        return self._model._get_metrics_result_or_logs(step(last))  # type: ignore[no-any-return]


def _traced_once(step: Callable[[Any], Any], batches: Batches, data: Any) -> Callable[[Any], Any]:
    """The step as `fit` traces it: once, without a number of rows where the last batch has fewer.

    Keras averages the losses of several outputs otherwise if it does not know the number.
    """
    uneven = batches.rows % batches.batch_size
    size = None if uneven else batches.batch_size
    specs = _mapped(lambda a: tf.TensorSpec([size, *a.shape[1:]], a.dtype), data)
    traced: Callable[[Any], Any] = tf.function(step, autograph=False).get_concrete_function(specs)
    return traced


def _mapped(function: Callable[[Any], Any], data: Any) -> Any:
    return keras.tree.map_structure(function, data, none_is_leaf=False)


def _takes_xla(model: Any, task: Task) -> bool:
    """XLA where it is asked for, and not where it would draw other random numbers than `fit`."""
    draws = any(v.name == "seed_generator_state" for v in model.non_trainable_variables)
    fit_draws_so = bool(model.jit_compile)
    supported = all(layer.supports_jit for layer in model._flatten_layers())
    return task.jit and supported and (fit_draws_so or not draws)


def _flat(logs: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: tf.convert_to_tensor(value)}
    return flat
