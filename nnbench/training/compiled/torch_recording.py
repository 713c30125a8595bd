"""Recording a Keras training step on Torch: the step as it is, watched while it is taken."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode

from nnbench.training.compiled import torch_recurrent, torch_tape
from nnbench.training.compiled.torch_tape import NotRecordable, Tape, Watch

Tensors = list[torch.Tensor]
Logs = dict[str, torch.Tensor]

READ_OUT = {
    torch.Tensor.numpy: "NumPy",
    torch.Tensor.__array__: "NumPy",
    torch.Tensor.tolist: "a Python list",
    torch.Tensor.__dlpack__: "another library",
}
"""Ways to a tensor's values that a recording does not see; those of `item` are seen, and fail."""

IMAGES_NDIM = 4
"""Rows of the batch, rows, columns and channels; Torch knows no channels last of fewer."""

FAR = 1e9
"""A count of steps at which a power of Adam's betas is 0."""


class Recording:
    """A recorded step: it changes its tensors in place and returns the logs."""

    def __init__(self, tape: Tape, names: list[str], touched: Tensors) -> None:
        self._tape, self._names = tape, names
        self.touched = touched
        """Tensors that it changes."""
        self.writes_into_batch = not tape.written.isdisjoint(
            tape.roots[number] for number in tape.inputs
        )
        self.adds_in_another_order = any(map(torch_recurrent.is_own, tape.ops))
        """Than the model's own step."""
        self.compiled = ""
        """By what, in words that follow "recorded step"."""
        self._run: Any = torch_tape.function(tape, tape.outputs)

    @functools.cached_property
    def quiet(self) -> Any:
        """What takes the step with the tensors of a batch, and tells nothing."""
        return torch_tape.function(self._tape, [])

    def told(self, *batch: torch.Tensor) -> Logs:
        """Take the step with the tensors of a batch; they may be written into."""
        return dict(zip(self._names, self._run(*batch), strict=True))

    def __call__(self, batch: Any) -> Logs:
        """Take the step as the model would."""
        with torch.no_grad():
            return self.told(*leaves(batch))

    def compile(self, batch: Any) -> None:
        """Compile with Inductor, which it does at the first call: this one."""
        tape = torch_tape.on_device(self._tape)
        if tape.in_python:
            return
        graph = torch_tape.graph(tape)
        self._run = vars(self)["quiet"] = torch.compile(graph, fullgraph=True, dynamic=False)
        self(batch)
        self.compiled = ", compiled by Inductor"

    def capture(self, batch: Any) -> None:
        """Make it a CUDA graph: one launch a step, on a copy of the batch."""
        tape = torch_tape.on_device(self._tape)
        if tape.in_python:
            return
        self.compiled = " as a CUDA graph"
        held = [tensor.clone() for tensor in leaves(batch)]
        self._run, vars(self)["quiet"] = (
            _captured(torch_tape.function(tape, outputs), held) for outputs in (tape.outputs, [])
        )


def _captured(step: Any, held: Tensors) -> Any:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode():
        with torch.cuda.stream(stream):
            for _ in range(3):
                step(*held)
        torch.cuda.current_stream().wait_stream(stream)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            results = step(*held)

    def replay(*batch: torch.Tensor) -> Tensors:
        for kept, given in zip(held, batch, strict=True):
            kept.copy_(given)
        captured.replay()
        return [result.clone() for result in results]

    return replay


def record(
    model: Any,
    step: Callable[[Any], Logs],
    batch: Any,
    *,
    fused: bool = True,
    recurrent: bool = False,
) -> tuple[Recording, Tensors]:
    """Take a step of the model and record it. Raises NotRecordable.

    All that the step changes is put back, but for what Keras or Python keep beside tensors. The
    second is what it made of the tensors that it changes, `touched`.
    `fused`: with operations that Inductor does not know; `recurrent`: those of recurrent layers.
    """
    import keras

    inputs = leaves(batch)
    watch = Watch()
    before = [weight.value.grad for weight in model.trainable_variables]
    last = [torch.zeros_like(weight.value) for weight in model.trainable_variables]
    for weight, gradient in zip(model.trainable_variables, last, strict=True):
        weight.value.grad = gradient
    # Keras would word what a layer raises anew.
    filters = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        with (
            warnings.catch_warnings(),
            _quicker_optimizer(model.optimizer, fused),
            _both_ways(watch),
            _images_where_they_lie(),
            torch_recurrent.in_few_operations() if recurrent else contextlib.nullcontext(),
        ):
            warnings.simplefilter("ignore")
            with _Unread(), watch:
                logs = step(batch)
        tape = torch_tape.wind(watch, inputs, list(logs.values()))
        if not tape.written.isdisjoint(one.untyped_storage()._cdata for one in last):
            raise NotRecordable("adds to the gradients of the step before")
        torch_tape.simplify(tape)
        touched = [tensor for tensor, _ in watch.before.values()]
        left = [tensor.detach().clone() for tensor in touched]
        return Recording(tape, list(logs), touched), left
    except NotRecordable:
        raise
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError) as failure:
        # Whatever stopped it comes up again in the model's own step if it is a mistake.
        raise NotRecordable from failure
    finally:
        if filters:
            keras.config.enable_traceback_filtering()
        watch.put_back()
        for weight, gradient in zip(model.trainable_variables, before, strict=True):
            weight.value.grad = gradient


