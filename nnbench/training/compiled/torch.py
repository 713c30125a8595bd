"""Torch: a whole training step as one recorded graph, replayed without Keras in between.

Forward pass, loss, gradients, optimizer and metrics are recorded once as tensor operations; an
epoch replays them on the state. A model compiled with `jit_compile=True` has its recording
compiled by Inductor, which needs a C++ compiler and, on a CPU, some 10^4 steps to pay for itself.
On a GPU the replay becomes a CUDA graph.

A step that cannot be recorded, because it looks at values in Python (seeded dropout, loss
scaling, a `train_step` of one's own), is taken as it is in a bare loop: the same training, only
slower. Every recording is compared with the model's own step, when it is made and again after
callbacks have had their word; where they differ, the bare loop takes over, with a warning.
"""

import contextlib
import functools
import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.training.compiled import refusals, torch_check, torch_recording
from nnbench.training.compiled.data import Batches, Task, state_variables
from nnbench.training.compiled.torch_check import Logs, Step, fresh
from nnbench.training.compiled.torch_recording import NotRecordable, Recording, Tensors


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        self._model = model
        self.take(task)
        self._variables = list(itertools.chain(*state_variables(model)))
        self._steps: dict[int, Step] = {}
        self._state: Tensors | None = None
        self._begun = self._doubtful = False

    def trace(self) -> None:
        """Record a step for each size of batch; see `torch_recording` for what cannot be."""
        with _training_mode(self._model):
            for batch in _sizes(self._task.training, self._data):
                self._steps[_rows(batch)] = self._checked(batch)
        if self._own_step in self._steps.values():
            self._steps = dict.fromkeys(self._steps, self._own_step)

    def compile(self) -> None:
        """Hand the recordings to Inductor if the model was compiled with `jit_compile=True`."""
        for batch in _sizes(self._task.training, self._data):
            step = self._steps[_rows(batch)]
            if not isinstance(step, Recording):
                continue
            if self._task.jit:
                step.compile(torch_check.values(self._variables), fresh(batch))
            elif _on_gpu(self._data):
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

    def distrust(self) -> None:
        """See `compiled.Program`."""
        self._doubtful = True

    def take(self, task: Task | None) -> None:
        """See `compiled.Program`."""
        import keras

        self._data = self._validation = None
        if task is not None:
            self._task = task
            to_device = functools.partial(
                keras.tree.map_structure, keras.ops.convert_to_tensor, none_is_leaf=False
            )
            self._data = to_device(task.training.data)
            self._validation = task.validation and to_device(task.validation.data)
        else:
            self._task = self._task.without_data()

    def _checked(self, batch: Any) -> Step:
        import keras

        model, variables = self._model, self._variables
        if type(model).train_step is not keras.Model.train_step:
            return self._own_step
        note = "takes another step than its recording"
        with torch_check.put_back(model, variables):
            try:
                recorded = torch_recording.record(model, variables, batch)
            except NotRecordable as reason:
                recorded, note = None, str(reason)
        if recorded and torch_check.agrees(model, variables, recorded, self._own_step, batch):
            return recorded
        if not torch_check.repeats(model, variables, self._own_step, batch):
            raise UserError(refusals.UNREPEATABLE)
        if note:
            _warn(note)
        return self._own_step

    def _epoch(self, number: int) -> Logs:
        self._reset_metrics()
        logs: Logs = {}
        for batch in _pass_over(self._task.training, self._data, self._order(number)):
            step = self._confirmed if self._doubtful else self._steps[_rows(batch)]
            logs, self._state = step(self._current(), batch)
        if not isinstance(step, Recording):
            logs = self._model._get_metrics_result_or_logs(logs)
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
            logs = self._model._get_metrics_result_or_logs(logs)
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

    def _confirmed(self, state: Tensors, batch: Any) -> tuple[Logs, Tensors]:
        """A step of the model's own, after which the recording is trusted again, or never."""
        self._doubtful = False
        step = self._steps[_rows(batch)]
        if not isinstance(step, Recording):
            return step(state, batch)
        self.sync()
        gpus = [torch.cuda.current_device()] if _on_gpu(self._data) else []
        with torch.random.fork_rng(devices=gpus):
            logs, new = step(torch_check.values(self._variables), fresh(batch))
            recorded = {name: value.clone() for name, value in logs.items()}, new, None
        taken = self._own_step(state, batch)
        if not torch_check.same(recorded, (_flat(taken[0]), taken[1], None)):
            _warn("takes another step than its recording, after a callback")
            self._steps = dict.fromkeys(self._steps, self._own_step)
        return taken

    def _own_step(self, state: Tensors, batch: Any) -> tuple[Logs, Tensors]:
        logs = self._model.train_step(batch)
        return logs, _values(self._variables)


def _warn(note: str) -> None:
    warnings.warn(f"the model's training step {note}: it is taken as fit takes it", stacklevel=2)


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
    """Fresh tensors, as a `DataLoader` hands out: a step may write into them."""
    for begin in range(0, batches.rows, batches.batch_size):
        rows = slice(begin, begin + batches.batch_size)
        if order is None:
            yield fresh(_take_all(data, rows))
        else:
            yield _take_all(data, order[rows])


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
