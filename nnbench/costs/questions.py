"""What people ask of a cost model, answered as plain records with intervals.

All networks in the answers have equal widths: they are what was calibrated.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnbench.costs.context import Scene, Width
from nnbench.costs.prediction import Prediction
from nnbench.phases import EPOCH, STEP
from nnbench.stats.interval import Interval
from nnbench.workload.architecture import Architecture

DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24)

FREE = 1.1
"""Width is free as long as a step is at most 10 % dearer than the narrowest network's."""

FAR_OFF = 0.1
"""A network whose count is further than 10 % from the wanted one does not stand for it."""

LAUNCHES_S = (2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6)
"""Assumed: seconds that a device is kept waiting for each layer of a step, all of its kernels."""

DEVICE_FLOPS_PER_S = 1e13
"""Assumed: the rate a GPU reaches in the matrix products of such networks."""


@dataclass(frozen=True)
class Alternative:
    """Another network for the same money: `ratio` is its epoch / the asked one's.

    `width` says how sure the width is, where it was looked for by its time.
    """

    architecture: Architecture
    parameters: int
    flops: int
    prediction: Prediction
    ratio: Interval
    width: Width | None = None


def depths(scene: Scene, asked: Architecture | None = None) -> list[int]:
    """The depths that answers are given for: those calibrated, and that of the asked network."""
    wanted = {depth for depth in DEPTHS if depth <= scene.deepest}
    return sorted(wanted | ({asked.depth} if asked else set()))


def as_fast(scene: Scene, asked: Architecture) -> list[Alternative]:
    """At each depth the widest network whose epoch takes no longer than the asked one's."""
    found = []
    for depth in depths(scene, asked):
        width = scene.width_where(depth, lambda one: scene.ratio(one, asked, EPOCH))
        if width.value is None:
            continue
        widths = (width.value,) * depth
        if widths == asked.widths:
            width = Width(width.value, width.value, width.value, open_above=False)
        found.append(_alternative(scene, widths, asked, width))
    return found


def as_many_parameters(scene: Scene, asked: Architecture) -> list[Alternative]:
    """At each depth the network with about as many parameters as the asked one."""
    return _as_many(scene, asked, lambda one: one.parameters(scene.place.features))


def as_many_flops(scene: Scene, asked: Architecture) -> list[Alternative]:
    """At each depth the network with about as many FLOPs in a step as the asked one."""
    return _as_many(scene, asked, lambda one: _flops(scene, one))


def _as_many(
    scene: Scene, asked: Architecture, counted: Callable[[Architecture], int]
) -> list[Alternative]:
    wanted = counted(asked)
    found = []
    for depth in depths(scene, asked):
        width = nearest_width(depth, wanted, counted, scene.widest)
        if width and abs(counted(Architecture((width,) * depth)) / wanted - 1) <= FAR_OFF:
            found.append(_alternative(scene, (width,) * depth, asked))
    return found


def nearest_width(
    depth: int, wanted: int, counted: Callable[[Architecture], int], widest: int
) -> int | None:
    """The width at which a count that grows with it is nearest to the wanted one."""
    low, high = 1, widest
    if counted(Architecture((high,) * depth)) < wanted * (1 - FAR_OFF):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if counted(Architecture((middle,) * depth)) <= wanted:
            low = middle
        else:
            high = middle
    return min((low, high), key=lambda width: abs(counted(Architecture((width,) * depth)) - wanted))


def _alternative(
    scene: Scene, widths: tuple[int, ...], asked: Architecture, width: Width | None = None
) -> Alternative:
    one = Architecture(widths)
    return Alternative(
        one,
        one.parameters(scene.place.features),
        _flops(scene, one),
        scene.predict(one),
        scene.ratio(one, asked, EPOCH),
        width,
    )


def _flops(scene: Scene, architecture: Architecture) -> int:
    cost = scene.case(architecture).step_cost
    assert cost is not None
    return cost.flops


@dataclass(frozen=True)
class FreeWidth:
    """Up to where width costs next to nothing at a depth.

    `dearer`: the widest whose step is at most 10 % dearer than the narrowest network's; `knee`:
    the widest whose step still has more overhead than compute.
    """

    depth: int
    dearer: Width
    knee: Width
    narrowest_s: Interval


