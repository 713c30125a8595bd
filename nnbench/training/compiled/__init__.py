"""The `compiled` path: all epochs as one compiled program over Keras' own layers and optimizer.

It is the same training as `Model.fit`: the model's own `train_step`, with its loss, metrics,
optimizer, random layers and moving statistics, on the same batches. What `fit` does around the
epochs and steps is gone. More may change with it: on TensorFlow XLA may compile the program, and
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
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.training.compiled import kept, python_state, refusals
from nnbench.training.compiled.data import LONGEST_RUN, Task, batches, split

Logs = dict[str, NDArray[Any]]

SIMPLE = ("SGD", "Adam", "AdamW", "RMSprop")
"""Optimizers of Keras' own that assign nothing while they make their variables."""


class Program(Protocol):
    """What each backend's file offers; made from a model and a `Task`."""

    form: str
    """How it trains and why so, in a few words; known once it is compiled."""

    def trace(self) -> None:
        """Python to a graph, once."""

    def compile(self) -> None:
        """Graph to machine code, once, after `trace`."""

    def run(self, first_epoch: int, epochs: int) -> Logs:
        """Train `LONGEST_RUN` epochs at most, from number `first_epoch`; logs are by epoch."""

    def sync(self) -> None:
        """Hand the trained state to the model's variables, from which the next `run` starts."""

    def distrust(self) -> None:
        """Python may have changed what a step depends on."""

    def take(self, task: Task | None) -> None:
        """Train on another task of the same shapes from now on; None lets go of the data."""


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
        before = python_state.held(self.model)
        try:
            self.program.trace()
        except UserError:
            raise
        except Exception as failure:
            raise refusals.untraceable(self.model, failure) from failure
        self._traced = True
        self._held = before, python_state.held(self.model)

    def compile(self) -> None:
        """Graph to machine code. Raises UserError if the backend cannot."""
        if self._compiled:
            return
        self.trace()
        try:
            self.program.compile()
        except Exception as failure:
            raise refusals.uncompilable(self.model, failure) from failure
        self._compiled = True

    def run(self, epochs: int) -> Logs:
        """Train until the device is done; `val_` logs are void after epochs without validation.

        Raises UserError where the training stops with an error.
        """
        self.compile()
        parts = []
        done = 0
        while done < epochs:
            count = min(epochs - done, LONGEST_RUN)
            try:
                parts.append(self.program.run(self.epochs_done, count))
            except Exception as failure:
                raise refusals.stopped(self.model, failure) from failure
            done += count
            self.epochs_done += count
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def retrace(self) -> None:
        """Make the program anew, as after callbacks: it holds what they have set in Python."""
        before, after = self._held
        before.put_back(since=after)
        self._traced = self._compiled = False
        self.compile()

    def distrust(self) -> None:
        """Say before `run` that callbacks have run, and may have set something in Python."""
        self.program.distrust()

    def sync(self) -> None:
        """Weights, optimizer state, metrics and seeds into the Keras model."""
        self.program.sync()

    def keep(self) -> None:
        """Let go of the data, and be there when the model is trained on such data again."""
        self.program.take(None)
        kept.keep(self.model, self.task, self)
        self.task = self.task.without_data()

    def _again(self, task: Task) -> "Prepared":
        self.task, self.epochs_done = task, 0
        self.program.take(task)
        self.program.distrust()
        self._held = python_state.held(self.model), python_state.held(self.model)
        return self


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
    validation_freq: int | list[int] = 1,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    jit_compile: bool | str | None = None,
    epochs: int | None = None,
) -> Prepared:
    """Make a compiled Keras model and arrays ready to train; arguments as in `Model.fit`.

    `batch_size` None is Keras' 32. `seed` decides the order of the rows (None draws it from
    Python's `random`, which `keras.utils.set_random_seed` seeds). An order within a batch changes
    a sum's last digits only: `shuffle="batch"` and a full batch are not shuffled. `jit_compile`
    None is what the model was compiled with, else it is as in `Model.compile`, but that "auto" on
    TensorFlow is XLA where that is the faster one when both are timed. That is tried only if it may
    pay within `epochs`, None being many. Raises UserError for a model or data that the
    compiled path does not train.
    """
    import keras

    refusals.check_model(model)
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = split(x, y, sample_weight, validation_split)
    steps_per_epoch, validation_steps = map(_capped, (steps_per_epoch, validation_steps))
    training = batches(x, y, sample_weight, batch_size, steps_per_epoch, class_weight)
    refusals.check_steps(steps_per_epoch, training.steps)
    validation = None
    if validation_data is not None:
        refusals.check_frequency(validation_freq)
        tested, truth, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
        batch_size = validation_batch_size or batch_size
        validation = batches(tested, truth, weights, batch_size, validation_steps)
        validation = validation.first(validation_steps)
    shuffles = bool(shuffle) and shuffle != "batch" and training.steps > 1
    name = keras.backend.backend()
    if jit_compile is None or (jit_compile == "auto" and name != "tensorflow"):
        jit_compile = model.jit_compile
    jit = "auto" if jit_compile == "auto" else bool(jit_compile)
    task = Task(training, shuffles, 0, validation, validation_freq, False, jit, epochs)
    known: Prepared | None = kept.find(model, task)
    if known is None:
        task = replace(task, built_now=_build(model, training.first(1).data))
    if shuffles:
        drawn = keras.random.SeedGenerator().state.numpy()[0].item() if seed is None else seed
        task = replace(task, seed=drawn or 0)
    if known is not None:
        return known._again(task)
    backend: Any = importlib.import_module(f"{__name__}.{name}")
    return Prepared(model, task, backend.Program(model, task))


def _capped(steps: int | None) -> int | None:
    """Steps of a pass as `fit` counts them, which Keras' configuration may limit."""
    import keras

    limit = keras.config.max_steps_per_epoch()
    return min(steps or limit, limit) if limit else steps


def _build(model: Any, data: Any) -> bool:
    """Create missing variables, as `fit` does; tell if any but the optimizer's were missing."""
    import keras

    layers = model._flatten_layers()
    unbuilt = not all(layer.built for layer in layers)
    parts = [part for part in (model._compile_metrics, model._compile_loss) if part is not None]
    missing = unbuilt or not all(part.built for part in parts)
    held = python_state.Held(layers)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    try:
        if on_tensorflow:
            _build_in_graph(model, data)
        else:
            model._symbolic_build(data_batch=data)
    except Exception as failure:
        raise refusals.untraceable(model, failure) from failure
    if on_tensorflow and not unbuilt:
        # The layers are not called once more by `fit`.
        held.put_back()
    return missing


def _build_in_graph(model: Any, data: Any) -> None:
    """Build as `fit` does on TensorFlow, while it traces: what `build` assigns then is lost."""
    import keras
    import tensorflow as tf

    def build() -> None:
        model._symbolic_build(data_batch=data)

    optimizer = model.optimizer
    simple = type(optimizer) in [getattr(keras.optimizers, name) for name in SIMPLE]
    weighted = all(layer.built for layer in model._flatten_layers())
    if simple and weighted and not optimizer.built and not tf.distribute.has_strategy():
        # Of the same values: within a graph each variable takes graphs of its own.
        optimizer.build(model.trainable_variables)
    tf.function(build, autograph=False).get_concrete_function()
