"""Why two trainings are apart: initial weights, random layers, order of rows, or arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.drift import metrics, plan
from nnbench.drift.matrix import Cell, cell_of
from nnbench.drift.metrics import Drift
from nnbench.drift.saved import Study
from nnbench.drift.trajectory import Array, Trajectory, drift

INITIAL, RANDOM_LAYERS = "initial weights", "random layers"
ORDER, ARITHMETIC = "order of rows", "arithmetic"


@dataclass(frozen=True)
class Difference:
    """Why two trajectories are apart.

    `sources` are those that differ, empty where nothing does. For arithmetic, `layer` is where it
    was first seen and `layer_ulp` by how much, in its output at the initial weights if `forward`,
    else in its weights after `first_epoch` of `drift`.
    """

    sources: tuple[str, ...]
    drift: Drift
    layer: str | None = None
    layer_ulp: float = 0.0
    forward: bool = False
    weights: tuple[str, ...] = ()


def explain(first: Trajectory, second: Trajectory) -> Difference:
    """Say why `second` is not `first`, ruling sources out one by one.

    Where weights, the state of random layers and the order of rows are equal at the start, only
    arithmetic can differ. It is located by the layers' outputs at the initial weights, in the order
    of the forward pass; where those agree, by the weights of the first epoch that differ, nearest
    to the output, where the backward pass begins.
    """
    far = drift(first, second)
    if not far.comparable:
        return Difference(("shapes",), far)
    weights: list[tuple[str, float]] = []
    if far.first_epoch is not None:
        begun = first.after(far.first_epoch), second.after(far.first_epoch)
        weights = [
            (name, largest_ulp(a, b))
            for name, a, b in zip(first.names, *begun, strict=True)
            if not metrics.bitwise_equal(a, b)
        ]
    names = tuple(name for name, _ in weights)
    if not far.initial_equal:
        name, largest = weights[0]
        return Difference((INITIAL,), far, layer_of(name), largest, weights=names)
    sources = []
    same_draws = map(metrics.bitwise_equal, first.draws, second.draws)
    if len(first.draws) != len(second.draws) or not all(same_draws):
        sources.append(RANDOM_LAYERS)
    if first.order != second.order:
        sources.append(ORDER)
    outputs = [
        (layer, a, b)
        for layer, a, b in zip(first.layers, first.outputs, second.outputs, strict=False)
        if a.shape == b.shape and a.dtype == b.dtype and not metrics.bitwise_equal(a, b)
    ]
    if sources or (far.bitwise and not outputs):
        return Difference(tuple(sources), far)
    if outputs:
        layer, a, b = outputs[0]
        return Difference((ARITHMETIC,), far, layer, largest_ulp(a, b), True, names)
    if not weights:
        return Difference((ARITHMETIC,), far, "the loss alone", 0.0)
    name, largest = weights[-1]
    return Difference((ARITHMETIC,), far, layer_of(name), largest, weights=names)


def largest_ulp(first: Array, second: Array) -> float:
    """The largest ULP distance of two arrays' numbers."""
    return float(metrics.ulp_distance(first, second).max(initial=0.0))


def layer_of(weight: str) -> str:
    """`2 Dense kernel` lies in layer `2 Dense`."""
    return weight.rpartition(" ")[0] or weight


@dataclass(frozen=True)
class Uncontrolled:
    """What a policy leaves to chance on a backend.

    `apart`: in how many of how many pairs each uncontrolled source differs; `arithmetic`: under
    which of the `checked` conditions it differs; `equal_starts`: some pairs had the same start;
    `disagreement`: the largest share of rows that two repeats answer differently.
    """

    backend: str
    policy: str
    apart: dict[str, tuple[int, int]]
    arithmetic: tuple[str, ...]
    checked: tuple[str, ...]
    equal_starts: bool
    disagreement: float

    @property
    def sources(self) -> list[str]:
        """What is left to chance."""
        return [*self.apart, *([ARITHMETIC] if self.arithmetic else [])]


def diagnose(study: Study, cells: Sequence[Cell]) -> list[Uncontrolled]:
    """What each policy leaves uncontrolled on each backend, with the sources fixed one by one."""
    named = dict.fromkeys((cell.backend, cell.policy) for cell in cells)
    return [_diagnose(study, cells, *each) for each in named]


def _diagnose(study: Study, cells: Sequence[Cell], backend: str, policy: str) -> Uncontrolled:
    mine = [pair for pair in study.pairs if (pair.backend, pair.policy) == (backend, policy)]
    repeats = [pair for pair in mine if pair.condition in (plan.SAME, plan.NEW)]
    shuffled = [pair for pair in mine if pair.condition == plan.ORDER]
    fixed = [pair for pair in mine if pair.condition in (plan.EQUAL_START, plan.THREADS)]
    why = {
        pair: () if study.drift(pair).bitwise else explain(*study.trained(pair)).sources
        for pair in [*repeats, *fixed]
    }
    counts = {
        source: (sum(source in why[pair] for pair in repeats), len(repeats))
        for source in (INITIAL, RANDOM_LAYERS)
    }
    order = {key: training.get("order") for key, training in study.trainings.items()}
    redrawn = sum(order[pair.first] != order[pair.second] for pair in shuffled)
    counts[ORDER] = redrawn, len(shuffled)
    repeated = [cell_of(cells, backend, policy, condition) for condition in (plan.SAME, plan.NEW)]
    arithmetic = [pair.condition for pair, sources in why.items() if ARITHMETIC in sources]
    checked = [pair.condition for pair in [*repeats, *shuffled, *fixed]]
    return Uncontrolled(
        backend,
        policy,
        apart={source: count for source, count in counts.items() if count[0]},
        arithmetic=tuple(dict.fromkeys(arithmetic)),
        checked=tuple(dict.fromkeys(checked)),
        equal_starts=bool(fixed),
        disagreement=max((cell.disagreement for cell in repeated if cell), default=0.0),
    )


def varied(study: Study, cells: Sequence[Cell]) -> list[tuple[Cell, Difference]]:
    """Why trainings part under what was varied: first of the SEEDED policies, worst seed."""
    policies = study.specification["policies"]
    seeded = next((name for name in plan.SEEDED if name in policies), None)
    pairs = {(pair.backend, pair.policy, pair.condition, pair.seed): pair for pair in study.pairs}
    parted = []
    for cell in cells:
        if cell.policy == seeded and not cell.reproduced and cell.condition not in plan.CONDITIONS:
            far = [drift.relative_l2 for drift in cell.drifts]
            worst = cell.seeds[far.index(max(far))]
            pair = pairs[cell.backend, cell.policy, cell.condition, worst]
            parted.append((cell, explain(*study.trained(pair))))
    return parted
