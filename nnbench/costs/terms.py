"""What a training consists of, counted by kind of work: the columns of the cost model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnbench.phases import BUILD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE
from nnbench.training.compiled.causes import MOST_IN_A_LOOP
from nnbench.workload.case import Case
from nnbench.workload.counts import LayerCount, NetworkCount
from nnbench.workload.counts.built import UPDATE_FLOPS
from nnbench.workload.counts.calls import VIEWS

FIRST_EPOCH = "first_epoch"
"""On the `fit` path: from the call of `fit` to the end of its first epoch."""

KINDS = (
    *("dense", "convolution", "separable", "recurrent", "attention"),
    *("normalisation", "max pooling", "pooling", "embedding", "elementwise"),
)
"""Kinds of layers that are distinguished; what is none of the others computes value by value."""

WITH_PRODUCTS = KINDS[:5]

_BEGINS = {
    "Dense": "dense", "EinsumDense": "dense", "Depthwise": "separable", "Separable": "separable",
    "ConvLSTM": "recurrent", "Conv": "convolution", "LSTM": "recurrent", "GRU": "recurrent",
    "SimpleRNN": "recurrent", "RNN": "recurrent", "MultiHead": "attention", "Grouped": "attention",
    "Attention": "attention", "AdditiveAtt": "attention", "DotProduct": "attention",
    "Max": "max pooling", "Average": "pooling", "Global": "pooling", "Embedding": "embedding",
    "Matmul": "attention", "Einsum": "attention",
}  # fmt: skip


def kind_of(line: LayerCount) -> str | None:
    """Which of `KINDS` a layer is; None for one that only looks at its input otherwise."""
    if line.kind in VIEWS:
        return None
    if "Norm" in line.kind:
        return "normalisation"
    if line.kind in ("Maximum", "Average"):
        return "elementwise"
    begins = (kind for start, kind in _BEGINS.items() if line.kind.startswith(start))
    return next(begins, "elementwise")


@dataclass(frozen=True)
class Term:
    """One kind of work: `unit` says what its coefficient is a cost of.

    Terms that are `like` each other cost about the same for their `size`, so that what is not known
    of one is guessed from the others.
    """

    name: str
    unit: str
    like: str = ""
    size: float = 1.0


OPERATIONS = {
    "dense": 3, "convolution": 3, "separable": 4, "recurrent": 15, "attention": 15,
    "normalisation": 8, "max pooling": 3, "pooling": 1, "embedding": 1, "elementwise": 1,
}  # fmt: skip
"""Of arrays, about, in a layer of each kind: products, sums, activations. Where none of a kind was
timed, its cost is guessed by these."""

ONCE = Term("overhead", "s")
LAYERS = {
    kind: Term(f"layers: {kind}", "s per layer", "layers", OPERATIONS[kind]) for kind in KINDS
}
FIRST = {
    kind: Term(f"first layer: {kind}", "s beyond the next", "first layers", OPERATIONS[kind])
    for kind in KINDS
}
"""What a compiler needs for the first layer of a kind beyond what each takes: much of what it makes
of the next ones is alike, or is made beside it on another core."""

ON_ALL_CORES = Term("layers on all cores", "s per operation")
OPERATIONS_ON_ALL_CORES = {
    "normalisation": 8, "attention": 5, "convolution": 1, "separable": 1, "pooling": 1,
    "elementwise": 1,
}  # fmt: skip
LARGE_OUTPUT = 10_000
"""Elementwise operations on outputs of so many values are shared out over the cores by XLA, and
each waits until the other cores have woken, unless a chain of Dense layers is compiled for one
core. Of 2,500 to 33,000 values tried, with 10,000 networks left out were predicted best. What else
a layer does is not counted here: of products and time steps one cannot tell."""

TURN = Term("time steps", "s per time step and layer", "layers")
"""With a mask twice: output and state are taken from the step before where it says so."""

GRAPH_TURN = Term("time steps without XLA", "s per time step and layer")
CALLED = Term("a program a step", "s")
"""Of the networks of a setting with XLA some are left without it, and a time step costs them more;
of others each step is a program of its own, which is called for each."""

VARIABLE = Term("weight tensors", "s per tensor")
METRIC = Term("metrics", "s per metric", "layers", 10)
FLOPS = {kind: Term(f"products: {kind}", "s per FLOP", "products") for kind in WITH_PRODUCTS}
EXPANDED = Term("gradients of grouped kernels", "s per FLOP", "products")
"""On a CPU XLA has no kernel for the weights' gradient of a grouped convolution: it computes that
of one without groups and masks what belongs to none (its pass `convolution_group_converter`)."""

NARROW = {
    width: Term(f"products: dense, up to {width} wide", "s per FLOP", "narrow products")
    for width in (16, 64)
}
"""What the FLOPs of so many of a Dense layer's inputs and outputs cost more: fewer fill no vector,
or no tile, of a product's kernel."""

