"""A tape of tensor operations on Torch: watched while they run, simplified, written as Python.

A `Watch` sees every operation below autograd and Keras, with the tensors themselves. What a
training step changes in place (weights, slots, metrics, moving statistics) it changes there, so a
tape that runs again on the same tensors is the next step. A tensor that was there before is named
as it is; whatever an operation made is a local variable of the function that is written.
"""

import functools
import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

FREE_OF_VALUES = {"is_same_size", "sym_size", "sym_stride", "sym_numel", "sym_storage_offset"}
"""Operations whose answer in Python follows from shapes."""

SHAPES_ONLY = {"ones_like", "zeros_like", "full_like", "new_zeros", "new_ones", "new_full"}
"""Operations on a tensor that do not look at its values."""

WRITES_UNTOLD = {"native_batch_norm": (3, 4), "cudnn_batch_norm": (3, 4)}
"""Arguments that an operation writes into, though its schema does not say so."""

ONLY_READ = {("_fused_adam_", "grads")}
"""Arguments that are not written into as they are used here, though the schema says so."""

EMPTY = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
TOTALS = (aten.sum.default, aten.sum.dim_IntList, aten.mean.default, aten.mean.dim)

BOUND_ALIKE = {"alpha", "reduction", "rounding_mode", "generator"}
"""Keywords that a binding of Torch has wherever the operation has them."""

_BOUND = {
    torch._C._VariableFunctions: (
        "add sub mul div mm bmm addmm relu sigmoid tanh exp log sqrt rsqrt neg abs square "
        "reciprocal pow rsub clamp where eq ne ge gt le lt sum mean t transpose embedding "
        "cat convolution native_layer_norm bernoulli squeeze unsqueeze"
    ),
    torch._C.TensorBase: "view expand permute copy_ add_ sub_ mul_ logical_and_",
    torch._C._nn: "gelu leaky_relu elu",
}
BOUND = {
    name: getattr(owner, name)
    for owner, names in _BOUND.items()
    for name in names.split()
    if hasattr(owner, name)
}
"""Operations whose bindings take the same arguments in the same order, in half the time."""

TOLD_BY_GRAD_MODE = {"mkldnn_rnn_layer"}
"""Operations that keep what their gradient needs only where gradients are on."""

IN_PLACE = {
    aten.add.Tensor: aten.add_.Tensor,
    aten.sub.Tensor: aten.sub_.Tensor,
    aten.mul.Tensor: aten.mul_.Tensor,
}

COPIES = (aten.clone.default, aten._to_copy.default)


class NotRecordable(RuntimeError):  # noqa: N818 (an answer, not a mistake)
    """Why a step cannot be recorded, in words that follow "its training step"."""


@dataclass(frozen=True)
class Ref:
    """A tensor of a tape, by number."""

    number: int


@dataclass
class Op:
    """An operation; tensors among its arguments are `Ref`s, and so are its results."""

    call: Any
    args: Any
    kwargs: Any
    outs: Any
    writes: frozenset[int] = frozenset()
    counts: bool = False
    """It draws random numbers, or hands a value to Python: it stays where it is."""

    @functools.cached_property
    def reads(self) -> list[int]:
        """Numbers of the tensors among its arguments."""
        return [ref.number for ref in _leaves((self.args, *self.kwargs.values()), Ref)]

    @functools.cached_property
    def makes(self) -> list[int]:
        """Numbers of its results."""
        return [ref.number for ref in _leaves(self.outs, Ref)]


@dataclass(frozen=True)
class Read:
    """A value that was handed to Python, before the operation of this number."""

    tensor: torch.Tensor
    value: Any
    before: int


