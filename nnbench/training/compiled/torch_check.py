"""Checking a recorded step against the model's own, on other values than those recorded.

What a step reads out of its tensors into Python, or keeps in Python, is a constant in a recording.
So the model's own step is taken from a state and with a batch that the recording has not seen, and
all that it changed is put back.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from nnbench.training.compiled.python_state import Held
from nnbench.training.compiled.torch_recording import Logs, Recording, Tensors
from nnbench.training.compiled.torch_tape import Guard

Step = Callable[[Any], Logs]
Outcome = tuple[Logs, Tensors]

ROUGHLY = 3e-5
"""Of a tensor's norm: so far a tensor may be off whose sums are of another order."""

LATER = 10_008
"""Steps from the model's count to where its step is recorded: a learning rate that follows the
count is another one there. It is checked a step after the model's count, a prime number of steps
away, so that what comes round every few steps differs, too."""


@contextlib.contextmanager
def put_back(model: Any, state: Tensors, held: Held, guarded: bool = True) -> Iterator[None]:
    """Whatever steps change meanwhile is put back: tensors, Python's state, random numbers.

    Tensors that are not in `state` only if they are guarded, which takes a while.
    """
    before = values(state)
    gradients = [weight.value.grad for weight in model.trainable_variables]
    guard = Guard()
    with numbers_kept(), _created() as created:
        try:
            with guard if guarded else contextlib.nullcontext():
                yield
        finally:
            guard.put_back()
            assign(created[::2], created[1::2])
            assign(state, before)
            for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
                weight.value.grad = gradient
            held.put_back()


def numbers_kept() -> Any:
    """Torch's global generators are afterwards as they were."""
    gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    return torch.random.fork_rng(devices=gpus)


def agrees(
    model: Any,
    state: Tensors,
    left: Tensors,
    held: Held,
    recorded: Recording,
    own: Step,
    batch: Any,
) -> bool:
    """Whether both take the same steps; `batch` is one like that recorded.

    `left` is what the step that was recorded made of what it changes, `much_later`.
    """
    made = {id(tensor): value for tensor, value in zip(recorded.touched, left, strict=True)}
    with put_back(model, state, held, guarded=False):
        after = [
            made.get(id(tensor), value) for tensor, value in zip(state, values(state), strict=True)
        ]
        before, other = _unseen(model, state, after, batch)
        theirs = _outcome(state, own, before, other)
        ours = _outcome(state, recorded, before, other)
        return not held.changed() and same(ours, theirs, recorded.adds_in_another_order)


def repeats(model: Any, state: Tensors, held: Held, own: Step, batch: Any) -> bool:
    """Whether the model's own step is the same twice: if not, it cannot be put back either."""
    outcomes = []
    for _ in range(2):
        with put_back(model, state, held):
            outcomes.append(_outcome(state, own, values(state), batch))
    one, other = outcomes
    return same(one, other)


def same(one: Outcome, other: Outcome, roughly: bool = False) -> bool:
    """Whether two steps gave the same logs and state, but for a sum's last digits.

    `roughly`: their sums are of another order. Where terms cancel out, Adam makes much of that.
    """
    if one[0].keys() != other[0].keys():
        return False
    pairs = [(one[0][name], other[0][name]) for name in one[0]]
    return all(_close(a, b, roughly) for a, b in [*pairs, *zip(one[1], other[1], strict=True)])


def values(state: Tensors) -> Tensors:
    """Copies of what tensors hold."""
    return [tensor.detach().clone() for tensor in state]


def assign(state: Tensors, new: Tensors) -> None:
    """Set tensors."""
    with torch.no_grad():
        for tensor, value in zip(state, new, strict=True):
            tensor.detach().copy_(value)


def fresh(batch: Any) -> Any:
    """A copy of a batch, which a step may write into, as `fit` hands out."""
    import keras

    return keras.tree.map_structure(torch.clone, batch, none_is_leaf=False)


def much_later(model: Any) -> None:
    """Have the optimizer count `LATER` steps more."""
    for count in _counts(model):
        count += LATER


def _counts(model: Any) -> Tensors:
    return [one.value for one in model.optimizer.variables if one.name == "iteration"]


def _unseen(model: Any, state: Tensors, after: Tensors, batch: Any) -> tuple[Tensors, Any]:
    """The state `after` the recorded step, but early again and other values, and another batch.

    At the rate of the first steps: one that has decayed to nothing would hide what else differs.
    """
    import keras

    def other(array: torch.Tensor) -> torch.Tensor:
        turned = array.flip(0)
        return 0.9 * turned if array.is_floating_point() else turned

    early = [0.9 * value if value.is_floating_point() else value for value in after]
    counts = {id(count) for count in _counts(model)}
    for position, tensor in enumerate(state):
        if id(tensor) in counts:
            early[position] = early[position] - LATER
    return early, keras.tree.map_structure(other, batch, none_is_leaf=False)


def _outcome(state: Tensors, step: Step, before: Tensors, batch: Any) -> Outcome:
    assign(state, before)
    with numbers_kept():
        logs = step(fresh(batch))
    return {name: value.detach().clone() for name, value in logs.items()}, values(state)


def _close(one: torch.Tensor, other: torch.Tensor, roughly: bool) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not other.is_floating_point():
        return bool(torch.equal(one, other))
    # Kernels of a GPU may add in any order. Beside the largest element a small one is rounding,
    # of which a deep network has more; what is read out into Python is another number altogether.
    precise = 3e-6 if other.dtype in (torch.float32, torch.float64) else 1e-2
    if roughly and precise < ROUGHLY and torch.equal(one.isnan(), other.isnan()):
        apart = torch.nan_to_num(one - other).double().norm()
        return bool(apart <= ROUGHLY * torch.nan_to_num(other).double().norm())
    scale = torch.nan_to_num(other).abs().max().item() if other.numel() else 0.0
    close = precise * (100 if other.is_cuda else 1)
    return bool(torch.allclose(one, other, rtol=close, atol=close * scale, equal_nan=True))


@contextlib.contextmanager
def _created() -> Iterator[Tensors]:
    """The tensor of every variable that is made meanwhile, each followed by its first value."""
    from keras import Variable

    plain: Any = Variable._initialize
    found: Tensors = []

    def watched(variable: Any, value: Any) -> Any:
        plain(variable, value)
        if variable._value.device.type != "meta":
            found.extend((variable._value, variable._value.detach().clone()))

    with mock.patch.object(Variable, "_initialize", watched):
        yield found
