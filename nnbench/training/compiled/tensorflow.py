"""TensorFlow: all epochs as one graph over Keras' own training step, with XLA or without.

The step is `model.train_step(batch)`, as in `fit`, here in a loop within the graph. The model's own
variables hold the state throughout. XLA makes some networks several times as fast and others
several times as slow: where it is left to nnbench, both are timed on the real step.
"""

from math import inf
from time import perf_counter
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from nnbench.training.compiled import tensorflow_choice as choice
from nnbench.training.compiled.data import Task
from nnbench.training.compiled.tensorflow_graph import ALL, NOTHING, STEP, Graph
from nnbench.training.compiled.tensorflow_parts import Data, Passes

FORMS = {
    NOTHING: "a graph of all epochs",
    STEP: "a graph of all epochs, with an XLA program a step",
    ALL: "one XLA program of all epochs",
}

OUT_OF_SIGHT = ("EagerPyFunc", "PyFunc", "PyFuncStateless")
"""Operations that may change what no variable holds, besides those that draw by a seed of theirs:
such a step is not taken to see how long it takes."""


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        self._model = model
        self._passes: Any = None
        self._graph: Any = None
        self._xla: str | None = None
        self._made_s = 0.0
        variables = model.non_trainable_variables
        self._draws = any(one.name == "seed_generator_state" for one in variables)
        self.form = ""
        self.take(task)

    def trace(self) -> None:
        """Python to a graph."""
        begin = perf_counter()
        self._passes = Passes(self._model, self._data.task)
        if self._xla is None:
            self._pin()
        self._graph = self._made(self._xla or NOTHING)
        self._made_s = perf_counter() - begin

    def compile(self) -> None:
        """Optimise, place and instantiate the graph; and that with XLA, where it may pay."""
        begin = perf_counter()
        try:
            self._graph.compile(self._data)
        except Exception:
            # A loop may hold shapes that are constants only in a step by itself.
            if self._xla != ALL:
                raise
            self._take_form(STEP)
            self._graph = self._made(STEP)
            self._graph.compile(self._data)
        self._made_s += perf_counter() - begin
        self._choose()

    def run(self, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """See `compiled.Program`."""
        return self._graph.run(self._data, first_epoch, epochs)  # type: ignore[no-any-return]

    def sync(self) -> None:
        """The model's variables hold the state already."""

    def distrust(self) -> None:
        """`fit` compiles its step once as well."""

    def take(self, task: Task | None) -> None:
        """See `compiled.Program`."""
        self._data: Any = None
        if task is not None:
            self._task = task.without_data()
            self._data = Data(task)
            if self._graph is not None:
                # More epochs than before may be worth a trial.
                self._choose()

    def _made(self, xla: str) -> Graph:
        # Where XLA need not be, each size of batch that it is spared is a compilation less.
        spared = self._task.jit == "auto" and not self._draws
        return Graph(self._passes, self._data, xla, full_only=spared)

    def _take_form(self, xla: str, why: str = "") -> None:
        self._xla, self.form = xla, FORMS[xla] + (why and f": {why}")

    def _pin(self) -> None:
        """Decide on XLA where nothing has to be timed for it."""
        model, jit, draws = self._model, self._task.jit, self._draws
        unsupported = [one.name for one in model._flatten_layers() if not one.supports_jit]
        if jit and unsupported:
            self._take_form(NOTHING, f"layer '{unsupported[0]}' is not made for XLA")
        elif jit and draws and not model.jit_compile:
            self._take_form(NOTHING, "XLA would draw other random numbers than fit")
        elif jit == "auto" and not draws:
            if any(node.op in OUT_OF_SIGHT or _draws(node) for node in self._passes.nodes):
                self._take_form(NOTHING, "no step of it can be tried and undone")
        else:
            self._take_form(self._with_xla() if jit else NOTHING)

    def _with_xla(self) -> str:
        """What to leave to XLA: on a CPU its convolutions are several times slower in a loop."""
        # A piece of a network is told what the whole is.
        whole = getattr(self._model, "product_flops", 0.0)
        operations = (node.op for node in self._passes.nodes)
        convolves = whole == inf or any(op.startswith(("Conv", "Depthwise")) for op in operations)
        return STEP if convolves and not tf.config.list_logical_devices("GPU") else ALL

    def _choose(self) -> None:
        """Take XLA if it is the faster one and the epochs are enough to win its compilation."""
        if self._xla is not None:
            return
        xla = self._with_xla()
        found = choice.timed(self._graph, lambda: self._made(xla), self._data, self._made_s)
        if found.decided:
            self._take_form(xla if found.graph is not self._graph else NOTHING, found.why)
            self._graph = found.graph
        else:
            self.form = f"{FORMS[NOTHING]}: {found.why}"


def _draws(node: Any) -> bool:
    return "seed2" in node.attr and not node.op.startswith("Stateless")