def free_width(scene: Scene) -> list[FreeWidth]:
    """For each depth, where width stops being free."""
    found = []
    for depth in depths(scene):
        base = Architecture((scene.narrowest,) * depth)

        def dearer(one: Architecture, base: Architecture = base) -> Interval:
            ratio = scene.ratio(one, base, STEP)
            return Interval(ratio.value / FREE, ratio.low / FREE, ratio.high / FREE)

        found.append(
            FreeWidth(
                depth,
                scene.width_where(depth, dearer),
                scene.width_where(depth, lambda one: _compute_by_overhead(scene, one)),
                scene.predict(base).step_s,
            )
        )
    return found


def _compute_by_overhead(scene: Scene, architecture: Architecture) -> Interval:
    """Compute / overhead of a step by the coefficients, with the interval of their draws."""
    _, overhead_s, compute_s = scene.model.phases[STEP].drawn_s([scene.case(architecture)])
    ratios = compute_s[:, 0] / np.maximum(overhead_s[:, 0], 1e-12)
    low, high = np.quantile(ratios, [0.025, 0.975])
    value = float(ratios[0])
    return Interval(value, min(value, float(low)), max(value, float(high)))


@dataclass(frozen=True)
class GpuNeed:
    """With so many assumed seconds of overhead a layer: the rate at which a GPU breaks even.

    `rate` is in FLOP/s; None: the launches alone take longer than the whole step here. Its `high`
    is infinite where they may. `wins_from` is the width of a network of this depth from which on
    a GPU with that overhead and `DEVICE_FLOPS_PER_S` wins; None: not in the calibrated range.
    """

    overhead_s: float
    rate: Interval | None
    wins_from: int | None


@dataclass(frozen=True)
class GpuQuestion:
    """What a GPU would need to win at the steps of a network.

    `step_s` is the step here, of which `overhead_share` is overhead; `most_overhead_s` what a
    GPU may spend on each layer if it computed in no time.
    """

    architecture: Architecture
    step_s: Interval
    overhead_share: float
    flops: int
    most_overhead_s: Interval
    needs: Sequence[GpuNeed]


def gpu(scene: Scene, asked: Architecture) -> GpuQuestion:
    """Break-even of a GPU by arithmetic: `(depth + 1) * overhead + FLOPs / rate = step here`."""
    step_s = scene.predict(asked).step_s
    layers = asked.depth + 1
    flops = _flops(scene, asked)
    whole = scene.model.phases[STEP].predict(scene.case(asked))
    both = whole.overhead_s + whole.compute_s
    needs = []
    for overhead_s in LAUNCHES_S:
        launches_s = layers * overhead_s
        rate = None
        if step_s.value > launches_s:
            rate = Interval(
                flops / (step_s.value - launches_s),
                flops / (step_s.high - launches_s),
                flops / (step_s.low - launches_s) if step_s.low > launches_s else float("inf"),
            )
        needs.append(GpuNeed(overhead_s, rate, _wins_from(scene, asked.depth, launches_s)))
    return GpuQuestion(
        asked,
        step_s,
        whole.overhead_s / both if both > 0 else 0.0,
        flops,
        Interval(step_s.value / layers, step_s.low / layers, step_s.high / layers),
        needs,
    )


def _wins_from(scene: Scene, depth: int, launches_s: float) -> int | None:
    def loses(one: Architecture) -> bool:
        device_s = launches_s + _flops(scene, one) / DEVICE_FLOPS_PER_S
        return scene.predict(one).step_s.value <= device_s

    losing = scene.widest_with(depth, loses)
    if losing is None:
        return scene.narrowest
    return losing + 1 if losing < scene.widest else None


def between(here: Scene, there: Scene, asked: Architecture) -> Interval:
    """Epoch of a network in another scene / here; the two models share no timing."""
    mine, base = there.predict(asked).epoch_s, here.predict(asked).epoch_s
    value = mine.value / base.value
    reach = math.exp(math.hypot(_reach(mine), _reach(base)))
    return Interval(value, value / reach, value * reach)


def _reach(found: Interval) -> float:
    return math.log(found.high / found.value)
