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
from dataclasses import dataclass, field
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
    draws: bool = False

    def reads(self) -> list[int]:
        """Numbers of the tensors among its arguments."""
        return [ref.number for ref in _leaves((self.args, *self.kwargs.values()), Ref)]

    def makes(self) -> list[int]:
        """Numbers of its results."""
        return [ref.number for ref in _leaves(self.outs, Ref)]


class Watch(TorchDispatchMode):  # type: ignore[misc]
    """Holds every operation that runs meanwhile, and what it overwrites that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, Any, Any, Any]] = []
        self.read: list[tuple[torch.Tensor, int]] = []
        self.before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default:
            value = func(*args)
            self.read.append((args[0], value))
            return value
        for tensor in _written(func, args, kwargs):
            root = _root(tensor)
            if root not in self._made and root not in self.before:
                self.before[root] = tensor, tensor.detach().clone()
        result = func(*args, **kwargs)
        if isinstance(result, bool | int | float):
            if _named(func) not in FREE_OF_VALUES:
                raise NotRecordable(LOOKS)
            return result
        if torch.Tag.dynamic_output_shape in func.tags and _by_values(func, args):
            raise NotRecordable("makes tensors whose shape depends on values")
        self._made.update(map(_root, _leaves(result, torch.Tensor)))
        self.seen.append((func, args, kwargs, result))
        return result

    def put_back(self) -> None:
        """Give tensors that were there before their values."""
        with torch.no_grad():
            for tensor, value in self.before.values():
                tensor.detach().copy_(value)


LOOKS = "looks at values in Python"


def _by_values(func: Any, args: Any) -> bool:
    """Whether the shape of the result follows from values; that of `x[integers]` does not."""
    if func is not aten.index.Tensor:
        return True
    return any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])


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
        if position in untold or (argument.alias_info is not None and argument.alias_info.is_write)
    )


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
    tensors: list[torch.Tensor]
    roots: list[int]
    inputs: list[int]
    outputs: list[int]
    outside: set[int]
    """Tensors that are there before it runs."""
    fixed: set[int] = field(default_factory=set)
    """Tensors that are the same whenever the tape runs."""

    @property
    def written(self) -> set[int]:
        """Storages that an operation writes into."""
        return set().union(*(op.writes for op in self.ops))

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers by seeds that it computes."""
        return any(op.call is seed_with for op in self.ops)


def seed_with(generator: torch.Generator, seed: torch.Tensor) -> None:
    """Seed a generator as Keras does from the state of a `SeedGenerator`."""
    generator.manual_seed(int(seed) & 0xFFFFFFFF)


