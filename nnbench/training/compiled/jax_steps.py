"""JAX: one XLA program for each size of batch, called from Python for every step."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax

from nnbench.training.compiled.data import Batches
from nnbench.training.compiled.jax_step import Logs, Parts, State, rows_of, same_types


class Steps:
    """Keras' own step, and nothing between two of them; batches are cut out on the device."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._metrics = parts.fresh_metrics()
        self._lowered: dict[Any, Any] = {}
        self._compiled: dict[Any, Any] = {}
        self._texts: dict[Any, str] = {}

    def trace(self) -> None:
        """Python to StableHLO."""
        parts = self._parts
        state, first = parts.values(), np.int32(0)
        order = jax.eval_shape(parts.order, parts.key, first)
        programs = {("order", 0): jax.jit(parts.order).trace(parts.key, first)}
        for name, batches, data in self._passes():
            sizes = {batches.batch_size, batches.rows - batches.rows_before_last}
            for rows in sizes if batches.steps > 1 else {batches.rows}:
                step = jax.jit(self._step(name, batches, rows), donate_argnums=0)
                given = order if name == "train" else None
                programs[name, rows] = step.trace(state[:3], self._metrics, data, given, first)
        self._lowered = {key: traced.lower() for key, traced in programs.items()}

    def compile(self) -> None:
        """StableHLO to machine code, where it is another than before."""
        for key, lowered in self._lowered.items():
            text = lowered.as_text()
            if self._texts.get(key) != text:
                self._texts[key], self._compiled[key] = text, self._parts.compiled(lowered)

    def run(self, state: State, first_epoch: int, epochs: int) -> tuple[State, Logs]:
        """Train so many epochs; the state that is handed in is used up."""
        task, records = self._parts.task, []
        for epoch in range(first_epoch, first_epoch + epochs):
            state, logs = self._pass_over("train", state, self._order(epoch))
            if task.validates(epoch):
                state, found = self._pass_over("test", state, None)
                logs |= {f"val_{name}": value for name, value in found.items()}
            records.append(logs)
        jax.block_until_ready(state)
        blank = {name: np.zeros_like(value) for one in records for name, value in one.items()}
        return state, {
            name: np.stack([np.asarray(one.get(name, value)) for one in records])
            for name, value in blank.items()
        }

    def _passes(self) -> list[tuple[str, Batches, Any]]:
        task, parts = self._parts.task, self._parts
        found = [("train", task.training, parts.data)]
        if task.validation is not None:
            found.append(("test", task.validation, parts.validation))
        return found

    def _order(self, epoch: int) -> Any:
        return self._compiled["order", 0](self._parts.key, np.int32(epoch))

    def _pass_over(self, name: str, state: State, order: Any) -> tuple[State, Logs]:
        """Take every batch in turn; the logs are those of `fit`."""
        batches, data = next((b, d) for key, b, d in self._passes() if key == name)
        kept, metrics = state[:3], self._metrics
        logs: Logs = {}
        for number in range(batches.steps):
            begin = number * batches.batch_size
            program = self._compiled[name, min(batches.batch_size, batches.rows - begin)]
            kept, metrics, logs = program(kept, metrics, data, order, np.int32(begin))
        return (*kept, metrics), logs

    def _step(self, name: str, batches: Batches, rows: int) -> Callable[..., Any]:
        parts = self._parts

        def step(kept: Any, metrics: Any, data: Any, order: Any, begin: Any) -> Any:
            if batches.steps == 1:
                batch = data
            elif order is None:
                batch = rows_of(data, begin, rows)
            else:
                chosen = lax.dynamic_slice_in_dim(order, begin, rows)
                batch = jax.tree.map(lambda a: a[chosen], data)
            if name == "train":
                state = (*kept, metrics)
                logs, new = parts.train_step(state, batch)
                new = same_types(new, state)
            else:
                tested = (*kept[:2], metrics)
                logs, new = parts.test_step(tested, batch)
                trainable, non_trainable, metrics = same_types(new, tested)
                new = trainable, non_trainable, kept[2], metrics
            return new[:3], new[3], parts.logs(logs, new[3])

        return step
