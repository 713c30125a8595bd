"""What both forms of a compiled training on JAX are made of: a step, its order, fresh metrics."""

from typing import Any

import jax
import jax.numpy as jnp
import keras
from jax import lax

from nnbench.training.compiled import jax_dense_chain, jax_gru, jax_layer_norm, jax_order, jax_work
from nnbench.training.compiled.data import Task, state_variables
from nnbench.training.compiled.jax_dense_chain import PRODUCTS_ONLY, DenseChain, lower
from nnbench.training.compiled.jax_work import Work

State = tuple[list[jax.Array], ...]
"""Values of trainable, non-trainable, optimizer and metrics variables, as Keras orders them."""

Logs = dict[str, Any]


class Parts:
    """A model's step on a task's data. Data lie on the device."""

    def __init__(self, model: Any, task: Task) -> None:
        self.model = model
        self.take(task)

    def begin_trace(self) -> None:
        """Steps whose Python runs anew, and once for each size of batch, as with `fit`."""
        model, training = self.model, self.task.training
        self.stepping = lower(model, training.data, training.batch_size)
        full_batch = training.steps == 1 and isinstance(self.stepping, DenseChain)
        step = self.stepping.full_batch_step if full_batch else self.stepping.train_step
        self.takes_features_first = full_batch
        # JAX knows a function that it has traced again; these are others.
        self.train_step = jax.jit(lambda *given: _quicker(step, *given), inline=True)
        self.test_step = jax.jit(lambda *given: model.test_step(*given), inline=True)
        self.work = self._work()

    def take(self, task: Task | None) -> None:
        """Put a task's data on the device, or let go of those that are there."""
        self.data = self.validation = self.key = None
        if task is not None:
            # `jnp.asarray` would compile a program for each shape.
            self.task, self.data = task, jax.device_put(task.training.data)
            self.validation = task.validation and jax.device_put(task.validation.data)
            self.key = jax.random.key(task.seed) if task.shuffles else None
        else:
            self.task = self.task.without_data()

    def compiled(self, lowered: Any) -> Any:
        """StableHLO to machine code."""
        options = jax_dense_chain.compiler_options(self.stepping, self.task.training.batch_size)
        if self.work.sums_short_rows and jax.default_backend() == "cpu":
            options = PRODUCTS_ONLY
        try:
            return lowered.compile(options)
        except jax.errors.JaxRuntimeError:
            # Another XLA need not know these options.
            if not options:
                raise
            return lowered.compile()

    def values(self) -> State:
        """The state as the model's variables hold it."""
        return tuple([one.value for one in group] for group in state_variables(self.model))

    def _work(self) -> Work:
        """What a step computes; of a chain of Dense layers nobody asks. This traces it."""
        if isinstance(self.stepping, DenseChain):
            return Work()
        rows = self.task.training.batch_size
        batch = jax.eval_shape(lambda data: rows_of(data, 0, rows), self.data)
        return jax_work.of_jaxpr(self.train_step.trace(self.values(), batch).jaxpr.jaxpr)

    def order(self, key: jax.Array | None, epoch: Any) -> jax.Array | None:
        """The rows' order in an epoch, None where they are not shuffled."""
        if key is None:
            return None
        return jax_order.drawn(jax.random.fold_in(key, epoch), self.task.training.rows)

    def fresh_metrics(self) -> list[jax.Array]:
        """The values that `reset_metrics` would set, without setting them."""
        with keras.StatelessScope() as scope:
            self.model.reset_metrics()
        values = []
        for variable in self.model.metrics_variables:
            value = scope.get_current_value(variable)
            value = variable.value if value is None else value
            values.append(jnp.asarray(value, variable.dtype))
        return values

    def logs(self, logs: Any, metrics: list[jax.Array]) -> Logs:
        """What `fit` logs after a step that returned `logs`, by name."""
        with keras.StatelessScope(zip(self.model.metrics_variables, metrics, strict=True)):
            return flat(self.model._get_metrics_result_or_logs(logs))


def _quicker(step: Any, *given: Any) -> Any:
    """A step with `jax_gru` and `jax_layer_norm`, where that can be."""
    try:
        with jax_gru.in_few_operations(), jax_layer_norm.in_few_operations():
            return step(*given)
    except (TypeError, NotImplementedError):
        # A step of one's own may ask for what only Keras' layers have, as derivatives forwards.
        return step(*given)


def rows_of(data: Any, begin: Any, count: int) -> Any:
    """So many rows of each array from `begin` on, which need not be known."""
    return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, begin, count), data)


def copied(state: State) -> State:
    """A program may overwrite its input's buffers; the model keeps its own until it is done.

    A function that copies would be compiled, for each model anew.
    """
    return jax.device_put(state, may_alias=False)  # type: ignore[no-any-return]


def same_types(new: Any, old: Any) -> Any:
    """A state keeps its types from step to step, weak ones included."""
    return jax.tree.map(lambda n, o: lax.convert_element_type(n, o.dtype), new, old)


def flat(logs: Logs) -> Logs:
    """Logs by name, those of several outputs too."""
    found: Logs = {}
    for name, value in logs.items():
        found |= flat(value) if isinstance(value, dict) else {name: jnp.asarray(value)}
    return found