def wind(watch: Watch, inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> Tape:
    """A tape of what was watched. Raises NotRecordable where a value left for Python."""
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
        for func, args, kwargs, result in self._watch.seen:
            if func is aten.lift_fresh.default:
                self._fixed.add(_root(result))
            elif func is aten.set_.source_Storage or func._schema.name.endswith("::set_"):
                raise NotRecordable("")
            self._op(func, args, kwargs, result)
        if self._unseen:
            raise NotRecordable(LOOKS)
        numbers = [self._ref(tensor).number for tensor in outputs]
        roots = [_root(tensor) for tensor in self._tensors]
        tape = Tape(self._ops, self._tensors, roots, self._inputs, numbers, self._outside)
        written = tape.written
        made_fresh = self._fixed - written
        if {roots[number] for number in self._outside} & self._fixed & written:
            # A constant that is written into would start from what the last step left.
            raise NotRecordable("")
        tape.fixed = {number for number in self._outside if roots[number] in made_fresh}
        return tape

    def _op(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        generator = kwargs.get("generator")
        if generator is not None:
            kwargs = {**kwargs, "generator": self._seeded(generator)}
        writes = frozenset(map(_root, _written(func, args, kwargs)))
        given = _mapped(args, torch.Tensor, self._ref)
        named = {name: _mapped(value, torch.Tensor, self._ref) for name, value in kwargs.items()}
        outs = _mapped(result, torch.Tensor, self._out)
        draws = torch.Tag.nondeterministic_seeded in func.tags
        self._ops.append(Op(func, given, named, outs, writes, draws))

    def _seeded(self, generator: torch.Generator) -> torch.Generator:
        """The replay's own generator, seeded where this one was."""
        known = self._generators.get(id(generator))
        if known is not None:
            return known
        seed = generator.initial_seed()
        for position, (tensor, value) in enumerate(self._unseen):
            if isinstance(value, int) and value & 0xFFFFFFFF == seed:
                del self._unseen[position]
                break
        else:
            raise NotRecordable("draws from a generator of its own")
        own = self._generators[id(generator)] = torch.Generator(generator.device)
        self._ops.append(Op(seed_with, (own, self._ref(tensor)), {}, None, draws=True))
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
            raise NotRecordable("")
        return Ref(number)


def simplify(tape: Tape) -> None:
    """Leave out what changes nothing: aliases, copies, what is known beforehand, repetitions."""
    written_until = Counter(root for op in tape.ops for root in op.writes)
    last, known = written_until, Counter()  # type: ignore[var-annotated]
    instead: dict[int, int] = {}
    first: dict[Any, Any] = {}
    kept: list[Op] = []

    def current(ref: Ref) -> Ref:
        return Ref(instead.get(ref.number, ref.number))

    def settled(number: int) -> bool:
        """Whether nothing writes into it any more."""
        root = tape.roots[number]
        return known[root] == last[root]

    for op in tape.ops:
        if instead:
            op.args = _mapped(op.args, Ref, current)
            op.kwargs = {name: _mapped(value, Ref, current) for name, value in op.kwargs.items()}
        known.update(op.writes)
        makes, reads = op.makes(), op.reads()
        if op.writes or op.draws or not makes:
            kept.append(op)
            continue
        alias = _alias(tape, op, makes, settled)
        if alias is not None:
            instead[makes[0]] = alias
        elif _is_fixed(tape, op, reads) and all(map(settled, makes)):
            tape.fixed.update(makes)
            tape.outside.update(makes)
        else:
            key = _key(op, [known[tape.roots[number]] for number in reads])
            same = first.setdefault(key, op) if all(map(settled, makes)) else op
            if same is op:
                kept.append(op)
            else:
                instead.update(zip(makes, same.makes(), strict=True))
    tape.ops = kept
    tape.outputs = [instead.get(number, number) for number in tape.outputs]


def _alias(tape: Tape, op: Op, makes: list[int], settled: Any) -> int | None:
    """The tensor that the result of an operation is, or may as well be."""
    if len(makes) != 1 or not op.args or not isinstance(op.args[0], Ref):
        return None
    source, made = op.args[0].number, makes[0]
    one, other = tape.tensors[source], tape.tensors[made]
    if one.dtype != other.dtype or one.device != other.device or one.shape != other.shape:
        return None
    if one.stride() != other.stride() or one.is_conj() or one.is_neg():
        return None
    if tape.roots[source] == tape.roots[made]:
        return source if one.storage_offset() == other.storage_offset() else None
    if op.call in COPIES and settled(source) and settled(made):
        return source
    return None


def _is_fixed(tape: Tape, op: Op, reads: list[int]) -> bool:
    return _named(op.call) in SHAPES_ONLY or all(number in tape.fixed for number in reads)


def _key(op: Op, versions: list[int]) -> Any:
    return op.call, repr(op.args), repr(op.kwargs), tuple(versions)


def needed(tape: Tape, outputs: list[int]) -> list[Op]:
    """The operations that a function of these outputs needs, with all that they leave behind."""
    wanted = set(outputs)
    roots = {tape.roots[number] for number in (*outputs, *tape.outside)}
    kept = []
    for op in reversed(tape.ops):
        if not (op.draws or op.writes & roots or wanted.intersection(op.makes())):
            continue
        kept.append(op)
        reads = op.reads()
        wanted.update(reads)
        roots.update(tape.roots[number] for number in reads)
    return kept[::-1]


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
        given = set(op.reads())
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

    def lines(self, ops: list[Op], outputs: list[int]) -> list[str]:
        """Each operation in a line; what is not used again is let go of."""
        local = {number for op in ops for number in op.makes()} - self._tape.outside
        local.update(self._tape.inputs)
        done = set(outputs)
        lines: list[str] = []
        for op in reversed(ops):
            used = [number for number in dict.fromkeys((*op.reads(), *op.makes()))]
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
        given = set(op.reads())
        if not set(op.makes()) - given:
            return call
        if isinstance(op.outs, Ref):
            return f"t{op.outs.number} = {call}"
        outs = [
            f"t{out.number}" if isinstance(out, Ref) and out.number not in given else "_"
            for out in op.outs
        ]
        return f"{''.join(out + ', ' for out in outs)}= {call}"

    def _result(self, number: int) -> str:
        """An output that is no tensor of the step's own would change with the next."""
        own = {out for op in self._tape.ops for out in op.makes()}
        outside = {self._tape.roots[one] for one in (*self._tape.outside, *self._tape.inputs)}
        if number in own and self._tape.roots[number] not in outside:
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
    """What calls an operation in the least time."""
    return getattr(op.call, "_op", op.call)
