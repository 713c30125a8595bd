"""JAX: Keras' own stateless training step, all epochs in one XLA program or one program a step.

The step is `model.train_step(state, batch)`, as in `fit`. One program for all epochs saves calling
one for each step. But on a CPU XLA's convolutions are several times slower within a loop than
without, and very large products by a tenth (docs/compiled-path.md): a network that has some takes
a program a step, beside which a call from Python is little.
"""

from typing import Any

import jax
from numpy.typing import NDArray

from nnbench.training.compiled.causes import MOST_IN_A_LOOP
from nnbench.training.compiled.data import Task, state_variables
from nnbench.training.compiled.jax_loop import Loop
from nnbench.training.compiled.jax_step import Parts, State, copied
from nnbench.training.compiled.jax_steps import Steps


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        self._model = model
        self._parts = Parts(model, task)
        self._loop, self._steps = Loop(self._parts), Steps(self._parts)
        self._chosen: Loop | Steps = self._loop
        self._state: State | None = None

    @property
    def form(self) -> str:
        """See `compiled.Program`."""
        if self._chosen is self._loop:
            return "one XLA program of all epochs"
        return "an XLA program a step: convolutions and huge products take longer in a loop"

    def trace(self) -> None:
        """Python to StableHLO."""
        self._parts.begin_trace()
        # A piece of a network is told what the whole is.
        whole = getattr(self._model, "product_flops", 0.0)
        flops = max(whole, self._parts.work.product_flops)
        by_steps = jax.default_backend() == "cpu" and flops > MOST_IN_A_LOOP
        self._chosen = self._steps if by_steps else self._loop
        self._chosen.trace()

    def compile(self) -> None:
        """StableHLO to machine code."""
        self._chosen.compile()

    def run(self, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """See `compiled.Program`."""
        state = self._state if self._state is not None else copied(self._parts.values())
        self._state = None
        self._state, logs = self._chosen.run(state, first_epoch, epochs)
        return logs

    def sync(self) -> None:
        """Hand the trained state to the model's variables."""
        if self._state is None:
            return
        for variables, values in zip(state_variables(self._model), self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._state = None

    def distrust(self) -> None:
        """`fit` compiles its step once as well."""

    def take(self, task: Task | None) -> None:
        """See `compiled.Program`."""
        self._parts.take(task)
