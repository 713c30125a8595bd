"""Torch: a whole training step as one recorded graph, replayed without Keras in between.

Forward pass, loss, gradients, optimizer and metrics are recorded once as tensor operations; an
epoch replays them on the state. A model compiled with `jit_compile=True` has its recording
compiled by Inductor, which needs a C++ compiler and, on a CPU, some 10^4 steps to pay for itself.
On a GPU the replay becomes a CUDA graph.

A step that cannot be recorded, because it looks at values in Python (seeded dropout, loss
scaling, a `train_step` of one's own), is taken as it is in a bare loop: the same training, only
slower.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from nnbench.training.compiled import torch_recording
from nnbench.training.compiled.data import Batches, Task, state_variables

Tensors = list[torch.Tensor]
Logs = dict[str, torch.Tensor]
Step = Callable[[Tensors, Any], tuple[Logs, Tensors]]


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        import keras

        self._model = model
        self._task = task
        to_device = functools.partial(
            keras.tree.map_structure, keras.ops.convert_to_tensor, none_is_leaf=False
        )
        self._data = to_device(task.training.data)
        self._validation = None if task.validation is None else to_device(task.validation.data)
        self._variables = list(itertools.chain(*state_variables(model)))
        self._steps: dict[int, Step] = {}
        self._state: Tensors | None = None
        self._begun = False

    def trace(self) -> None:
        """Record a step for each size of batch; see `torch_recording` for what cannot be."""
        with _training_mode(self._model):
            for batch in _sizes(self._task.training, self._data):
                recorded = torch_recording.record(self._model, self._variables, batch)
                self._steps[_rows(batch)] = recorded or self._own_step

    def compile(self) -> None:
        """Hand the recordings to Inductor if the model was compiled with `jit_compile=True`."""
        for rows, step in self._steps.items():
            if not isinstance(step, torch_recording.Recording):
                continue
            if self._model.jit_compile:
                step.compile()
            elif _on_gpu(self._data):
                batch = next(b for b in _sizes(self._task.training, self._data) if _rows(b) == rows)
                step.capture(_values(self._variables), batch)

    def run(self, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """See `compiled.Program`."""
        if self._task.built_now and not self._begun:
            _draw_as_loader_does()
        self._begun = True
        numbers = range(first_epoch, first_epoch + epochs)
        with _training_mode(self._model):
            records = [self._epoch(number) for number in numbers]
        blank = {name: torch.zeros_like(value) for r in records for name, value in r.items()}
        return {
            name: torch.stack([record.get(name, value) for record in records]).cpu().numpy()
            for name, value in blank.items()
        }

    def sync(self) -> None:
        """Hand the trained state to the model's variables."""
        if self._state is None:
            return
        for variable, value in zip(self._variables, self._state, strict=True):
            variable.assign(value)
        self._state = None

    def _epoch(self, number: int) -> Logs:
        self._reset_metrics()
        logs: Logs = {}
        for batch in _pass_over(self._task.training, self._data, self._order(number)):
            logs, self._state = self._steps[_rows(batch)](self._current(), batch)
        records = _flat(logs)
        if self._task.validates(number):
            records |= {f"val_{name}": value for name, value in self._validated().items()}
        return records

    def _validated(self) -> Logs:
        assert self._task.validation is not None
        self.sync()
        self._model.eval()
        self._model.reset_metrics()
        logs: Logs = {}
        with torch.no_grad():
            for batch in _pass_over(self._task.validation, self._validation, None):
                logs = self._model.test_step(batch)
        self._model.train()
        return _flat(logs)

    def _current(self) -> Tensors:
        if self._state is None:
            self._state = _values(self._variables)
        return self._state

    def _reset_metrics(self) -> None:
        if self._state is None:
            self._model.reset_metrics()
            return
        metrics = {id(variable) for variable in self._model.metrics_variables}
        self._model.reset_metrics()
        self._state = [
            variable.value.detach().clone() if id(variable) in metrics else value
            for variable, value in zip(self._variables, self._state, strict=True)
        ]

    def _order(self, epoch: int) -> torch.Tensor | None:
        if not self._task.shuffles:
            return None
        generator = torch.Generator()
        generator.manual_seed((self._task.seed << 24) + epoch)
        order = torch.randperm(self._task.training.rows, generator=generator)
        return order.to(_leaf(self._data).device)

    def _own_step(self, state: Tensors, batch: Any) -> tuple[Logs, Tensors]:
        logs = self._model.train_step(batch)
        return logs, _values(self._variables)


def _draw_as_loader_does() -> None:
    """Draw the seed of `fit`'s `DataLoader`: unseeded dropout then drops the same cells."""
    torch.empty((), dtype=torch.int64).random_()


def _pass_over(batches: Batches, data: Any, order: torch.Tensor | None) -> Iterator[Any]:
    """Every batch in turn; `fit` makes a `DataLoader` before the first and after the last."""
    _draw_as_loader_does()
    yield from _batches(batches, data, order)
    _draw_as_loader_does()


@contextlib.contextmanager
def _training_mode(model: Any) -> Iterator[None]:
    model.train()
    try:
        yield
    finally:
        model.eval()


def _values(variables: list[Any]) -> Tensors:
    return [variable.value.detach() for variable in variables]


def _batches(batches: Batches, data: Any, order: torch.Tensor | None) -> Iterator[Any]:
    if batches.steps == 1:
        yield data
        return
    for begin in range(0, batches.rows, batches.batch_size):
        rows = slice(begin, begin + batches.batch_size)
        yield _take_all(data, rows if order is None else order[rows])


def _take_all(data: Any, rows: Any) -> Any:
    import keras

    return keras.tree.map_structure(lambda array: array[rows], data, none_is_leaf=False)


def _sizes(batches: Batches, data: Any) -> list[Any]:
    rows_of_last = batches.rows - batches.rows_before_last
    two = Batches(data, min(batches.rows, batches.batch_size + rows_of_last), batches.batch_size)
    head = _take_all(data, slice(0, two.rows))
    return list({_rows(part): part for part in _batches(two, head, None)}.values())


def _leaf(data: Any) -> torch.Tensor:
    import keras

    leaf: torch.Tensor = next(a for a in keras.tree.flatten(data) if a is not None)
    return leaf


def _rows(data: Any) -> int:
    return len(_leaf(data))


def _on_gpu(data: Any) -> bool:
    return bool(_leaf(data).is_cuda)


def _flat(logs: dict[str, Any]) -> Logs:
    flat: Logs = {}
    for name, value in logs.items():
        if isinstance(value, dict):
            flat |= _flat(value)
        else:
            flat[name] = torch.as_tensor(value).detach()
    return flat
