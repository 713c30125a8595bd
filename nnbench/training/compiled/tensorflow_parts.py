"""TensorFlow: what every graph of a training is made of and called with."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnbench.training.compiled.data import LONGEST_RUN, Batches, Task

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
