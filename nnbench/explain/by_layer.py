"""Why one network's step takes longer than another's, layer by layer.

The steps of both were cut after each layer in the same launches (see `layers.breakdown`). Layers
are matched (see `matching`); what only one network has stands by itself; loss and rest are those of
the whole steps. In each launch the parts add up to the difference of the two steps; each part is
the centre of the launches with its own interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.explain import matching
from nnbench.layers.breakdown import LOSS, REST, Timed, Times, is_nothing, timed
from nnbench.layers.listed import Listed
from nnbench.measure.pieces import CUT
from nnbench.stats.estimate import centre
from nnbench.stats.interval import Interval
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.networks import Network

MUCH = 0.1
"""Of the longer step: parts that miss the whole by more do not add up."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """What layers take in the first network's step, in the second's, and more in that one.

    Mostly one layer of each; where a network has none of them its time is None. Loss and rest have
    no layers.
    """

    name: str
    first: tuple[Listed, ...]
    second: tuple[Listed, ...]
    first_s: Interval | None
    second_s: Interval | None
    difference_s: Interval

    @property
    def is_of_both(self) -> bool:
        """Whether both networks have it."""
        return self.first_s is not None and self.second_s is not None


@dataclass(frozen=True)
class StepByLayer:
    """Why a step of `second` takes as long as it does, compared with `first`'s; both are names.

    `parts` are in the order of the networks, loss and rest last; `whole` is the difference of the
    two steps. `launches` stand behind the intervals; `failed` counts pieces that were not timed.
    """

    first: str
    second: str
    first_case: Case
    second_case: Case
    parts: tuple[Part, ...]
    first_s: Interval
    second_s: Interval
    whole: Interval
    launches: int
    failed: int

    @property
    def layers(self) -> list[Part]:
        """The parts that are layers."""
        return [one for one in self.parts if one.first or one.second]

    @property
    def added_up_s(self) -> float:
        """All parts together: the whole, but for what centres of launches miss."""
        return math.fsum(one.difference_s.value for one in self.parts)

    @property
    def adds_up(self) -> bool:
        """Whether the parts together lie within the interval of the whole, or miss it by little."""
        missing_s = abs(self.added_up_s - self.whole.value)
        reach_s = self.whole.high - self.whole.low if self.whole.has_interval else 0.0
        much_s = MUCH * max(self.first_s.value, self.second_s.value)
        return missing_s <= max(reach_s / 2, much_s)

    @property
    def strange(self) -> list[str]:
        """Parts that take less than nothing in one of the steps, beyond their intervals."""
        return [
            part.name
            for part in self.parts
            for one in (part.first_s, part.second_s)
            if one is not None and one.has_interval and one.high < 0
        ]


def of_networks(run: Run, first: Network, second: Network) -> list[StepByLayer]:
    """On every backend, device and path that timed both. Raises UserError without any."""
    found = timed(run)
    mine = {one.case.comparable: one for one in found if one.case.label == second.label}
    both = [
        (one, mine[one.case.comparable])
        for one in found
        if one.case.label == first.label and one.case.comparable in mine
    ]
    if not both:
        raise UserError(f"{run.folder} holds no steps of {first} and {second} by layer")
    return [between(*pair) for pair in both]


def between(first: Timed, second: Timed) -> StepByLayer:
    """What the second's step takes more. Raises UserError where no launch has timed both."""
    common = set(Times(first.seconds).launches).intersection(Times(second.seconds).launches)
    steps = tuple(_Step(one, common) for one in (first, second))
    for step in steps:
        if not step.ends:
            one = step.timed
            raise UserError(
                f"{one.name} ({one.case.context}): no launch has timed all pieces of both networks"
            )
    before, after = steps
    keys = ([step.layers_of(place)[-1] for place in range(len(step.ends))] for step in steps)
    parts = [_part(group, before, after) for group in _grouped(matching.pairs(*keys), steps)]
    parts += [
        Part(name, (), (), centre(one), centre(other), centre(other - one))
        for name, one, other in ((LOSS, before.loss, after.loss), (REST, before.rest, after.rest))
    ]
    return StepByLayer(
        first.name,
        second.name,
        first.case,
        second.case,
        tuple(parts),
        centre(before.times.whole),
        centre(after.times.whole),
        centre(after.times.whole - before.times.whole),
        len(before.times.launches),
        first.failed + second.failed,
    )


class _Step:
    """A step's stretches from cut to cut, in the order of the network."""

    def __init__(self, one: Timed, launches: set[object]) -> None:
        self.timed, self.times = one, Times(one.seconds, launches)
        self.ends = self.times.stops(one.layers)

    def layers_of(self, place: int) -> tuple[Listed, ...]:
        """What is computed in a stretch; views after the last cut compute nothing."""
        begin = self.ends[place - 1] if place else 0
        return tuple(self.timed.layers[begin : self.ends[place]])

    def seconds(self, place: int) -> Array:
        """A stretch's time, a value a launch."""
        begin = self.ends[place - 1] if place else 0
        return self.times.of(CUT, self.ends[place]) - self.times.of(CUT, begin)

    @property
    def loss(self) -> Array:
        """What the whole step takes beyond the last cut."""
        return self.times.whole - self.times.of(CUT, self.ends[-1])

    @property
    def rest(self) -> Array:
        """A step without layers."""
        return self.times.of(CUT, 0)


_Group = tuple[list[int], list[int]]


def _grouped(found: Sequence[matching.Pair], steps: Sequence[_Step]) -> list[_Group]:
    """Stretches of both that are told together: what costs nothing goes with what comes before."""
    groups: list[_Group] = []
    for pair in found:
        of_pair = [
            (step, place) for step, place in zip(steps, pair, strict=True) if place is not None
        ]
        costs = any(
            any(one.parameters for one in step.layers_of(place))
            or not is_nothing(centre(step.seconds(place)))
            for step, place in of_pair
        )
        places = zip(groups[-1], pair, strict=True) if groups else ()
        follows = groups and all(some or place is None for some, place in places)
        if costs or not follows:
            groups.append(([], []))
        for members, place in zip(groups[-1], pair, strict=True):
            members.extend([] if place is None else [place])
    return groups


def _part(group: _Group, before: _Step, after: _Step) -> Part:
    (first, first_s), (second, second_s) = (
        _told(step, places) for step, places in zip((before, after), group, strict=True)
    )
    return Part(
        _name(first, second),
        first,
        second,
        centre(first_s) if first else None,
        centre(second_s) if second else None,
        centre(second_s - first_s),
    )


def _told(step: _Step, places: Sequence[int]) -> tuple[tuple[Listed, ...], Array]:
    """The layers of stretches, and what they take together."""
    layers = tuple(one for place in places for one in step.layers_of(place))
    nothing = np.zeros_like(step.times.whole)
    return layers, sum((step.seconds(place) for place in places), nothing)


def _name(first: Sequence[Listed], second: Sequence[Listed]) -> str:
    one, other = (" + ".join(layer.name for layer in each) for each in (first, second))
    if one == other or not one or not other:
        return one or other
    return f"{one} → {other}"
