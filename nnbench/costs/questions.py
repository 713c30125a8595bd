"""What people ask of a cost model, answered for networks of equal widths: what was calibrated."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from nnbench.costs.context import Context, Width
from nnbench.costs.model import around
from nnbench.costs.prediction import Prediction
from nnbench.phases import EPOCH, STEP
from nnbench.stats.interval import Interval
from nnbench.workload.architecture import Architecture

DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24)

FREE = 1.1
"""Width is free as long as a step is at most 10 % dearer than the narrowest network's."""

FAR_OFF = 0.1
"""A network whose count is further than 10 % from the wanted one does not stand for it."""


@dataclass(frozen=True)
class Alternative:
    """Another network for the same money; `epoch_ratio` is to the asked one, `width` if sought."""

    architecture: Architecture
    parameters: int
    flops_per_step: int
    prediction: Prediction
    epoch_ratio: Interval
    width: Width | None = None


def answered_depths(context: Context, asked: Architecture | None = None) -> list[int]:
    """The depths that answers are given for: those calibrated, and that of the asked network."""
    wanted = {depth for depth in DEPTHS if depth <= context.deepest}
    return sorted(wanted | ({asked.depth} if asked else set()))


def as_fast(context: Context, asked: Architecture) -> list[Alternative]:
    """At each depth the widest network whose epoch takes no longer than the asked one's."""
    found = []
    for depth in answered_depths(context, asked):
        width = context.width_where(depth, lambda one: context.ratio(one, asked, EPOCH))
        if width.value is None:
            continue
        widths = (width.value,) * depth
        if widths == asked.widths:
            width = Width(width.value, width.value, width.value, open_above=False)
        found.append(_alternative(context, widths, asked, width))
    return found


def as_many(
    context: Context, asked: Architecture, counted: Callable[[Architecture], int]
) -> list[Alternative]:
    """At each depth the network that has about as many as the asked one of what is counted."""
    wanted = counted(asked)
    found = []
    for depth in answered_depths(context, asked):
        width = nearest_width(depth, wanted, counted, context.widest)
        if width and abs(counted(Architecture((width,) * depth)) / wanted - 1) <= FAR_OFF:
            found.append(_alternative(context, (width,) * depth, asked))
    return found


def nearest_width(
    depth: int, wanted: int, counted: Callable[[Architecture], int], widest: int
) -> int | None:
    """The width at which a count that grows with it is nearest to the wanted one."""

    def count(width: int) -> int:
        return counted(Architecture((width,) * depth))

    if count(widest) < wanted * (1 - FAR_OFF):
        return None
    # As many widths from 1 on have at most the wanted count.
    most = bisect_right(range(1, widest + 1), wanted, key=count)
    near = [width for width in (most, most + 1) if 1 <= width <= widest]
    return min(near, key=lambda width: abs(count(width) - wanted))


def _alternative(
    context: Context, widths: tuple[int, ...], asked: Architecture, width: Width | None = None
) -> Alternative:
    one = Architecture(widths)
    counts = context.parameters(one), context.flops(one)
    return Alternative(one, *counts, context.predict(one), context.ratio(one, asked, EPOCH), width)


@dataclass(frozen=True)
class FreeWidth:
    """Up to which width a step is at most 10 % dearer, and has more overhead than compute."""

    depth: int
    narrowest_step_s: Interval
    free_to_width: Width
    overhead_rules_to_width: Width


def free_width(context: Context) -> list[FreeWidth]:
    """For each depth, where width stops being free."""
    found, step = [], context.model.phases[STEP]
    for depth in answered_depths(context):
        base = Architecture((context.narrowest,) * depth)

        def dearer(one: Architecture, base: Architecture = base) -> Interval:
            ratio = context.ratio(one, base, STEP)
            return Interval(ratio.value / FREE, ratio.low / FREE, ratio.high / FREE)

        found.append(
            FreeWidth(
                depth,
                context.predict(base).step_s,
                context.width_where(depth, dearer),
                context.width_where(
                    depth, lambda one: step.compute_by_overhead(context.counted(one))
                ),
            )
        )
    return found


def between(here: Context, there: Context, asked: Architecture) -> Interval:
    """Epoch of a network in another context / here; the two models share no timing."""
    mine, base = there.predict(asked).epoch_s, here.predict(asked).epoch_s
    reaches = [math.log(epoch_s.high / epoch_s.value) for epoch_s in (mine, base)]
    return around(mine.value / base.value, math.hypot(*reaches))
