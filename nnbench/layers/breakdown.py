"""A step taken apart into its layers: computed once, for tables, words, charts, page and JSON.

Of each launch: a layer's time is what the step that is cut after it takes more than the one that
is cut before it; its forward pass likewise, of steps without a backward pass; its update is timed
by itself, and what is left is its backward pass. The loss, with the metrics, is what the whole step
takes more than the one that is cut after the last layer; the rest is a step without layers. So in
each launch the parts add up to the whole.

A layer without weights that cannot be distinguished from nothing counts with the one before it: a
compiler makes one loop of both, or it costs as little as it should.

As a check each layer is timed by itself as well, on what it is given in the network.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.layers import listed, plan
from nnbench.layers.listed import UPDATED, Listed
from nnbench.measure.pieces import ALONE, CUT, FORWARD, UPDATE
from nnbench.stats.estimate import centre
from nnbench.stats.interval import Interval
from nnbench.stats.summary import product_rates
from nnbench.store.runs import Run
from nnbench.workload.case import Case

FORWARD_PASS, BACKWARD_PASS, UPDATE_PASS = "forward", "backward", "update"
PASSES = (FORWARD_PASS, BACKWARD_PASS, UPDATE_PASS)
LOSS, REST = "loss and metrics", "rest"

UNDISTURBED = 0.1
"""Of a block's samples the quantile that stands for it: what else the machine does only adds time,
and a layer is the small difference of two steps."""

MUCH = 0.1
"""Parts below zero by this share of the step are told, whatever their intervals."""

APART, APART_OF_STEP = 0.25, 0.05
"""A layer alone takes another time than in the step where both are apart by these shares, of the
longer of them and of the step, and their interval excludes 0."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Layers that are told together, mostly one; times in seconds, shares of the whole step.

    `passes_s` and `pass_shares` are by `PASSES`. `utilisation` is the FLOPs a second of its forward
    and backward pass as a share of the machine's product rate, `pass_utilisation` that of each;
    None where it is not known. `alone_s` is what the layers take by themselves, None where one of
    them was not timed so; `is_apart` tells whether that is another time than in the step.
    """

    layers: tuple[Listed, ...]
    time_s: Interval
    share: Interval
    passes_s: Mapping[str, Interval]
    pass_shares: Mapping[str, Interval]
    utilisation: float | None
    pass_utilisation: Mapping[str, float | None]
    alone_s: Interval | None = None
    is_apart: bool = False

    @property
    def name(self) -> str:
        """The layers' names."""
        return " + ".join(one.name for one in self.layers)

    @property
    def parameters(self) -> int:
        """All of its parameters."""
        return sum(one.parameters for one in self.layers)

    @property
    def flops(self) -> int:
        """Operations of a step: forward, backward and update."""
        return sum(one.forward_flops + one.backward_flops + one.update_flops for one in self.layers)

    @property
    def held_bytes(self) -> int:
        """Bytes of its weights, and of what it keeps for the backward pass."""
        return sum(one.held_bytes for one in self.layers)


@dataclass(frozen=True)
class Breakdown:
    """One network's step on one backend, device and path.

    `groups` are in the order of the network. `update_share` is that of all layers together, and so
    is `alone_share`, each by itself, None where not all were timed so. `launches` stand behind the
    intervals; `failed` counts pieces of the whole that could not be timed. `name` is what the
    network is called.
    """

    case: Case
    groups: tuple[Group, ...]
    whole_s: Interval
    loss_s: Interval
    loss_share: Interval
    rest_s: Interval
    rest_share: Interval
    update_share: Interval
    product_flops_per_s: float | None
    launches: int
    failed: int
    name: str
    alone_share: Interval | None = None

    @property
    def layers_share(self) -> float:
        """What of the step is its layers'."""
        return 1 - self.loss_share.value - self.rest_share.value

    @property
    def apart(self) -> list[Group]:
        """Groups that take another time alone than in the step."""
        return [one for one in self.groups if one.is_apart]

    @property
    def sorted(self) -> list[Group]:
        """The groups, the longest first."""
        return sorted(self.groups, key=lambda one: -one.time_s.value)

    @property
    def missing(self) -> list[str]:
        """What no rule counts among the FLOPs."""
        return [
            f"{one.kind} {one.name}: {one.missing}"
            for group in self.groups
            for one in group.layers
            if one.missing
        ]

    @property
    def strange(self) -> list[str]:
        """Names of parts that take less than nothing, beyond their intervals or by much."""
        much_s = -MUCH * self.whole_s.value
        parts = {one.name: one.time_s for one in self.groups} | {LOSS: self.loss_s}
        return [
            name
            for name, one in parts.items()
            if one.value < much_s or (one.has_interval and one.high < 0)
        ]


