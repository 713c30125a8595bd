"""The `compiled` path: all epochs as one compiled program over Keras' own layers and optimizer.

It is the same training as `Model.fit`: the model's own `train_step`, with its loss, metrics,
optimizer, random layers and moving statistics, on the same batches. What `fit` does around the
epochs and steps is gone. More may change with it: on TensorFlow XLA compiles the program, and
`fit` only with `jit_compile=True`; on JAX narrow chains of Dense layers run in another memory
layout. `causes.py` says for a case which of these separate it from `fit`.

A training goes through stages, so that each can be timed by itself:

    prepared = compiled.prepare(model, x, y, batch_size=len(x))
    prepared.trace()          # Python to a graph
    prepared.compile()        # graph to machine code
    logs = prepared.run(1)    # the first step, if there is one batch
    logs = prepared.run(999)  # steady epochs; the state stays on the device
    prepared.sync()           # weights, optimizer state, metrics and seeds into the model
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnbench.training.compiled import refusals
from nnbench.training.compiled.data import LONGEST_RUN, Task, batches, split

Logs = dict[str, NDArray[Any]]


class Program(Protocol):
    """What each backend's file offers; made from a model and a `Task`."""

    def trace(self) -> None:
        """Python to a graph, once."""

    def compile(self) -> None:
        """Graph to machine code, once, after `trace`."""

    def run(self, first_epoch: int, epochs: int) -> Logs:
        """Train `LONGEST_RUN` epochs at most, from number `first_epoch`; logs are by epoch."""

    def sync(self) -> None:
        """Hand the trained state to the model's variables, from which the next `run` starts."""


class Prepared:
    """A training that is ready to be traced, compiled and run, in stages."""

    def __init__(self, model: Any, task: Task, program: Program) -> None:
        self.model = model
        self.task = task
        self.program = program
        self.epochs_done = 0
        self._traced = self._compiled = False

    def trace(self) -> None:
        """Python to a graph. Raises UserError, naming the layer, if the backend cannot."""
        if self._traced:
            return
        try:
            self.program.trace()
        except Exception as failure:
            raise refusals.untraceable(self.model, failure) from failure
        self._traced = True

    def compile(self) -> None:
        """Graph to machine code."""
        if not self._compiled:
            self.trace()
            self.program.compile()
            self._compiled = True

    def run(self, epochs: int) -> Logs:
        """Train until the device is done; `val_` logs are void after epochs without validation."""
        self.compile()
        parts = []
        done = 0
        while done < epochs:
            count = min(epochs - done, LONGEST_RUN)
            parts.append(self.program.run(self.epochs_done, count))
            done += count
            self.epochs_done += count
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def sync(self) -> None:
        """Weights, optimizer state, metrics and seeds into the Keras model."""
        self.program.sync()


def prepare(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: bool | str = True,
    seed: int | None = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    validation_batch_size: int | None = None,
    validation_freq: int | Sequence[int] = 1,
) -> Prepared:
    """Make a compiled Keras model and arrays ready to train; arguments as in `Model.fit`.

    `batch_size` None is Keras' 32. `seed` decides the order of the rows (None draws it from
    Python's `random`, which `keras.utils.set_random_seed` seeds). An order within a batch changes
    a sum's last digits only: `shuffle="batch"` and a full batch are not shuffled. Raises UserError
    for a model or data that the compiled path does not train.
    """
    import keras

    refusals.check_model(model)
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = split(x, y, sample_weight, validation_split)
    training = batches(x, y, sample_weight, batch_size=batch_size, class_weight=class_weight)
    validation = None
    if validation_data is not None:
        arrays = keras.utils.unpack_x_y_sample_weight(validation_data)
        validation = batches(*arrays, batch_size=validation_batch_size or batch_size)
    built_now = _build(model, training.data)
    if seed is None:
        seed = keras.random.SeedGenerator().state.numpy()[0].item()
    shuffle = bool(shuffle) and shuffle != "batch"
    task = Task(training, shuffle, seed, validation, validation_freq, built_now)
    backend: Any = importlib.import_module(f"{__name__}.{keras.backend.backend()}")
    return Prepared(model, task, backend.Program(model, task))


def _build(model: Any, data: Any) -> bool:
    """Create missing variables, as `fit` does; tell if any but the optimizer's were missing."""
    parts = [*model._flatten_layers(), model._compile_metrics, model._compile_loss]
    missing = not all(part is None or part.built for part in parts)
    try:
        model._symbolic_build(data_batch=data)
    except Exception as failure:
        raise refusals.untraceable(model, failure) from failure
    return missing