class _Unread(TorchFunctionMode):  # type: ignore[misc]
    """No value leaves for Python unseen: the recording would hold it for ever."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READ_OUT:
            raise NotRecordable(f"hands values to {READ_OUT[func]}")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def _both_ways(watch: Watch) -> Iterator[None]:
    """`keras.ops.cond` takes both ways where they only compute, as in a rate that warms up."""
    import keras
    from keras.src.backend.torch import core

    plain: Any = core.cond

    def cond(chosen: Any, one_way: Any, other_way: Any) -> Any:
        if not isinstance(chosen, torch.Tensor) or chosen.is_meta:
            return plain(chosen, one_way, other_way)
        outer, watch.only_values = watch.only_values, True
        try:
            ends = one_way(), other_way()
            return keras.tree.map_structure(functools.partial(_either, chosen), *ends)
        except (NotRecordable, ValueError, TypeError):
            # It may be the same way each time.
            watch.only_values = outer
            return plain(chosen, one_way, other_way)
        finally:
            watch.only_values = outer

    with mock.patch.object(core, "cond", cond):
        yield


def _either(chosen: torch.Tensor, one: Any, other: Any) -> torch.Tensor:
    ends = one, other
    # Through the way that is not taken no gradient may flow, not even 0 times infinity.
    if not all(isinstance(end, torch.Tensor) and not end.requires_grad for end in ends):
        raise NotRecordable(torch_tape.LOOKS)
    if one.shape != other.shape or one.dtype != other.dtype:
        raise NotRecordable(torch_tape.LOOKS)
    return torch.where(chosen, one, other)


@contextlib.contextmanager
def _images_where_they_lie() -> Iterator[None]:
    """Images stay as Keras holds them, rows x columns x channels: Torch is handed a view of them.

    Keras copies them for every convolution and pooling, channels first; a convolution copies them
    back, as Torch's kernel reads channels last. So it reads the same numbers as ever.
    """
    from keras.src.backend.torch import nn

    copied: Any = getattr(nn, "_transpose_spatial_inputs", None)
    if copied is None:
        # Keras' own affair: another version may do otherwise.
        yield
        return

    def channels_first(images: torch.Tensor) -> torch.Tensor:
        if images.ndim < IMAGES_NDIM:
            return copied(images)
        return images.permute(0, images.ndim - 1, *range(1, images.ndim - 1))

    def on_views(operation: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            with mock.patch.object(nn, "_transpose_spatial_inputs", channels_first):
                return operation(*args, **kwargs)

        return call

    # Others would take kernels of another order of summation.
    views = {name: on_views(getattr(nn, name)) for name in ("conv", "max_pool")}
    with mock.patch.multiple(nn, **views):
        yield


@contextlib.contextmanager
def _quicker_optimizer(optimizer: Any, fused: bool) -> Iterator[None]:
    """Adam in one operation; Nadam without its way through NumPy."""
    from keras.src.backend.torch import core
    from keras.src.backend.torch.optimizers import torch_adam, torch_nadam

    plain: Any = getattr(type(optimizer), "_parallel_update_step", None)

    def adam(gradients: Any, variables: Any, learning_rate: Any) -> None:
        if not fused or not _fused_adam(optimizer, gradients, variables, learning_rate):
            plain(optimizer, gradients, variables, learning_rate)

    def nadam(gradients: Any, variables: Any, learning_rate: Any) -> None:
        with mock.patch.object(core, "convert_to_numpy", lambda value: value):
            plain(optimizer, gradients, variables, learning_rate)

    quicker: dict[Any, Any] = {
        torch_adam.Adam._parallel_update_step: adam,
        torch_nadam.Nadam._parallel_update_step: nadam,
    }
    found = quicker.get(plain)
    if found is None:
        yield
        return
    vars(optimizer)["_parallel_update_step"] = found
    try:
        yield
    finally:
        del vars(optimizer)["_parallel_update_step"]


def _fused_adam(optimizer: Any, gradients: Any, variables: Any, learning_rate: Any) -> bool:
    """Keras' Adam by Torch's fused operation, which takes Keras' step size at a far step."""
    from keras import ops

    weights = [variable.value for variable in variables]
    places = [optimizer._get_variable_index(variable) for variable in variables]

    def slots(kept: Any) -> Tensors:
        return [kept[place].value for place in places]

    first, second = slots(optimizer._momentums), slots(optimizer._velocities)
    highest = slots(optimizer._velocity_hats) if optimizer.amsgrad else []
    dtype, device = weights[0].dtype, weights[0].device
    alike = all(
        one.dtype == dtype and one.device == device and one.is_contiguous()
        for one in (*weights, *first, *second, *highest)
    )
    if not alike or dtype not in (torch.float32, torch.float64):
        return False
    count = ops.cast(optimizer.iterations + 1, dtype)
    of_first = ops.power(ops.cast(optimizer.beta_1, dtype), count)
    of_second = ops.power(ops.cast(optimizer.beta_2, dtype), count)
    rate = ops.cast(learning_rate, dtype) * ops.sqrt(1 - of_second) / (1 - of_first)
    far = torch.full((), FAR, device=device)
    torch._fused_adam_(
        weights,
        [gradient.contiguous() for gradient in gradients],
        first,
        second,
        highest,
        [far] * len(weights),
        lr=rate,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=optimizer.amsgrad,
        maximize=False,
    )
    return True


def leaves(batch: Any) -> Tensors:
    """The tensors of a batch."""
    import keras

    return [leaf for leaf in keras.tree.flatten(batch) if leaf is not None]
