"""JAX: all epochs in one XLA program, which the number of epochs is an argument of."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nnbench.training.compiled import jax_dense_chain
from nnbench.training.compiled.data import LONGEST_RUN, Batches
from nnbench.training.compiled.jax_step import Logs, Parts, State, same_types


class Loop:
    """A loop over epochs of a loop over batches, compiled as one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lowered: Any = None
        self._compiled: Any = None
        self._text = ""

    def trace(self) -> None:
        """Python to StableHLO."""
        program = jax.jit(self._epochs, donate_argnums=0)
        self._lowered = program.trace(self._parts.values(), *self._arguments(0, 1)).lower()

    def compile(self) -> None:
        """StableHLO to machine code, if it is another than before."""
        text = self._lowered.as_text()
        if self._compiled is not None and text == self._text:
            return
        self._text = text
        self._compiled = self._parts.compiled(self._lowered)

    def run(self, state: State, first_epoch: int, epochs: int) -> tuple[State, Logs]:
        """Train so many epochs; the state that is handed in is used up."""
        state, logs = self._compiled(state, *self._arguments(first_epoch, epochs))
        return state, {name: np.asarray(values)[:epochs] for name, values in logs.items()}

    def _arguments(self, first_epoch: int, epochs: int) -> tuple[Any, ...]:
        parts, validates = self._parts, np.zeros(LONGEST_RUN, bool)
        validates[:epochs] = [parts.task.validates(first_epoch + n) for n in range(epochs)]
        counts = np.int32(first_epoch), np.int32(epochs)
        return *counts, validates, parts.key, parts.data, parts.validation

    def _epochs(
        self,
        state: State,
        first_epoch: jax.Array,
        epochs: jax.Array,
        validates: jax.Array,
        key: jax.Array | None,
        data: Any,
        validation: Any,
    ) -> tuple[State, Logs]:
        parts = self._parts
        if parts.takes_features_first:
            data = jax_dense_chain.features_first(data)

        def epoch(number: Any, state: State) -> tuple[State, Logs]:
            order = parts.order(key, first_epoch + number)
            state = (*state[:3], parts.fresh_metrics())
            state, logs = self._pass_over(parts.train_step, state, parts.task.training, data, order)
            if parts.task.validation is None:
                return state, logs
            return self._validated(state, logs, validates[number], validation)

        def recorded(number: Any, carried: Any) -> Any:
            state, history = carried
            new_state, logs = epoch(number, state)
            history = {
                name: history[name].at[number].set(same_types(value, history[name]))
                for name, value in logs.items()
            }
            return same_types(new_state, state), history

        shapes = jax.eval_shape(lambda state: epoch(0, state)[1], state)
        history = jax.tree.map(
            lambda spec: jnp.zeros((LONGEST_RUN, *spec.shape), spec.dtype), shapes
        )
        trained, history = lax.fori_loop(0, epochs, recorded, (state, history))
        return trained, history

    def _validated(
        self, state: State, logs: Logs, validates: jax.Array, validation: Any
    ) -> tuple[State, Logs]:
        parts, batches = self._parts, self._parts.task.validation
        assert batches is not None

        def evaluate(state: State) -> tuple[State, Logs]:
            trainable, non_trainable, optimizer, _ = state
            tested = trainable, non_trainable, parts.fresh_metrics()
            tested, found = self._pass_over(parts.test_step, tested, batches, validation, None)
            new = (tested[0], tested[1], optimizer, tested[2])
            return same_types(new, state), {f"val_{name}": one for name, one in found.items()}

        def skip(state: State) -> tuple[State, Logs]:
            nothing = jax.eval_shape(evaluate, state)[1]
            return state, jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), nothing)

        if parts.task.validates_always:
            state, found = evaluate(state)
        else:
            state, found = lax.cond(validates, evaluate, skip, state)
        return state, {**logs, **found}

    def _pass_over(
        self, step: Any, state: Any, batches: Batches, data: Any, order: jax.Array | None
    ) -> tuple[Any, Logs]:
        """Take every batch in turn; the last one may be smaller. The logs are those of `fit`."""
        even = batches.steps > 1 and batches.rows % batches.batch_size == 0
        cut = batches.rows if even else batches.rows_before_last
        if order is None:
            before, last = (
                jax.tree.map(lambda a: a[:cut], data),
                jax.tree.map(lambda a: a[cut:], data),
            )
        else:
            before, last = order[:cut], jax.tree.map(lambda a: a[order[cut:]], data)

        def one(state: Any, batch: Any) -> tuple[Any, Logs]:
            if order is not None:
                batch = jax.tree.map(lambda a: a[batch], data)
            logs, new = step(state, batch)
            return same_types(new, state), logs

        if cut:
            in_batches = jax.tree.map(
                lambda a: a.reshape(-1, batches.batch_size, *a.shape[1:]), before
            )
            # XLA leaves out those that nobody reads.
            state, logs = lax.scan(one, state, in_batches)
            logs = jax.tree.map(lambda a: a[-1], logs)
        if not even:
            logs, state = step(state, last)
        return state, self._parts.logs(logs, state[-1])