ELEMENTWISE = {kind: Term(f"value by value: {kind}", "s per FLOP", "elementwise") for kind in KINDS}
ROWS = {kind: Term(f"rows: {kind}", "s per row and product", "rows") for kind in WITH_PRODUCTS}
HIDDEN = {kind: Term(f"inputs: {kind}", "s per byte", "inputs") for kind in WITH_PRODUCTS}
ACTIVATION = Term("activations", "s per byte")
SPILL = Term("beyond the cache", "s per byte")
WEIGHT = Term("weights, optimizer", "s per byte")
EACH_EPOCH = Term("epoch", "s per epoch")
EACH_METRIC = Term("epoch: metrics", "s per metric and epoch")
BATCH = Term("batches", "s per batch")
BATCH_TENSOR = Term("batches: weight tensors", "s per tensor and batch")
SHUFFLED = Term("shuffled rows", "s per row")
DATA = Term("data", "s per byte")
MINI = Term("mini-batches", "s", "mini-batches")
BY_STEPS = Term("mini-batches, a program a step", "s", "mini-batches")
SECOND = Term("smaller last batch", "s")
A_STEP = Term("a step's work", "of a step")
AGAIN = Term("smaller last batch", "of tracing and compiling")
"""The last two are shares of what other phases take. Mini-batches, a smaller last batch and
shuffled rows count only on a compiled path, whose program loops, shuffles and has a second step;
on JAX convolutions have a program for each of these."""


ADAM_FLOPS = UPDATE_FLOPS["Adam"]

WITHOUT_XLA = 0.25
"""Of compiling with it and without, to see which is the faster, what is done without, about."""


@dataclass(frozen=True)
class Cache:
    """What activations overflow: all of a step together or, with `single`, each layer's alone.

    XLA has one block of memory for a step; others ask for each tensor, large ones anew each time.
    """

    size_bytes: float = math.inf
    single: bool = False

    def spilled_bytes(self, count: NetworkCount) -> float:
        """Activations of one step that do not fit."""
        if not self.single:
            return max(0.0, count.activation_bytes - self.size_bytes)
        layers = (line.activation_bytes for line in count.layers)
        return float(sum(one for one in layers if one > self.size_bytes))


NO_CACHE = Cache()

WORK = (
    *FLOPS.values(),
    EXPANDED,
    *NARROW.values(),
    *ELEMENTWISE.values(),
    *ROWS.values(),
    *HIDDEN.values(),
    *(ACTIVATION, SPILL, WEIGHT),
)
"""A narrow product is not worth its FLOPs: each row of its output costs something, and so does
each value that it reads of what other layers have made. Activations beyond a `Cache` come from a
slower memory, and on some systems from fresh pages each time."""

FIXED = (ONCE, CALLED, *LAYERS.values(), ON_ALL_CORES, TURN, GRAPH_TURN, VARIABLE, METRIC)
IN_STEP = (*FIXED, *WORK)
AROUND_STEPS = (EACH_EPOCH, EACH_METRIC, BATCH, BATCH_TENSOR, SHUFFLED, DATA)
"""Of an epoch, beyond its steps."""

