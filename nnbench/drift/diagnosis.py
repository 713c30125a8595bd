"""Why two trainings are apart, in words: initial weights, random layers, order, or arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.drift import metrics, plan
from nnbench.drift.matrix import Cell, cell_of, ulps
from nnbench.drift.metrics import Drift
from nnbench.drift.plan import Pair
from nnbench.drift.policies import POLICIES
from nnbench.drift.saved import Study
from nnbench.drift.trajectory import Array, Trajectory, drift

INITIAL, RANDOM_LAYERS, ORDER, ARITHMETIC = (
    "initial weights",
    "random layers",
    "order of rows",
    "arithmetic",
)
SHAPES = "shapes"


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

    @property
    def text(self) -> str:
        """The finding in a few sentences."""
        if not self.sources:
            return "Equal in every bit: weights of every epoch, losses and predictions."
        if SHAPES in self.sources:
            return "The networks have weights of other shapes: there is nothing to compare."
        return " ".join([*self._causes(), self._extent()])

    def _causes(self) -> list[str]:
        found = []
        if INITIAL in self.sources:
            named = f" (first in {self.layer})" if self.layer else ""
            found.append(f"Initial weights differ{named}: they are apart before any training.")
        if RANDOM_LAYERS in self.sources:
            found.append("The random layers (such as dropout) draw from other seeds.")
        if ORDER in self.sources:
            found.append("The order of rows differs.")
        if ARITHMETIC in self.sources:
            place = (
                f"first in the output of layer {self.layer} at the initial weights"
                if self.forward
                else f"first seen in the weights of layer {self.layer}"
            )
            found.append(
                "Initial weights and the order of rows are equal, arithmetic differs: "
                f"{place}, by up to {ulps(self.layer_ulp)}."
            )
        return found

    def _extent(self) -> str:
        far = self.drift
        begins = (
            "Weights differ from the start"
            if far.first_epoch == 0
            else "The final weights are equal all the same"
            if far.first_epoch is None
            else f"Weights differ from epoch {far.first_epoch} on"
            if far.before_epoch == far.first_epoch - 1
            else f"Weights differ from an epoch between {far.before_epoch} and {far.first_epoch} on"
        )
        grows = (
            f", the distance doubling every {far.doubling_epochs:.2g} epochs at first"
            if far.doubling_epochs
            else ""
        )
        return (
            f"{begins}{grows}; at the end {ulps(far.max_ulp)} at most, {far.relative_l2:.1e} "
            f"relative, losses {far.loss_difference:.1e} apart at most, "
            f"{far.disagreement:.1%} of answers differ."
        )


def explain(first: Trajectory, second: Trajectory) -> Difference:
    """Say why `second` is apart from `first`, by ruling the sources out one by one.

    What a training starts from is compared first: weights, the state of its random layers, the
    order of rows. Where all of that is equal, only arithmetic can differ. It is placed by the
    layers' outputs at the initial weights, in the order of the forward pass; where those agree,
    by the weights of the first epoch that differ, nearest to the output, where the backward pass
    begins.
    """
    far = drift(first, second)
    if not far.comparable:
        return Difference((SHAPES,), far)
    if not far.initial_equal:
        differing = _differing(first.names, first.at(0), second.at(0))
        name, distance = differing[0]
        return Difference(
            (INITIAL,), far, _layer(name), distance, weights=tuple(n for n, _ in differing)
        )
    sources = []
    if not all(map(metrics.bitwise_equal, first.draws, second.draws)) or len(first.draws) != len(
        second.draws
    ):
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
    weights: list[tuple[str, float]] = []
    if far.first_epoch is not None:
        place = first.epochs.index(far.first_epoch)
        there = second.epochs.index(far.first_epoch)
        weights = _differing(first.names, first.at(place), second.at(there))
    names = tuple(name for name, _ in weights)
    if outputs:
        layer, a, b = outputs[0]
        largest = float(metrics.ulp_distance(a, b).max())
        return Difference((ARITHMETIC,), far, layer, largest, forward=True, weights=names)
    if not weights:
        return Difference((ARITHMETIC,), far, "the loss alone", 0.0)
    name, distance = weights[-1]
    return Difference((ARITHMETIC,), far, _layer(name), distance, weights=names)


def _differing(
    names: Sequence[str],
    first: Sequence[Array],
    second: Sequence[Array],
) -> list[tuple[str, float]]:
    return [
        (name, float(metrics.ulp_distance(a, b).max(initial=0.0)))
        for name, a, b in zip(names, first, second, strict=True)
        if not metrics.bitwise_equal(a, b)
    ]


def _layer(weight: str) -> str:
    """`2 Dense kernel` lies in layer `2 Dense`."""
    return weight.rpartition(" ")[0] or weight


@dataclass(frozen=True)
class Uncontrolled:
    """What a policy leaves to chance on a backend, and the sentence that says so."""

    backend: str
    policy: str
    sources: tuple[str, ...]
    text: str


def diagnose(study: Study, found: Sequence[Cell]) -> list[Uncontrolled]:
    """What each policy leaves uncontrolled on each backend, with the sources fixed one by one."""
    return [
        _diagnose(study, found, backend, policy)
        for backend in study.specification["backends"]
        for policy in study.specification["policies"]
        if any((cell.backend, cell.policy) == (backend, policy) for cell in found)
    ]


def _diagnose(study: Study, found: Sequence[Cell], backend: str, policy: str) -> Uncontrolled:
    mine = [pair for pair in study.pairs() if (pair.backend, pair.policy) == (backend, policy)]
    repeats = [pair for pair in mine if pair.condition in (plan.SAME, plan.NEW)]
    fixed = [pair for pair in mine if pair.condition in (plan.EQUAL_START, plan.THREADS)]
    why = {pair: _sources(study, pair) for pair in [*repeats, *fixed]}
    sources, words = [], []
    for source, says in SAYS.items():
        apart = sum(source in why[pair] for pair in repeats)
        if apart:
            sources.append(source)
            words.append(f"{says} ({apart} of {len(repeats)} pairs)")
    shuffled = [pair for pair in mine if pair.condition == plan.ORDER]
    orders = sum(_orders_differ(study, pair) for pair in shuffled)
    if orders:
        sources.append(ORDER)
        words.append(f"the order of rows is drawn anew ({orders} of {len(shuffled)} pairs)")
    where = dict.fromkeys(pair.condition for pair, found in why.items() if ARITHMETIC in found)
    if where:
        sources.append(ARITHMETIC)
        words.append(f"arithmetic differs from equal weights in equal order ({', '.join(where)})")
    start = f"{backend}, {POLICIES[policy].title}: "
    if not sources:
        checked = dict.fromkeys(pair.condition for pair in [*repeats, *shuffled, *fixed])
        text = f"{start}everything is controlled ({', '.join(checked)})."
        return Uncontrolled(backend, policy, (), text)
    cells = [cell_of(found, backend, policy, condition) for condition in (plan.SAME, plan.NEW)]
    felt = max((cell.disagreement for cell in cells if cell), default=0.0)
    also = "; with that fixed, arithmetic repeats bit by bit" if fixed and not where else ""
    answers = f" Two such trainings answer up to {felt:.1%} of rows differently." if felt else ""
    text = f"{start}{', and '.join(words)}{also}.{answers}"
    return Uncontrolled(backend, policy, tuple(sources), text)


SAYS = {
    INITIAL: "initial weights are drawn anew",
    RANDOM_LAYERS: "random layers (such as dropout) draw anew",
}


def _sources(study: Study, pair: Pair) -> tuple[str, ...]:
    if study.drift(pair).bitwise:
        return ()
    return explain(study.trajectory(pair.first), study.trajectory(pair.second)).sources


def _orders_differ(study: Study, pair: Pair) -> bool:
    first, second = (study.trainings[key].get("order") for key in (pair.first, pair.second))
    return first != second


def explanations(study: Study, found: Sequence[Cell]) -> list[str]:
    """Why trainings part where something was varied on purpose, the worst seed of each."""
    seeded = next((name for name in plan.SEEDED if name in study.specification["policies"]), None)
    varied = [
        cell
        for cell in found
        if cell.policy == seeded and not cell.reproduced and cell.condition not in plan.CONDITIONS
    ]
    lines = []
    for cell in varied:
        worst = max(
            zip(cell.seeds, cell.drifts, strict=True), key=lambda pair: pair[1].relative_l2
        )[0]
        for pair in study.pairs():
            place = pair.backend, pair.policy, pair.condition, pair.seed
            if place == (cell.backend, cell.policy, cell.condition, worst):
                told = explain(study.trajectory(pair.first), study.trajectory(pair.second))
                lines.append(f"{cell.backend}, {cell.condition}: {told.text}")
    return lines