@dataclass(frozen=True)
class Timed:
    """A network's whole step, its layers, and the seconds of each piece of it by launch.

    `seconds` has the pieces' names, the whole step's is ''; `failed` counts those of the whole that
    could not be timed; `name` is what the network is called.
    """

    case: Case
    layers: Sequence[Listed]
    seconds: Mapping[str, Mapping[Any, float]]
    failed: int
    name: str


def of(run: Run) -> list[Breakdown]:
    """The breakdown of each network of a run. Raises UserError for a run of something else."""
    found = []
    for one in timed(run):
        rates = product_rates(run, one.case)
        rate = float(np.median(rates)) if rates else None
        found.append(taken_apart(one, rate))
    return found


def timed(run: Run) -> list[Timed]:
    """What a run has timed of each network. Raises UserError for a run of something else."""
    looked = plan.of(run)
    samples = run.samples()
    blocks = samples.groupby(["case", "launch", "block"])["seconds"].quantile(UNDISTURBED)
    by_launch = blocks.groupby(["case", "launch"]).median()
    times_s = {str(key): dict(one.droplevel("case")) for key, one in by_launch.groupby("case")}
    found = []
    wholes = [case for case in run.cases.values() if case.piece is None]
    for whole, layers in zip(wholes, looked.values(), strict=True):
        cases = listed.pieces(whole, layers)
        by_name = {case.piece or "": times_s.get(case.key, {}) for case in cases}
        failed = sum(
            not by_name[case.piece or ""] for case in cases if not str(case.piece).startswith(ALONE)
        )
        found.append(Timed(whole, layers, by_name, failed, run.name(whole)))
    return found


class Times:
    """Seconds of each piece by launch, of the launches that have timed all; `launches` are these.

    Only those of `among` are taken where it is given.
    """

    def __init__(
        self, by_name: Mapping[str, Mapping[Any, float]], among: Collection[Any] | None = None
    ) -> None:
        timed = {name: one for name, one in by_name.items() if one}
        launches = [set(one) for one in timed.values()]
        common = set.intersection(*launches) if launches else set()
        self.launches = sorted(common if among is None else common.intersection(among))
        self._found = {
            name: np.array([one[at] for at in self.launches]) for name, one in timed.items()
        }

    def has(self, kind: str, number: int) -> bool:
        """Whether this piece was timed."""
        return f"{kind}:{number}" in self._found

    def of(self, kind: str, number: int) -> Array:
        """A piece's seconds, a value a launch."""
        return self._found[f"{kind}:{number}"]

    @property
    def whole(self) -> Array:
        """The whole step's."""
        return self._found[""]

    def stops(self, layers: Sequence[Listed]) -> list[int]:
        """The cuts after which the step was timed; empty where what is needed is missing."""
        if not self.launches or "" not in self._found or not self.has(CUT, 0):
            return []
        return [one for one in listed.stops(layers) if self.has(CUT, one)]