TERMS: dict[str, tuple[Term, ...]] = {
    BUILD: (ONCE, *LAYERS.values(), VARIABLE, METRIC, WEIGHT),
    PREPARE: (ONCE, *LAYERS.values(), VARIABLE, METRIC, WEIGHT, DATA),
    TRACE: (ONCE, *LAYERS.values(), TURN, VARIABLE, METRIC, MINI, BY_STEPS, SECOND, A_STEP),
    COMPILE: (
        *(ONCE, *LAYERS.values(), *FIRST.values(), TURN, VARIABLE, METRIC),
        *(MINI, BY_STEPS, SECOND, WEIGHT, ACTIVATION),
    ),
    FIRST_STEP: (ONCE, *LAYERS.values(), VARIABLE, METRIC, A_STEP, WEIGHT),
    STEP: (*IN_STEP, *AROUND_STEPS),
    EPOCH: (*IN_STEP, *AROUND_STEPS),
    FIRST_EPOCH: (ONCE, *LAYERS.values(), METRIC, AGAIN),
}
"""Steps and epochs are one model: an epoch is its steps and what is around them. A trace that runs
the network along, as Torch's does, costs a step's work, too. `first_epoch` is what comes beyond its
phases and a steady epoch's other steps, such as compiling again for a smaller last batch; a
compiled path's one program has both batches, in `trace` and `compile`."""

OVERHEADS = (*FIXED, *ROWS.values())
"""What of a step is paid however wide the layers are; the other terms grow with their width."""


@dataclass(frozen=True)
class Counted:
    """A case with what its network consists of.

    `step_s` is what one of its steps takes, and `again_s` what tracing and compiling for a smaller
    last batch would, where that is known.
    """

    case: Case
    count: NetworkCount
    step_s: float = 0.0
    again_s: float = 0.0

    @classmethod
    def of(cls, case: Case, count: NetworkCount | None = None) -> "Counted":
        """A case; chains of Dense layers are counted by themselves."""
        count = count or case.step_cost
        assert count is not None
        return cls(case, count)

    @cached_property
    def step(self) -> Mapping[Term, float]:
        """What one step on a full batch consists of, but for what overflows a cache."""
        found = dict.fromkeys(IN_STEP, 0.0)
        by_xla = self.case.device == "cpu" and _may_have_xla(self.case)
        found[ONCE] = 1.0
        found[WEIGHT] = float(self.count.weight_bytes + self.count.optimizer_bytes)
        found[ACTIVATION] = float(self.count.activation_bytes)
        found[METRIC] = float(self.count.metrics)
        for line in self.count.layers:
            kind = kind_of(line)
            if kind is None:
                continue
            found[LAYERS[kind]] += 1
            found[VARIABLE] += line.variables * _updated(self.count)
            found[ELEMENTWISE[kind]] += line.forward_elementwise + line.backward_elementwise
            if by_xla and math.prod(line.output) > LARGE_OUTPUT:
                found[ON_ALL_CORES] += OPERATIONS_ON_ALL_CORES.get(kind, 0)
            if by_xla and line.variables:
                found[EXPANDED] += line.ungrouped_products
            if kind == "recurrent":
                found[TURN] += line.steps * (1 + line.is_masked)
            if line.output:
                for term, value in _of_products(line, kind).items():
                    found[term] += value
        return found


def _may_have_xla(case: Case) -> bool:
    """Whether XLA compiles its steps, or may do so."""
    might = case.backend == "tensorflow" and case.path == "compiled" and case.training.jit != "off"
    return might or case.backend == "jax"


