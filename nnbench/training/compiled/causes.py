"""What the compiled path changes besides the loop: the causes of its difference to `fit`.

One run measures them together; `benchmarks/peers/causes.py` switches each. Needs no framework.
"""

from nnbench.workload.case import Case

WIDEST = 64
"""Cells of a layer above which both layouts of a chain of Dense cost the same on JAX."""

FEWEST_ROWS = 128
"""Rows in a batch below which they do (for both numbers see docs/compiled-path.md)."""

Told = dict[tuple[str, ...], str]

IN_FEW_OPERATIONS: dict[str, Told] = {
    "jax": {
        ("gru",): "GRU layers, in few operations on a CPU",
        ("transformer",): "layer normalisation in few operations, and an option of XLA for sums of"
        " short rows, on a CPU",
    },
    "torch": {("lstm", "gru"): "LSTM and GRU layers, in few operations on a CPU"},
}
"""By backend, for networks of some families: what is not computed as with `fit`, in float32."""

IMAGES = ("conv", "separable")
UNCOPIED = "convolutions and poolings, which on Torch take images without a copy"

MOST_ON_ONE_CORE = 2**15
"""Cells of the widest layer, all rows together, up to which one core is faster than two."""

MOST_SUMMED_APART = 4096
"""Rows in a batch up to which XLA takes the logarithms of the losses first, then their sum."""

LONGEST_SHORT_ROW = 64
"""Numbers in a row up to which XLA sums it faster than YNNPACK does, on JAX and a CPU."""

SHORT_SUMS = 1.5
"""Numbers summed so, over those summed otherwise, from which on XLA takes all sums of a step."""

MOST_IN_A_LOOP = 1e10
"""FLOPs of products in a step from which on a loop costs them more than calls from Python would,
on JAX and a CPU; convolutions cost more however few they are."""


def unlike_fit(case: Case) -> tuple[str, ...]:
    """What differs between an epoch of this case with `fit` and on the compiled path, in words."""
    around = "the framework's work around each epoch and step"
    return (around, *_compiler(case), *_layout(case), *_optimizer(case), *_layers(case))


def same_compiler(case: Case) -> str | None:
    """What compiles both paths of a case; None where one is compiled otherwise, or neither is."""
    jit = case.training.jit
    if case.model is not None or _compiler(case):
        return None
    if case.backend == "torch":
        return "Inductor" if jit == "on" else None
    return None if case.backend == "tensorflow" and jit == "off" else "XLA"


def _compiler(case: Case) -> tuple[str, ...]:
    jit, on_gpu = case.training.jit, case.device.startswith("gpu")
    if case.backend == "torch":
        return ()
    if case.backend == "tensorflow" and (case.model is not None or jit == "off"):
        return ()
    if case.model is not None:
        return ("XLA, where it compiles one of them and not the other",)
    # Keras' auto is XLA on JAX and on TensorFlow's GPUs.
    if jit == "on" or (jit == "auto" and (case.backend == "jax" or on_gpu)):
        return ()
    return ("XLA, which compiles that path where it is faster so, and not fit unless --jit on",)


def _optimizer(case: Case) -> tuple[str, ...]:
    if case.backend != "torch" or case.training.jit == "on":
        return ()
    if case.model is not None:
        return ("Adam as one fused operation, if that is its optimizer",)
    return ("Adam as one fused operation",) if case.training.optimizer == "adam" else ()


def _layout(case: Case) -> tuple[str, ...]:
    if case.backend != "jax" or case.batch_rows < FEWEST_ROWS:
        return ()
    if case.architecture is None:
        return (f"the memory layout, if it is a chain of Dense layers up to {WIDEST} wide",)
    widths = case.architecture.widths
    if case.architecture.family != "dense" or max(widths) > WIDEST:
        return ()
    if case.training.precision != "float32":
        return ()
    found = [f"the memory layout, which is another for Dense layers up to {WIDEST} wide"]
    if case.device == "cpu" and case.batch_rows * max(widths) <= MOST_ON_ONE_CORE:
        found.append("an option of XLA by which their elementwise work stays on one core")
    if case.device == "cpu" and case.batch_rows > MOST_SUMMED_APART:
        found.append(f"an option of XLA for their batches of more than {MOST_SUMMED_APART:,} rows")
    return tuple(found)


def _layers(case: Case) -> tuple[str, ...]:
    known: Told = {**IN_FEW_OPERATIONS.get(case.backend, {})}
    by_inductor = case.backend == "torch" and case.training.jit == "on"
    if case.device != "cpu" or case.training.precision != "float32" or by_inductor:
        known = {}
    if case.backend == "torch":
        known[IMAGES] = UNCOPIED
    if case.architecture is None:
        return tuple(f"{what}, if it has any" for what in known.values())
    family = case.architecture.family
    return tuple(what for families, what in known.items() if family in families)
