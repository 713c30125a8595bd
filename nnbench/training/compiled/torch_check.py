"""Checking a recorded step against the model's own, on other values than those recorded.

What a step reads out of its tensors into Python, or keeps in Python, is a constant in a recording.
So the model's own step is taken from states and with batches that the recording has not seen, and
all that it changed is put back.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from nnbench.training.compiled import python_state
from nnbench.training.compiled.torch_recording import Tensors

Logs = dict[str, torch.Tensor]
Step = Callable[[Tensors, Any], tuple[Logs, Tensors]]
Outcome = tuple[Logs, Tensors, bool]

LATER = 10_007
"""Steps: where a learning rate that follows the count of steps is another one."""


@contextlib.contextmanager
def put_back(model: Any, variables: list[Any]) -> Iterator[python_state.Held]:
    """Whatever steps change meanwhile is put back: variables, Python's state, random numbers."""
    gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    before = values(variables)
    held = python_state.held(model)
    with torch.random.fork_rng(devices=gpus), _assigned() as others:
        try:
            yield held
        finally:
            assign(variables, before)
            for variable in variables:
                others.pop(id(variable), None)
            for variable, value in list(others.values()):
                variable.assign(value)
            held.put_back()


def agrees(model: Any, variables: list[Any], recorded: Step, own: Step, batch: Any) -> bool:
    """Whether both take the same steps; `batch` is one like that recorded."""
    for state, other in _probes(model, variables, own, batch):
        theirs = _outcome(model, variables, own, state, other)
        ours = _outcome(model, variables, recorded, state, other)
        if theirs[2] or not same(ours, theirs):
            return False
    return True


def repeats(model: Any, variables: list[Any], own: Step, batch: Any) -> bool:
    """Whether the model's own step is the same twice: if not, it cannot be put back either."""
    state = values(variables)
    first = _outcome(model, variables, own, state, batch)
    return same(first, _outcome(model, variables, own, state, batch))


def same(one: tuple[Logs, Tensors, Any], other: tuple[Logs, Tensors, Any]) -> bool:
    """Whether two steps gave the same logs and state, but for a sum's last digits."""
    if one[0].keys() != other[0].keys():
        return False
    pairs = [(one[0][name], other[0][name]) for name in one[0]]
    return all(_close(a, b) for a, b in [*pairs, *zip(one[1], other[1], strict=True)])


def values(variables: list[Any]) -> Tensors:
    """Copies of what variables hold."""
    return [variable.value.detach().clone() for variable in variables]


def assign(variables: list[Any], new: Tensors) -> None:
    """Set variables."""
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)


def fresh(batch: Any) -> Any:
    """A copy of a batch, which a step may write into, as `fit` hands out."""
    import keras

    return keras.tree.map_structure(torch.clone, batch, none_is_leaf=False)


def _probes(
    model: Any, variables: list[Any], own: Step, batch: Any
) -> Iterator[tuple[Tensors, Any]]:
    """A state after a step and another much later, each with a batch of other numbers."""
    import keras

    def other(array: torch.Tensor) -> torch.Tensor:
        turned = array.flip(0)
        return 0.9 * turned if array.is_floating_point() else turned

    changed = keras.tree.map_structure(other, batch, none_is_leaf=False)
    _, after, _ = _outcome(model, variables, own, values(variables), changed)
    yield after, changed
    counts = {id(one) for one in model.optimizer.variables if one.name == "iteration"}
    later = [0.9 * value if value.is_floating_point() else value for value in after]
    for position, variable in enumerate(variables):
        if id(variable) in counts:
            later[position] = later[position] + LATER
    yield later, batch


def _outcome(model: Any, variables: list[Any], step: Step, state: Tensors, batch: Any) -> Outcome:
    with put_back(model, variables) as held:
        assign(variables, state)
        logs, new = step([value.clone() for value in state], fresh(batch))
        logs = {name: torch.as_tensor(value).detach().clone() for name, value in logs.items()}
        return logs, [value.detach().clone() for value in new], held.changed()


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not other.is_floating_point():
        return bool(torch.equal(one, other))
    # Kernels of a GPU may add in any order.
    precise = 1e-6 if other.dtype in (torch.float32, torch.float64) else 1e-2
    scale = torch.nan_to_num(other).abs().max().item() if other.numel() else 0.0
    close = precise * (100 if other.is_cuda else 1)
    return bool(torch.allclose(one, other, rtol=close, atol=close * scale / 10, equal_nan=True))


@contextlib.contextmanager
def _assigned() -> Iterator[dict[int, tuple[Any, torch.Tensor]]]:
    """Every variable that is assigned meanwhile, with its value before: also what no list names."""
    from keras import Variable

    owner: Any = next(kind for kind in Variable.__mro__ if "assign" in vars(kind))
    plain = owner.assign
    found: dict[int, tuple[Any, torch.Tensor]] = {}

    def watched(variable: Any, value: Any) -> Any:
        # None within a stateless scope's recording, where nothing is assigned.
        if id(variable) not in found and variable._value is not None:
            found[id(variable)] = variable, variable._value.detach().clone()
        return plain(variable, value)

    owner.assign = watched
    try:
        yield found
    finally:
        owner.assign = plain