def _of_products(line: LayerCount, kind: str) -> dict[Term, float]:
    """What a layer's products consist of."""
    if kind in ("convolution", "separable"):
        return _of_convolution(line)
    if kind not in FLOPS:
        return {}
    forward, backward, units = line.forward_products, line.backward_products, line.output[-1]
    # A recurrent layer that hands on its last step only has made all of them.
    rows = math.prod(line.output[:-1]) * (line.steps if len(line.output) == 2 else 1)
    found: dict[Term, float] = {FLOPS[kind]: forward + backward, ROWS[kind]: rows}
    # Without products it is a layer of one's own, which no rule counts.
    if kind == "dense" and forward:
        inputs = forward / (2 * rows * units)
        for width, term in NARROW.items():
            # So that a wider layer never costs less.
            found[term] = min(1, width / inputs) * min(1, width / units) * (forward + backward)
    if backward > forward:
        found[HIDDEN[kind]] = 4 * forward / 2 / max(1, units)
    return found


def _of_convolution(line: LayerCount) -> dict[Term, float]:
    """Products of grouped convolutions are separable, all others a convolution.

    A separable layer has both. Each product lays out the values of its windows side by side:
    forward, the kernel's gradient and, unless nothing before it is trained, the inputs'.
    """
    grouped, rows = line.grouped_products, math.prod(line.output[:-1])
    others = max(0, line.forward_products - grouped)
    backward = min(line.backward_products, 2 * others)
    backward_grouped = line.backward_products - backward
    found: dict[Term, float] = {}
    if grouped:
        groups = max(1.0, line.ungrouped_products / grouped)
        # Filters in a group; in a separable layer mostly one.
        filters = 1.0 if others else max(1.0, line.output[-1] / groups)
        flops = grouped + backward_grouped
        found |= {FLOPS["separable"]: flops, ROWS["separable"]: rows}
        found[HIDDEN["separable"]] = _bytes_of_windows(flops, filters)
    if others:
        flops = others + backward
        found |= {FLOPS["convolution"]: flops, ROWS["convolution"]: rows}
        found[HIDDEN["convolution"]] = _bytes_of_windows(flops, max(1, line.output[-1]))
    return found


def _bytes_of_windows(flops: float, filters: float) -> float:
    """What products of so many FLOPs lay out, on the scale of a layer that has all three."""
    return 4 * (flops / 3) / (2 * filters)


def _updated(count: NetworkCount) -> float:
    """What the optimizer does with a weight tensor, in what Adam does; 1 where nobody knows."""
    if count.update_flops is None or not count.trainable:
        return 1.0
    return count.update_flops / count.trainable / ADAM_FLOPS


def has_smaller_batch(case: Case) -> bool:
    """Whether an epoch's last batch is a smaller one."""
    return case.last_batch_rows < case.batch_rows


def _convolves(one: Counted) -> bool:
    return any(one.step[LAYERS[kind]] for kind in ("convolution", "separable"))


def _steps_from_python(one: Counted) -> bool:
    """Whether a compiled path calls a program for each step (see `training.compiled.jax`)."""
    lines = one.count.layers
    flops = sum(line.forward_products + line.backward_products for line in lines)
    much = _convolves(one) or flops > MOST_IN_A_LOOP
    return one.case.backend == "jax" and one.case.device == "cpu" and much


def _is_a_program_a_step(one: Counted) -> bool:
    """Whether XLA makes a program of each step alone, on TensorFlow too, and not of all epochs."""
    case = one.case
    if case.backend == "tensorflow":
        return _may_have_xla(case) and case.device == "cpu" and _convolves(one)
    return case.path == "compiled" and _steps_from_python(one)


def _is_spared_xla(one: Counted) -> bool:
    """Whether of its kind in a setting this network alone is compiled without XLA.

    TensorFlow's LSTM and GRU are not made for it, and a network that has one is left without.
    """
    case = one.case
    might = case.backend == "tensorflow" and _may_have_xla(case)
    recurs = any(line.kind in ("LSTM", "GRU") for line in one.count.layers)
    return might and recurs and case.model is None