class Guard(TorchDispatchMode):  # type: ignore[misc]
    """Remembers what is overwritten meanwhile of the tensors that were there before."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for tensor in _written(func, args, kwargs):
            root = _root(tensor)
            if root not in self._made and root not in self.before:
                self.before[root] = tensor, tensor.detach().clone()
        result = func(*args, **kwargs)
        if func is not aten.lift_fresh.default:
            self._made.update(map(_root, _leaves(result, torch.Tensor)))
        return result

    def put_back(self) -> None:
        """Give tensors that were there before their values."""
        with torch.no_grad():
            for tensor, value in self.before.values():
                tensor.detach().copy_(value)


class Watch(Guard):
    """Holds every operation that runs meanwhile, too."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, Any, Any, Any]] = []
        self.read: list[Read] = []
        self.only_values = False
        """Whether nothing may be written or drawn now."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.only_values and (_writes(func) or torch.Tag.nondeterministic_seeded in func.tags):
            raise NotRecordable(LOOKS)
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func is aten._local_scalar_dense.default:
            self.read.append(Read(args[0], result, len(self.seen)))
        elif isinstance(result, bool | int | float):
            if _named(func) not in FREE_OF_VALUES:
                raise NotRecordable(LOOKS)
        else:
            self.seen.append((func, args, kwargs or {}, result))
        return result


LOOKS = "looks at values in Python"


def _leaves(value: Any, kind: type) -> Iterator[Any]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part, kind)


def _mapped(value: Any, kind: type, change: Any) -> Any:
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, list | tuple):
        return [_mapped(part, kind, change) for part in value]
    return value


def _named(func: Any) -> str:
    return str(func._schema.name).split("::")[1]


@functools.cache
def _writes(func: Any) -> tuple[tuple[int, str], ...]:
    """Position and name of the arguments that an operation writes into."""
    untold = WRITES_UNTOLD.get(_named(func), ())
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(func._schema.arguments)
        if position in untold
        or (_is_written(argument) and (_named(func), argument.name) not in ONLY_READ)
    )


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def _written(func: Any, args: Any, kwargs: Any) -> Iterator[torch.Tensor]:
    for position, name in _writes(func):
        given = args[position] if position < len(args) else kwargs.get(name)
        yield from _leaves(given, torch.Tensor)


def _root(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@dataclass
class Tape:
    """Operations in order, from `inputs` to `outputs`."""

    ops: list[Op]
    tensors: list[Any]
    roots: list[int]
    inputs: list[int]
    outputs: list[int]
    outside: set[int]
    """Tensors that are there before it runs."""
    fixed: set[int]
    """Tensors that are the same whenever the tape runs."""
    read: list[int]
    """Tensors whose value was looked at in Python."""

    @property
    def written(self) -> set[int]:
        """Storages that an operation writes into."""
        return set().union(*(op.writes for op in self.ops))

    @property
    def in_python(self) -> bool:
        """Whether it hands values to Python: as seeds, or as an argument."""
        return any(op.call in (seed_with, torch.Tensor.item) for op in self.ops)


def seed_with(generator: torch.Generator, seed: torch.Tensor) -> None:
    """Seed a generator as Keras does from the state of a `SeedGenerator`."""
    generator.manual_seed(int(seed) & 0xFFFFFFFF)


def wind(watch: Watch, inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> Tape:
    """A tape of what was watched. Raises NotRecordable where there can be none."""
    return _Winder(watch, inputs).tape(outputs)


class _Winder:
    def __init__(self, watch: Watch, inputs: list[torch.Tensor]) -> None:
        self._watch = watch
        self._numbers: dict[int, int] = {}
        self._tensors: list[torch.Tensor] = []
        self._of_root: dict[int, list[int]] = {}
        self._outside: set[int] = set()
        self._fixed: set[int] = set()
        self._ops: list[Op] = []
        self._generators: dict[int, torch.Generator] = {}
        self._unseen = list(watch.read)
        self._inputs = [self._add(tensor) for tensor in inputs]

    def tape(self, outputs: list[torch.Tensor]) -> Tape:
        for number, (func, args, kwargs, result) in enumerate(self._watch.seen):
            if func is aten.lift_fresh.default:
                self._lift(args[0])
            elif func is aten.set_.source_Storage or func._schema.name.endswith("::set_"):
                raise NotRecordable
            given, named = self._with_values(number, args, kwargs)
            self._op(func, given, named, result)
        numbers = [self._ref(tensor).number for tensor in outputs]
        read = [self._ref(one.tensor).number for one in self._unseen]
        roots = [_root(tensor) for tensor in self._tensors]
        fixed = {number for number in self._outside if roots[number] in self._fixed}
        return Tape(
            self._ops, self._tensors, roots, self._inputs, numbers, self._outside, fixed, read
        )

    def _lift(self, made: torch.Tensor) -> None:
        """A tensor of Python's numbers: the same in each step, which may write into it."""
        if id(made) in self._numbers:
            return
        before = self._watch.before.pop(_root(made), None)
        if before is None:
            self._fixed.add(_root(made))
            return
        self._fixed.add(_root(before[1]))
        source = self._ref(before[1])
        self._ops.append(Op(aten.clone.default, [source], {}, self._out(made)))

    def _with_values(self, number: int, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Arguments that were read out of tensors just before, as rates are: read again."""
        for read in [read for read in self._unseen if read.before == number]:
            floats = _leaves((args, *kwargs.values()), float)
            if not isinstance(read.value, float) or read.value not in floats:
                continue
            self._unseen.remove(read)
            value = Ref(len(self._tensors))
            self._tensors.append(read.tensor)
            self._ops.append(
                Op(torch.Tensor.item, [self._ref(read.tensor)], {}, value, counts=True)
            )

            def again(one: Any, read: Read = read, value: Ref = value) -> Any:
                return value if one == read.value else one

            args = _mapped(args, float, again)
            kwargs = {name: _mapped(one, float, again) for name, one in kwargs.items()}
        return args, kwargs

    def _op(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        generator = kwargs.get("generator")
        if generator is not None:
            kwargs = {**kwargs, "generator": self._seeded(generator)}
        writes = frozenset(map(_root, _written(func, args, kwargs)))
        given = _mapped(args, torch.Tensor, self._ref)
        named = {name: _mapped(value, torch.Tensor, self._ref) for name, value in kwargs.items()}
        outs = _mapped(result, torch.Tensor, self._out)
        draws = torch.Tag.nondeterministic_seeded in func.tags and _named(func) not in EMPTY
        self._ops.append(Op(func, given, named, outs, writes, draws))

    def _seeded(self, generator: torch.Generator) -> torch.Generator:
        """The replay's own generator, seeded where this one was."""
        known = self._generators.get(id(generator))
        if known is not None:
            return known
        seed = generator.initial_seed()
        for read in self._unseen:
            if isinstance(read.value, int) and read.value & 0xFFFFFFFF == seed:
                break
        else:
            raise NotRecordable("draws from a generator of its own")
        self._unseen.remove(read)
        own = self._generators[id(generator)] = torch.Generator(generator.device)
        self._ops.append(Op(seed_with, [own, self._ref(read.tensor)], {}, None, counts=True))
        return own

    def _add(self, tensor: torch.Tensor) -> int:
        number = self._numbers[id(tensor)] = len(self._tensors)
        self._tensors.append(tensor)
        self._of_root.setdefault(_root(tensor), []).append(number)
        return number

    def _out(self, tensor: torch.Tensor) -> Ref:
        known = self._numbers.get(id(tensor))
        return Ref(self._add(tensor) if known is None else known)

    def _ref(self, tensor: torch.Tensor) -> Ref:
        """A tensor that an operation takes: known, another view of one that is, or from before."""
        known = self._numbers.get(id(tensor))
        if known is not None:
            return Ref(known)
        views = self._of_root.get(_root(tensor))
        number = self._add(tensor)
        if views is None or views[0] in self._outside:
            self._outside.add(number)
        elif self._tensors[views[0]].dtype == tensor.dtype:
            # `.data` is no operation.
            where = list(tensor.shape), list(tensor.stride()), tensor.storage_offset()
            call = aten.as_strided.default
            self._ops.append(Op(call, (Ref(views[0]), *where), {}, Ref(number)))
        else:
            raise NotRecordable
        return Ref(number)


def simplify(tape: Tape) -> None:
    """Leave out what changes nothing: aliases, copies, what is known beforehand, repetitions.

    Raises NotRecordable where Python has looked at a value that is not always the same.
    """
    _Simplifier(tape).run()


class _Simplifier:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._last = Counter(root for op in tape.ops for root in op.writes)
        self._known: Counter[int] = Counter()
        self._instead: dict[int, int] = {}
        self._first: dict[Any, Op] = {}
        self._empty: set[int] = set()

    def run(self) -> None:
        tape = self._tape
        tape.ops = [op for op in tape.ops if self._stays(op)]
        tape.ops = self._in_place()
        if not tape.fixed.issuperset(self._instead.get(number, number) for number in tape.read):
            raise NotRecordable(LOOKS)
        if any(map(self._is_shaped_by_values, tape.ops)):
            raise NotRecordable("makes tensors whose shape depends on values")
        # What the step made when it was recorded may go.
        used = {number for op in tape.ops for number in op.reads}.union(tape.outputs)
        used &= tape.outside
        tape.tensors = [one if place in used else None for place, one in enumerate(tape.tensors)]
        tape.outputs = [self._instead.get(number, number) for number in tape.outputs]

    def _stays(self, op: Op) -> bool:
        op.args = _mapped(op.args, Ref, self._current)
        op.kwargs = {name: _mapped(value, Ref, self._current) for name, value in op.kwargs.items()}
        self._known.update(op.writes)
        makes, reads = op.makes, op.reads
        self._view_of_one_cell(op, makes)
        alias = self._alias(op, makes)
        if alias is not None:
            self._instead[makes[0]] = alias
            return False
        self._empty.difference_update(self._tape.roots[number] for number in reads)
        if op.writes or op.counts or not makes:
            return True
        if _named(op.call) in EMPTY:
            self._empty.add(self._tape.roots[makes[0]])
        if self._is_view_from_before(makes, reads):
            self._tape.outside.update(makes)
            self._tape.fixed.update(makes if self._tape.fixed.issuperset(reads) else ())
            return False
        if not all(map(self._settled, makes)):
            return True
        if _is_fixed(self._tape, op, reads):
            self._tape.fixed.update(makes)
            self._tape.outside.update(makes)
            return False
        first = self._first.setdefault(self._key(op, reads), op)
        self._instead.update(zip(makes, first.makes, strict=True) if first is not op else ())
        return first is op

    def _in_place(self) -> list[Op]:
        """`x.copy_(x + y)` as `x += y`."""
        used = Counter(number for op in self._tape.ops for number in op.reads)
        used.update(self._tape.outputs)
        kept: list[Op] = []
        for op in self._tape.ops:
            made = kept[-1] if kept else None
            if made and op.call is aten.copy_.default and made.call in IN_PLACE:
                whole = made.outs == op.args[1] and made.args[0] == op.args[0]
                one, other = (self._tape.tensors[ref.number] for ref in op.args[:2])
                if whole and used[op.args[1].number] == 1 and _alike(one, other):
                    kept[-1] = replace(
                        op, call=IN_PLACE[made.call], args=made.args, kwargs=made.kwargs
                    )
                    continue
            kept.append(op)
        return kept

    def _is_shaped_by_values(self, op: Op) -> bool:
        if torch.Tag.dynamic_output_shape not in getattr(op.call, "tags", ()):
            return False
        if op.call is not aten.index.Tensor:
            return True
        by = [ref.number for ref in _leaves(op.args[1], Ref)]
        kinds = [
            self._tape.tensors[number].dtype for number in by if number not in self._tape.fixed
        ]
        return torch.bool in kinds or torch.uint8 in kinds

    def _view_of_one_cell(self, op: Op, makes: list[int]) -> None:
        """A sum over a dimension of size 1 is a view, if nothing writes into either."""
        if op.call not in TOTALS:
            return
        one, other = (self._tape.tensors[number] for number in (op.args[0].number, makes[0]))
        if one.numel() != other.numel() or one.dtype != other.dtype or not one.is_contiguous():
            return
        if self._settled(op.args[0].number) and self._settled(makes[0]):
            self._tape.roots[makes[0]] = self._tape.roots[op.args[0].number]
            op.call, op.args, op.kwargs = aten.view.default, [op.args[0], list(other.shape)], {}

    def _is_view_from_before(self, makes: list[int], reads: list[int]) -> bool:
        """Whether the results are nothing but other views of a tensor that is always there."""
        roots = {self._tape.roots[number] for number in (*makes, *reads)}
        return len(roots) == 1 and self._tape.outside.issuperset(reads)

    def _current(self, ref: Ref) -> Ref:
        return Ref(self._instead.get(ref.number, ref.number))

    def _settled(self, number: int) -> bool:
        """Whether nothing writes into it any more."""
        root = self._tape.roots[number]
        return self._known[root] == self._last[root]

    def _key(self, op: Op, reads: list[int]) -> Any:
        versions = tuple(self._known[self._tape.roots[number]] for number in reads)
        return op.call, repr(op.args), repr(op.kwargs), versions

    def _alias(self, op: Op, makes: list[int]) -> int | None:
        """The tensor that the result of an operation is, or may as well be."""
        tape = self._tape
        if len(makes) != 1 or not op.args or op.counts:
            return None
        made = makes[0]
        source = self._source(op, made)
        if source is None or not _alike(tape.tensors[source], tape.tensors[made]):
            return None
        if tape.roots[source] == tape.roots[made]:
            same = tape.tensors[source].storage_offset() == tape.tensors[made].storage_offset()
            return source if same and not op.writes else None
        return source if self._settled(source) and self._settled(made) else None

    def _source(self, op: Op, made: int) -> int | None:
        """What a copy is of."""
        tape, refs = self._tape, [one.number for one in op.args if isinstance(one, Ref)]
        if op.call is aten.copy_.default:
            fills = tape.roots[made] in self._empty and self._last[tape.roots[made]] == 1
            return refs[1] if fills else None
        if op.call is aten.where.self and refs[0] in tape.fixed:
            condition = tape.tensors[refs[0]]
            return refs[1 if bool(condition) else 2] if condition.numel() == 1 else None
        if not refs or op.args[0] != Ref(refs[0]) or op.writes:
            return None
        if op.call in COPIES or tape.roots[refs[0]] == tape.roots[made]:
            return refs[0]
        return None


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether they have the same cells in the same places."""
    if one.dtype != other.dtype or one.device != other.device or one.shape != other.shape:
        return False
    strides = zip(one.shape, one.stride(), other.stride(), strict=True)
    return all(a == b or size == 1 for size, a, b in strides) and not one.is_conj()


def _is_fixed(tape: Tape, op: Op, reads: list[int]) -> bool:
    return _named(op.call) in SHAPES_ONLY or all(number in tape.fixed for number in reads)


def needed(tape: Tape, outputs: list[int]) -> list[Op]:
    """The operations that a function of these outputs needs, with all that they leave behind."""
    wanted = set(outputs)
    roots = {tape.roots[number] for number in (*outputs, *tape.outside)}
    kept = []
    for op in reversed(tape.ops):
        if not (op.counts or op.writes & roots or wanted.intersection(op.makes)):
            continue
        kept.append(op)
        reads = op.reads
        wanted.update(reads)
        roots.update(tape.roots[number] for number in reads)
    return kept[::-1]


def on_device(tape: Tape) -> Tape:
    """The tape with a rate that Python would read left where it is, for a compiler or a GPU.

    Keras' optimizers hand it over as `alpha`, which takes no tensor: it is multiplied with first,
    so the last digit of an update can be another one.
    """
    rates = {op.outs.number: op.args[0] for op in tape.ops if op.call is torch.Tensor.item}
    ops: list[Op] = []
    tensors, roots = list(tape.tensors), list(tape.roots)
    for op in tape.ops:
        rate = op.kwargs.get("alpha")
        if op.call is aten._foreach_add_.List and isinstance(rate, Ref) and rate.number in rates:
            into, added = op.args
            made = [torch.empty(0) for _ in added]
            scaled = [Ref(number) for number in range(len(tensors), len(tensors) + len(made))]
            tensors += made
            roots += map(_root, made)
            call = aten._foreach_mul.Tensor
            ops.append(Op(call, [added, rates[rate.number]], {}, scaled))
            ops.append(replace(op, args=[into, scaled], kwargs={}))
        else:
            ops.append(op)
    read = {number for op in ops for number in op.reads}
    kept = [op for op in ops if op.call is not torch.Tensor.item or op.outs.number in read]
    return replace(tape, ops=kept, tensors=tensors, roots=roots)


def graph(tape: Tape) -> fx.GraphModule:
    """The tape as a graph of `torch.fx`, for a compiler."""
    made, held = fx.Graph(), torch.nn.Module()
    nodes = {number: made.placeholder(f"t{number}") for number in tape.inputs}

    def node(ref: Ref) -> fx.Node:
        if ref.number in tape.outside and ref.number not in nodes:
            held.register_buffer(f"t{ref.number}", tape.tensors[ref.number].detach())
            nodes[ref.number] = made.get_attr(f"t{ref.number}")
        return nodes[ref.number]

    for op in needed(tape, tape.outputs):
        named = {name: _mapped(value, Ref, node) for name, value in op.kwargs.items()}
        result = made.call_function(op.call, tuple(_mapped(op.args, Ref, node)), named)
        given = set(op.reads)
        for position, out in enumerate(op.outs if isinstance(op.outs, list) else [op.outs]):
            if isinstance(out, Ref) and out.number not in given:
                nodes[out.number] = (
                    made.call_function(operator.getitem, (result, position))
                    if isinstance(op.outs, list)
                    else result
                )
    made.output([made.call_function(aten.clone.default, (node(Ref(n)),)) for n in tape.outputs])
    return fx.GraphModule(held, made)


def function(tape: Tape, outputs: list[int]) -> Any:
    """Write the tape as a function of its inputs, and compile it."""
    ops = needed(tape, outputs)
    writer = _Writer(tape)
    lines = writer.lines(ops, outputs)
    names = ", ".join(f"t{number}" for number in tape.inputs)
    source = "\n    ".join([f"def replay({names}):", *lines])
    exec(compile(source, "<a recorded step>", "exec"), writer.names)
    return writer.names["replay"]


class _Writer:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.names: dict[str, Any] = {}
        self._named: dict[int, str] = {}
        self._own = {out for op in tape.ops for out in op.makes}
        self._from_before = {tape.roots[one] for one in (*tape.outside, *tape.inputs)}

    def lines(self, ops: list[Op], outputs: list[int]) -> list[str]:
        """Each operation in a line; what is not used again is let go of."""
        local = {number for op in ops for number in op.makes} - self._tape.outside
        local.update(self._tape.inputs)
        done = set(outputs)
        lines: list[str] = []
        for op in reversed(ops):
            used = dict.fromkeys((*op.reads, *op.makes))
            over = [number for number in used if number in local and number not in done]
            done.update(over)
            if over:
                lines.append("del " + ", ".join(f"t{number}" for number in over))
            lines.append(self._line(op))
        results = ", ".join(self._result(number) for number in outputs)
        return [*reversed(lines), f"return [{results}]"]

    def _line(self, op: Op) -> str:
        given = [self._text(argument) for argument in op.args]
        given += [f"{name}={self._text(value)}" for name, value in op.kwargs.items()]
        call = f"{self._name(quickest(op))}({', '.join(given)})"
        before = set(op.reads)
        if before.issuperset(op.makes):
            return call
        if isinstance(op.outs, Ref):
            return f"t{op.outs.number} = {call}"
        outs = [
            f"t{out.number}" if isinstance(out, Ref) and out.number not in before else "_"
            for out in op.outs
        ]
        return f"{''.join(out + ', ' for out in outs)}= {call}"

    def _result(self, number: int) -> str:
        """An output that is no tensor of the step's own would change with the next."""
        if number in self._own and self._tape.roots[number] not in self._from_before:
            return f"t{number}"
        return f"{self._text(Ref(number))}.clone()"

    def _text(self, value: Any) -> str:
        if isinstance(value, Ref):
            if value.number not in self._tape.outside:
                return f"t{value.number}"
            tensor = self._tape.tensors[value.number].detach()
            return self._name(tensor, key=f"t{value.number}")
        if isinstance(value, list | tuple):
            inner = ", ".join(map(self._text, value))
            return f"[{inner}]"
        if value is None or isinstance(value, bool | int | str):
            return repr(value)
        return self._name(value)

    def _name(self, value: Any, key: str = "") -> str:
        if id(value) not in self._named or key:
            name = key or f"c{len(self.names)}"
            self.names[name] = value
            self._named[id(value)] = name
            return name
        return self._named[id(value)]


def quickest(op: Op) -> Any:
    """What calls an operation in the least time: Torch's own binding, if it takes the same."""
    name = getattr(op.call, "_schema", None) and _named(op.call)
    if name in TOLD_BY_GRAD_MODE:
        return torch.enable_grad()(op.call._op)
    if op.kwargs.keys() <= BOUND_ALIKE and name in BOUND:
        return BOUND[name]
    return getattr(op.call, "_op", op.call)
