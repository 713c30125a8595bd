"""Torch: a whole training step as one recorded tape, replayed without Keras in between.

The model's own `train_step` is watched once while it is taken: forward pass, loss, gradients,
optimizer and metrics as tensor operations. An epoch replays them on the model's own tensors. A
model compiled with `jit_compile=True` has its recording compiled by Inductor, which needs a C++
compiler and, on a CPU, some 10^4 steps to pay for itself. On a GPU the replay becomes a CUDA graph.

A step that cannot be recorded, because it looks at values in Python (loss scaling, accumulated
gradients), is taken as `fit` takes it, in a bare loop: the same training, at `fit`'s speed; `form`
says so. Every recording is compared with the model's own step, when it is made and again after
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
from nnbench.training.compiled import (
    python_state,
    refusals,
    torch_check,
    torch_recording,
    torch_recurrent,
)
from nnbench.training.compiled.data import Batches, Task, state_variables
from nnbench.training.compiled.python_state import Held
from nnbench.training.compiled.torch_check import fresh
from nnbench.training.compiled.torch_recording import Logs, Recording, Tensors, leaves
from nnbench.training.compiled.torch_tape import NotRecordable

DIFFERS = "takes another step than its recording"

GATHERED_BYTES = 2**20
"""Rows that are put in order at a time: about as many as a cache holds."""


class Program:
    """See `compiled.Program`."""

    def __init__(self, model: Any, task: Task) -> None:
        self._model = model
        self.take(task)
        self._recordings: dict[int, Recording] = {}
        self._why_not = ""
        self._begun = self._doubtful = False

    @property
    def form(self) -> str:
        """See `compiled.Program`."""
        if not self._recordings:
            return f"fit's own step: its training step {self._why_not}"
        return "a recorded step" + next(iter(self._recordings.values())).compiled

    def trace(self) -> None:
        """Record a step for each size of batch; see `torch_recording` for what cannot be."""
        import keras

        self._recordings, self._why_not = {}, ""
        sizes = _sizes(self._task.training, self._data)
        self._state = [variable.value for variable in self._variables()]
        self._keras_own = type(self._model).train_step is keras.Model.train_step
        with _training_mode(self._model):
            held = python_state.held(self._model)
            if not self._keras_own:
                # It may make variables when it is first taken, as those of more optimizers.
                with torch_check.put_back(self._model, self._state, held):
                    self._own_step(fresh(sizes[0]))
                self._state = [variable.value for variable in self._variables()]
            for batch in sizes:
                recorded = self._checked(batch, held)
                if recorded is None:
                    self._recordings = {}
                    break
                self._recordings[_rows(batch)] = recorded
            self._reset = self._recorded_reset(held)
        self._places = self._places_now()

    def compile(self) -> None:
        """Hand the recordings to Inductor if the model was compiled with `jit_compile=True`."""
        for batch in _sizes(self._task.training, self._data):
            recorded = self._recordings.get(_rows(batch))
            if recorded is None or not (self._task.jit or self._on_gpu):
                continue
            state = self._all_of(recorded)
            before = torch_check.values(state)
            with torch_check.numbers_kept():
                (recorded.compile if self._task.jit else recorded.capture)(batch)
            torch_check.assign(state, before)

    def run(self, first_epoch: int, epochs: int) -> dict[str, NDArray[Any]]:
        """See `compiled.Program`."""
        if self._places != self._places_now():
            self.trace()
            self.compile()
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
        """See `compiled.Program`: the model's own tensors are trained."""

    def distrust(self) -> None:
        """See `compiled.Program`."""
        self._doubtful = True

    def take(self, task: Task | None) -> None:
        """See `compiled.Program`."""
        import keras

        self._data = self._validation = None
        self._parts: Tensors = []
        self._in_order: list[Tensors] = []
        if task is not None:
            self._task = task
            to_device = functools.partial(
                keras.tree.map_structure, keras.ops.convert_to_tensor, none_is_leaf=False
            )
            self._data = to_device(task.training.data)
            self._validation = task.validation and to_device(task.validation.data)
            self._parts = leaves(self._data)
            self._in_order = list(_cut(self._parts, task.training.batch_size))
            self._on_gpu = bool(self._parts[0].is_cuda)
        else:
            self._task = self._task.without_data()

    def _places_now(self) -> list[tuple[int, int]]:
        """Where the model's tensors lie, as a recording knows them."""
        return [(id(one.value), one.value.data_ptr()) for one in self._variables()]

    def _variables(self) -> Iterator[Any]:
        return itertools.chain(*state_variables(self._model))

    def _checked(self, batch: Any, held: Held) -> Recording | None:
        """A recording that takes the model's own step; None with the reason in `_why_not`."""
        model, own = self._model, self._own_step
        fused = not self._task.jit
        for recurrent in (True, False) if fused and torch_recurrent.are_in(model) else (False,):
            recorded: Recording | None = None
            agreed, state = False, self._state
            with torch_check.put_back(model, self._state, held, guarded=False):
                torch_check.much_later(model)
                try:
                    recorded, left = torch_recording.record(
                        model, own, fresh(batch), fused=fused, recurrent=recurrent
                    )
                except NotRecordable as reason:
                    self._why_not = str(reason) or "cannot be recorded"
                if recorded is not None:
                    state = self._all_of(recorded)
                    # Nothing is put back before: what the step counts out of sight has gone on.
                    agreed = torch_check.agrees(model, state, left, held, recorded, own, batch)
            if agreed:
                return recorded
        if self._keras_own and not torch_check.repeats(model, state, held, own, batch):
            raise UserError(refusals.UNREPEATABLE)
        self._not_as_recorded(DIFFERS if recorded else self._why_not)
        return None

    def _recorded_reset(self, held: Held) -> Any:
        """Resetting the metrics, as a recording if that is all there is to it."""
        model = self._model
        kept = torch_check.put_back(model, self._state, held, guarded=False)
        with kept, contextlib.suppress(NotRecordable):
            recorded, _ = torch_recording.record(model, lambda _: model.reset_metrics() or {}, [])
            if not held.changed():
                return recorded.quiet
        return model.reset_metrics

    def _all_of(self, recorded: Recording) -> Tensors:
        both = {id(tensor): tensor for tensor in (*self._state, *recorded.touched)}
        return list(both.values())

    def _epoch(self, number: int) -> Logs:
        recordings = self._recordings
        with _replaying(bool(self._task.jit)) if recordings else contextlib.nullcontext():
            (self._reset if recordings else self._model.reset_metrics)()
        _draw_as_loader_does()
        batches = self._batches(self._order(number))
        logs: Logs = {}
        if self._doubtful:
            logs = self._confirmed(next(batches))
            recordings = self._recordings
        if recordings:
            with _replaying(bool(self._task.jit)):
                logs = self._replayed(batches) or logs
        else:
            for batch in batches:
                logs = self._model.train_step(self._packed(batch))
            logs = _flat(self._model._get_metrics_result_or_logs(logs))
        _draw_as_loader_does()
        if self._task.validates(number):
            logs = {**logs, **{f"val_{name}": value for name, value in self._validated().items()}}
        return logs

    def _replayed(self, batches: Iterator[Tensors]) -> Logs:
        last: Tensors | None = None
        for batch in batches:
            if last is not None:
                self._recordings[len(last[0])].quiet(*last)
            last = batch
        return self._recordings[len(last[0])].told(*last) if last else {}

    def _validated(self) -> Logs:
        assert self._task.validation is not None
        self._model.eval()
        self._model.reset_metrics()
        logs: Logs = {}
        with torch.no_grad():
            _draw_as_loader_does()
            for batch in _cut(leaves(self._validation), self._task.validation.batch_size):
                logs = self._model.test_step(_packed(self._validation, batch))
            _draw_as_loader_does()
            logs = self._model._get_metrics_result_or_logs(logs)
        self._model.train()
        return _flat(logs)

    def _order(self, epoch: int) -> torch.Tensor | None:
        if not self._task.shuffles:
            return None
        generator = torch.Generator()
        generator.manual_seed((self._task.seed << 24) + epoch)
        order = torch.randperm(self._task.training.rows, generator=generator)
        return order.to(self._parts[0].device)

    def _batches(self, order: torch.Tensor | None) -> Iterator[Tensors]:
        """The tensors of each batch in turn, views of the data if nothing writes into them."""
        if order is None:
            written = any(one.writes_into_batch for one in self._recordings.values())
            for batch in self._in_order:
                yield [part.clone() for part in batch] if written else batch
            return
        size = self._task.training.batch_size
        row_bytes = sum(part[0].nbytes for part in self._parts)
        rows = size * max(1, GATHERED_BYTES // max(1, row_bytes * size))
        for some in order.split(rows):
            yield from _cut([part.index_select(0, some) for part in self._parts], size)

    def _packed(self, batch: Tensors) -> Any:
        return _packed(self._data, batch)

    def _confirmed(self, batch: Tensors) -> Logs:
        """A step of the model's own, after which the recording is trusted again, or never."""
        self._doubtful = False
        recorded = self._recordings.get(len(batch[0]))
        if recorded is None:
            return self._own_step(self._packed(batch))
        state = self._all_of(recorded)
        before = torch_check.values(state)
        with torch_check.numbers_kept():
            logs = recorded(self._packed(batch))
        expected = logs, torch_check.values(state)
        torch_check.assign(state, before)
        taken = self._own_step(self._packed(batch))
        outcome = taken, torch_check.values(state)
        if not torch_check.same(expected, outcome, recorded.adds_in_another_order):
            self._not_as_recorded(f"{DIFFERS}, after a callback")
        return taken

    def _own_step(self, batch: Any) -> Logs:
        logs = self._model.train_step(batch)
        return _flat(self._model._get_metrics_result_or_logs(logs))

    def _not_as_recorded(self, why: str) -> None:
        self._recordings, self._why_not = {}, why
        warnings.warn(f"the model's training step {why}: it is taken as fit takes it", stacklevel=2)


def _draw_as_loader_does() -> None:
    """Draw the seed of `fit`'s `DataLoader`: unseeded dropout then drops the same cells.

    `fit` makes one before the first batch of a pass and one after the last.
    """
    torch.empty((), dtype=torch.int64).random_()


@contextlib.contextmanager
def _training_mode(model: Any) -> Iterator[None]:
    model.train()
    try:
        yield
    finally:
        model.eval()


def _replaying(jit: bool) -> Any:
    """No gradients, and no count of versions but where Inductor looks at it."""
    return torch.no_grad() if jit else torch.inference_mode()


def _cut(data: Tensors, size: int) -> Iterator[Tensors]:
    return map(list, zip(*(one.split(size) for one in data), strict=True))


def _packed(data: Any, batch: Tensors) -> Any:
    """A batch in the structure of the data, fresh as from a `DataLoader`."""
    import keras

    parts = iter(batch)
    flat = [None if one is None else next(parts).clone() for one in keras.tree.flatten(data)]
    return keras.tree.pack_sequence_as(data, flat)


def _sizes(batches: Batches, data: Any) -> list[Any]:
    """A batch of each size."""
    rest = batches.rows - batches.rows_before_last
    size = min(batches.rows, batches.batch_size)
    sizes = dict.fromkeys((size, rest))
    return [_packed(data, [one[:rows] for one in leaves(data)]) for rows in sizes]


def _rows(batch: Any) -> int:
    return len(leaves(batch)[0])


def _flat(logs: dict[str, Any]) -> Logs:
    flat: Logs = {}
    for name, value in logs.items():
        if isinstance(value, dict):
            flat |= _flat(value)
        else:
            flat[name] = torch.as_tensor(value).detach()
    return flat