def counts(one: Counted, phase: str, cache: Cache = NO_CACHE) -> dict[Term, float]:
    """How much of each of its terms is in a phase of a case."""
    if phase in (STEP, EPOCH):
        return _of_steps(one, phase, cache)
    case, compiled = one.case, one.case.path == "compiled"
    # The one program of a compiled path has a smaller last batch's step, too; TensorFlow's trace is
    # of any number of rows.
    second = float(compiled and has_smaller_batch(case))
    twice = phase == COMPILE or (phase == TRACE and case.backend != "tensorflow")
    bodies = 1.0 + second * twice
    found = {term: bodies * value for term, value in one.step.items()}
    found |= {FIRST[kind]: bodies * (one.step[term] > 0) for kind, term in LAYERS.items()}
    found |= {ONCE: 1.0, WEIGHT: one.step[WEIGHT]}
    if phase == COMPILE and _is_spared_xla(one):
        found = {term: WITHOUT_XLA * value for term, value in found.items()}
    if case.backend != "torch":
        # Others trace a loop over time steps, not each of them.
        found[TURN] = 0.0
    mini = compiled and case.steps_per_epoch > 1
    by_steps = _steps_from_python(one)
    return found | {
        MINI: float(mini and not by_steps),
        BY_STEPS: float(mini and by_steps),
        SECOND: second,
        DATA: _data_bytes(one),
        A_STEP: bodies * one.step_s,
        AGAIN: one.again_s * has_smaller_batch(case),
    }


def _of_steps(one: Counted, phase: str, cache: Cache) -> dict[Term, float]:
    case, compiled = one.case, one.case.path == "compiled"
    batches = float(case.steps_per_epoch)
    whole = phase == EPOCH or compiled
    steps = batches if whole else 1.0
    # A smaller last batch does as much less as it has rows less.
    full_steps = case.trained_rows / case.batch_rows if whole else 1.0
    found = {
        term: (full_steps if term in WORK and term != WEIGHT else steps) * value
        for term, value in one.step.items()
    }
    found[SPILL] = full_steps * cache.spilled_bytes(one.count)
    found[CALLED] = steps * _is_a_program_a_step(one)
    if _is_spared_xla(one):
        found |= {GRAPH_TURN: found[TURN], TURN: 0.0}
    shuffles = case.training.shuffle and (not compiled or batches > 1)
    around = {
        EACH_EPOCH: 1.0,
        # On a compiled path its result is in the program, and next to nothing.
        EACH_METRIC: one.step[METRIC] * (not compiled),
        BATCH: batches,
        BATCH_TENSOR: batches * one.step[VARIABLE],
        SHUFFLED: float(shuffles * case.trained_rows),
        DATA: _data_bytes(one) * (not compiled or batches > 1),
    }
    found |= {term: float(whole) * value for term, value in around.items()}
    if compiled and phase == STEP:
        # There a step is an epoch's share.
        found = {term: value / batches for term, value in found.items()}
    return found


def _data_bytes(one: Counted) -> float:
    return one.count.batch_bytes / one.count.rows * one.case.trained_rows


def matrix(cases: Sequence[Counted], phase: str, cache: Cache = NO_CACHE) -> NDArray[np.float64]:
    """Counts of the phase's terms, shape (cases, terms)."""
    rows = [counts(case, phase, cache) for case in cases]
    return np.array([[row[term] for term in TERMS[phase]] for row in rows])


AXES = {
    "layers": LAYERS.values(),
    "time steps": (TURN,),
    "products": FLOPS.values(),
    "elementwise work": ELEMENTWISE.values(),
    "activations": (ACTIVATION,),
    "weights": (WEIGHT,),
}
"""How far a case may lie from what was calibrated, in a step: sums of such terms; and its rows in a
batch and the batches of an epoch."""


def position(one: Counted) -> dict[str, float]:
    """A case on `AXES` and its batches; 0 for what it has not."""
    found = {name: sum(one.step[term] for term in terms) for name, terms in AXES.items()}
    batches = {"rows in a batch": one.case.batch_rows, "batches": one.case.steps_per_epoch}
    return {**found, **{name: float(value) for name, value in batches.items()}}
