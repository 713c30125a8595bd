"""JAX: all epochs as one XLA program over Keras' own stateless training step.

The step is `model.train_step(state, batch)`, as in `fit`, here within a compiled loop. The number
of epochs is an argument of the program, so that any number of them needs one compilation.
"""

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from numpy.typing import NDArray

from nnbench.training.compiled import jax_dense_chain
from nnbench.training.compiled.data import LONGEST_RUN, Batches, Task, state_variables
from nnbench.training.compiled.jax_dense_chain import DenseChain, lower

State = tuple[list[jax.Array], ...]
"""Values of trainable, non-trainable, optimizer and metrics variables, as Keras orders them."""


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        self._model = model
        self._task = task
        self._stepping = lower(model, task.training.data, task.training.batch_size)
        self._state: State | None = None
        # `jnp.asarray` would compile a program for each shape.
        self._data = jax.device_put(task.training.data)
        self._validation = None if task.validation is None else jax.device_put(task.validation.data)
        self._key = jax.random.key(task.seed) if task.shuffles else None
        self._lowered: Any = None
        self._compiled: Any = None
        self._text = ""

    def trace(self) -> None:
        """Python to StableHLO."""
        program = jax.jit(self._epochs, donate_argnums=0)
        self._lowered = program.trace(_values(self._model), *self._arguments(0, 1)).lower()

    def compile(self) -> None:
        """StableHLO to machine code."""
        text = self._lowered.as_text()
        if self._compiled is not None and text == self._text:
            return
        self._text = text
        options = jax_dense_chain.compiler_options(self._stepping, self._task.training.batch_size)
        try:
            self._compiled = self._lowered.compile(options)
        except jax.errors.JaxRuntimeError:
            # Another XLA need not know these options.
            if not options:
                raise
            self._compiled = self._lowered.compile()

    def run(self, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """See `compiled.Program`."""
        state = self._state if self._state is not None else _copied(_values(self._model))
        self._state = None
        self._state, logs = self._compiled(state, *self._arguments(first_epoch, epochs))
        return {name: np.asarray(values)[:epochs] for name, values in logs.items()}

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

    def _arguments(self, first_epoch: int, epochs: int) -> tuple[Any, ...]:
        validates = np.zeros(LONGEST_RUN, bool)
        validates[:epochs] = [self._task.validates(first_epoch + n) for n in range(epochs)]
        counts = np.int32(first_epoch), np.int32(epochs)
        return *counts, validates, self._key, self._data, self._validation

    def _epochs(
        self,
        state: State,
        first_epoch: jax.Array,
        epochs: jax.Array,
        validates: jax.Array,
        key: jax.Array | None,
        data: Any,
        validation: Any,
    ) -> tuple[State, dict[str, jax.Array]]:
        step = self._stepping.train_step
        if self._task.training.steps == 1 and isinstance(self._stepping, DenseChain):
            step = self._stepping.full_batch_step
            data = jax_dense_chain.features_first(data)
        # As with `fit`, Python runs once for each size of batch, however often loops are traced.
        step = jax.jit(step, inline=True)
        test_step = jax.jit(self._model.test_step, inline=True)

        def epoch(number: Any, state: State) -> tuple[State, dict[str, jax.Array]]:
            order = self._order(key, first_epoch + number)
            state = (*state[:3], _fresh_metrics(self._model))
            state, logs = self._pass_over(step, state, self._task.training, data, order)
            if self._task.validation is None:
                return state, logs
            return self._validated(test_step, state, logs, validates[number], validation)

        def recorded(number: Any, carried: Any) -> Any:
            state, history = carried
            new_state, logs = epoch(number, state)
            history = {
                name: history[name].at[number].set(_as(value, history[name]))
                for name, value in _flat(logs).items()
            }
            return jax.tree.map(_as, new_state, state), history

        shapes = jax.eval_shape(lambda state: _flat(epoch(0, state)[1]), state)
        history = jax.tree.map(
            lambda spec: jnp.zeros((LONGEST_RUN, *spec.shape), spec.dtype), shapes
        )
        trained, history = lax.fori_loop(0, epochs, recorded, (state, history))
        return trained, history

    def _order(self, key: jax.Array | None, epoch: jax.Array) -> jax.Array | None:
        if key is None:
            return None
        # One sort where `jax.random.permutation` takes two from 1,626 rows on, to part rows that
        # draw the same 32 bits: they stay in their order here, which one pair in 2^32 does.
        key = jax.random.fold_in(key, epoch)
        return jnp.argsort(jax.random.bits(key, (self._task.training.rows,)))

    def _validated(
        self, step: Any, state: State, logs: dict[str, Any], validates: jax.Array, validation: Any
    ) -> tuple[State, dict[str, Any]]:
        batches = self._task.validation
        assert batches is not None

        def evaluate(state: State) -> tuple[State, dict[str, Any]]:
            trainable, non_trainable, optimizer, _ = state
            tested = trainable, non_trainable, _fresh_metrics(self._model)
            tested, found = self._pass_over(step, tested, batches, validation, None)
            new = (tested[0], tested[1], optimizer, tested[2])
            named = {f"val_{name}": value for name, value in _flat(found).items()}
            return jax.tree.map(_as, new, state), named

        def skip(state: State) -> tuple[State, dict[str, Any]]:
            nothing = jax.eval_shape(evaluate, state)[1]
            return state, jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), nothing)

        if self._task.validates_always:
            state, found = evaluate(state)
        else:
            state, found = lax.cond(validates, evaluate, skip, state)
        return state, {**_flat(logs), **found}

    def _pass_over(
        self, step: Any, state: Any, batches: Batches, data: Any, order: jax.Array | None
    ) -> tuple[Any, Any]:
        """Take every batch in turn; the last one may be smaller. The logs are those of `fit`."""
        cut = batches.rows_before_last
        if order is None:
            before, last = (
                jax.tree.map(lambda a: a[:cut], data),
                jax.tree.map(lambda a: a[cut:], data),
            )
        else:
            before, last = order[:cut], jax.tree.map(lambda a: a[order[cut:]], data)

        def one(state: Any, batch: Any) -> tuple[Any, None]:
            if order is not None:
                batch = jax.tree.map(lambda a: a[batch], data)
            new_state = step(state, batch)[1]
            return jax.tree.map(_as, new_state, state), None

        if cut:
            in_batches = jax.tree.map(
                lambda a: a.reshape(-1, batches.batch_size, *a.shape[1:]), before
            )
            state, _ = lax.scan(one, state, in_batches)
        logs, state = step(state, last)
        with keras.StatelessScope(zip(self._model.metrics_variables, state[-1], strict=True)):
            return state, self._model._get_metrics_result_or_logs(logs)


def _as(new: Any, old: Any) -> jax.Array:
    """A loop's state keeps its types, weak ones included."""
    return lax.convert_element_type(new, old.dtype)


def _values(model: Any) -> State:
    return tuple([variable.value for variable in group] for group in state_variables(model))


@jax.jit  # type: ignore[untyped-decorator]
def _copied(state: State) -> State:
    """The program may overwrite its input's buffers; the model keeps its own until it is done."""
    return jax.tree.map(jnp.copy, state)  # type: ignore[no-any-return]


def _fresh_metrics(model: Any) -> list[jax.Array]:
    """The values that `reset_metrics` would set, without setting them."""
    with keras.StatelessScope() as scope:
        model.reset_metrics()
    values = []
    for variable in model.metrics_variables:
        value = scope.get_current_value(variable)
        value = variable.value if value is None else value
        values.append(jnp.asarray(value, variable.dtype))
    return values


def _flat(logs: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: jnp.asarray(value)}
    return flat
