"""Recording a Keras training step on Torch as one graph of tensor operations."""

import warnings
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode

Tensors = list[torch.Tensor]

ALIASES = (torch.ops.aten.detach.default, torch.ops.aten.lift_fresh_copy.default)
"""Operations that only matter to a gradient tape, or to whoever writes into a constant."""


READ_OUT = {
    torch.Tensor.numpy: "NumPy",
    torch.Tensor.__array__: "NumPy",
    torch.Tensor.tolist: "a Python list",
    torch.Tensor.__dlpack__: "another library",
}
"""Ways to a tensor's values that a recording does not see; those of `item` are seen, and fail."""


class NotRecordable(RuntimeError):  # noqa: N818 (an answer, not a mistake)
    """Why a step cannot be recorded, in words that follow "its training step"."""


class Recording:
    """A recorded step: state and batch to logs and new state; the state may be written to."""

    def __init__(self, graph: fx.GraphModule, log_names: list[str]) -> None:
        self._run: Any = graph.forward
        self._graph = graph
        self._names = log_names

    def __call__(self, state: Tensors, batch: Any) -> tuple[dict[str, torch.Tensor], Tensors]:
        """Take the step."""
        with torch.no_grad():
            results = self._run(*state, *_leaves(batch))
        count = len(self._names)
        return dict(zip(self._names, results[:count], strict=True)), list(results[count:])

    def compile(self, state: Tensors, batch: Any) -> None:
        """Compile with Inductor, which it does at the first call: this one, on copies."""
        self._run = torch.compile(self._graph, fullgraph=True, dynamic=False)
        with torch.random.fork_rng(devices=[]):
            self(state, batch)

    def capture(self, state: Tensors, batch: Any) -> None:
        """Make it a CUDA graph: one launch a step, on copies of the state and the batch."""
        held = [tensor.clone() for tensor in (*state, *_leaves(batch))]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.random.fork_rng(devices=[torch.cuda.current_device()]), torch.no_grad():
            with torch.cuda.stream(stream):
                for _ in range(3):
                    self._graph.forward(*held)
            torch.cuda.current_stream().wait_stream(stream)
            captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(captured):
                results = self._graph.forward(*held)

        def replay(*inputs: torch.Tensor) -> Tensors:
            for kept, given in zip(held, inputs, strict=True):
                if kept.data_ptr() != given.data_ptr():
                    kept.copy_(given)
            captured.replay()
            return [result.clone() for result in results]

        self._run = replay


def record(model: Any, state_variables: list[Any], batch: Any) -> Recording:
    """Record `model.train_step` for this size of batch, on copies. Raises NotRecordable."""
    import keras

    names: list[str] = []
    count = len(state_variables)

    def step(*tensors: torch.Tensor) -> Tensors:
        packed = keras.tree.pack_sequence_as(batch, list(tensors[count:]))
        with _Unread():
            logs, state = _step(model, state_variables, list(tensors[:count]), packed)
        names[:] = list(logs)
        return [*logs.values(), *state]

    copies = [variable.value.detach().clone() for variable in state_variables]
    inputs = [leaf.clone() for leaf in _leaves(batch)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = make_fx(step)(*copies, *inputs)
    except NotRecordable:
        raise
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError) as failure:
        # Whatever stopped it comes up again in the model's own step if it is a mistake.
        raise NotRecordable("") from failure
    finally:
        model._losses_override.clear()
    return Recording(_without_aliases(graph), names)


class _Unread(TorchFunctionMode):  # type: ignore[misc]
    """No value leaves for Python unseen: the recording would hold it for ever."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READ_OUT:
            raise NotRecordable(f"hands values to {READ_OUT[func]}")
        return func(*args, **(kwargs or {}))


def _step(
    model: Any, state_variables: list[Any], state: Tensors, batch: Any
) -> tuple[dict[str, torch.Tensor], Tensors]:
    import keras

    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    count = len(model.trainable_variables)
    weights = [tensor.detach().requires_grad_() for tensor in state[:count]]
    mapping = list(zip(state_variables, [*weights, *state[count:]], strict=True))
    with keras.StatelessScope(mapping, collect_losses=True) as scope:
        training = {"training": True} if model._call_has_training_arg else {}
        y_pred = model(x, **training)
        losses = model.losses
        if losses:
            model._losses_override.clear()
            model._losses_override = losses
        loss = model._compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
        )
        if losses:
            model._losses_override.clear()
        model._loss_tracker.update_state(loss, sample_weight=len(_leaves(x)[0]))
        scaled = model.optimizer.scale_loss(loss)
        gradients = torch.autograd.grad(scaled, weights, allow_unused=True)
        with torch.no_grad():
            model.optimizer.apply(list(gradients), model.trainable_variables)
            logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
            if type(model).compute_metrics is not keras.Model.compute_metrics:
                logs = model._get_metrics_result_or_logs(logs)
    if set(scope.state_mapping) - {id(variable) for variable in state_variables}:
        raise NotRecordable("changes a variable that is not among the model's or its optimizer's")
    new_state = [scope.get_current_value(variable) for variable in state_variables]
    flat_logs = {name: torch.as_tensor(value) for name, value in logs.items()}
    return flat_logs, [value.detach() for value in new_state]


def _leaves(batch: Any) -> Tensors:
    import keras

    return [leaf for leaf in keras.tree.flatten(batch) if leaf is not None]


def _without_aliases(graph: fx.GraphModule) -> fx.GraphModule:
    for node in list(graph.graph.nodes):
        if node.target in ALIASES and not _is_written_to(node):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.graph.set_codegen(fx.graph.CodeGen())
    graph.graph.lint()
    graph.recompile()
    return graph


def _is_written_to(node: fx.Node) -> bool:
    """Whether an operation writes into a constant's copy; a state's alias may be written to."""
    if node.target is torch.ops.aten.detach.default:
        return False
    return any(
        getattr(user.target, "__name__", "").split(".")[0].endswith("_") for user in node.users
    )