def taken_apart(one: Timed, rate: float | None) -> Breakdown:
    """The breakdown of a network by the seconds of its pieces; `rate` is the machine's, in FLOP/s.

    Raises UserError where no launch has timed the whole step and a cut.
    """
    case, layers, times = one.case, one.layers, Times(one.seconds)
    stops = times.stops(layers)
    if not stops:
        raise UserError(f"{one.name} ({case.context}) has no launch that timed its whole step")
    whole = times.whole

    def share(seconds: Array) -> Interval:
        return centre(seconds / whole)

    merged = _merged(layers, stops, lambda a, b: centre(times.of(CUT, b) - times.of(CUT, a)))
    groups = []
    for before, stop in merged:
        # Views after the last cut compute nothing, and go with the last group.
        last = len(layers) if stop == stops[-1] else stop
        groups.append(_group(layers[before:last], before, stop, times, share, rate))
    loss, rest = whole - times.of(CUT, stops[-1]), times.of(CUT, 0)
    update = sum(_update(layers, times), np.zeros_like(whole))
    alone = _alone(layers, times)
    return Breakdown(
        case=case,
        groups=tuple(groups),
        whole_s=centre(whole),
        loss_s=centre(loss),
        loss_share=share(loss),
        rest_s=centre(rest),
        rest_share=share(rest),
        update_share=share(update),
        product_flops_per_s=rate,
        launches=len(times.launches),
        failed=one.failed,
        name=one.name,
        alone_share=None if alone is None else share(alone),
    )


def _merged(
    layers: Sequence[Listed], stops: Sequence[int], took: Callable[[int, int], Interval]
) -> list[tuple[int, int]]:
    """Groups by the cuts before and after them."""
    found: list[tuple[int, int]] = []
    for before, stop in zip([0, *stops], stops, strict=False):
        alone = layers[before:stop]
        time = took(before, stop)
        if found and is_nothing(time) and not any(one.parameters for one in alone):
            found.append((found.pop()[0], stop))
        else:
            found.append((before, stop))
    return found


def is_nothing(time: Interval) -> bool:
    """Whether it cannot be distinguished from nothing."""
    return time.low <= 0 if time.has_interval else time.value <= 0


def _update(layers: Sequence[Listed], times: Times) -> list[Array]:
    numbers = (one.updated for one in layers if one.updated != UPDATED)
    return [times.of(UPDATE, at) - times.of(CUT, 0) for at in numbers if times.has(UPDATE, at)]


def _alone(layers: Sequence[Listed], times: Times) -> Array | None:
    """What layers take by themselves; None where one of them was not timed so."""
    numbers = [one.alone for one in layers if not one.is_view]
    if not numbers or not all(number and times.has(ALONE, number) for number in numbers):
        return None
    return sum(
        (times.of(ALONE, at) - times.of(CUT, 0) for at in numbers), np.zeros_like(times.whole)
    )


def _group(
    layers: Sequence[Listed],
    before: int,
    stop: int,
    times: Times,
    share: Callable[[Array], Interval],
    rate: float | None,
) -> Group:
    total = times.of(CUT, stop) - times.of(CUT, before)
    update = sum(_update(layers, times), np.zeros_like(total))
    passes = {}
    if times.has(FORWARD, stop) and times.has(FORWARD, before):
        forward = times.of(FORWARD, stop) - times.of(FORWARD, before)
        split = (forward, total - forward - update, update)
        passes = dict(zip(PASSES, split, strict=True))
    passes_s = {name: centre(one) for name, one in passes.items()}
    forward_flops = sum(one.forward_flops for one in layers)
    backward_flops = sum(one.backward_flops for one in layers)
    counted = not any(one.missing for one in layers)
    time_s = centre(total)
    alone = _alone(layers, times)

    def used(flops: int, seconds: Interval | None) -> float | None:
        # Of what may have taken no time no rate is known.
        if not (rate and counted and flops and seconds and seconds.low > 0):
            return None
        return flops / seconds.value / rate

    return Group(
        layers=tuple(layers),
        time_s=time_s,
        share=share(total),
        passes_s=passes_s,
        pass_shares={name: share(one) for name, one in passes.items()},
        utilisation=used(forward_flops + backward_flops, time_s),
        pass_utilisation={
            FORWARD_PASS: used(forward_flops, passes_s.get(FORWARD_PASS)),
            BACKWARD_PASS: used(backward_flops, passes_s.get(BACKWARD_PASS)),
            UPDATE_PASS: None,
        },
        alone_s=None if alone is None else centre(alone),
        is_apart=alone is not None and _is_apart(total, alone, times.whole),
    )


def _is_apart(total: Array, alone: Array, whole: Array) -> bool:
    difference, step_s = centre(alone - total), centre(whole).value
    longer_s = max(centre(alone).value, centre(total).value)
    return difference.excludes_zero and abs(difference.value) > max(
        APART * longer_s, APART_OF_STEP * step_s
    )
