"""What backend, path, device and threads change, with the same networks on both sides.

Networks of two contexts run in other processes, but in the same rounds: a round is one unit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nnbench.phases import COLD, EPOCH, STEP
from nnbench.stats.blocks import Blocks
from nnbench.stats.estimate import Estimate
from nnbench.stats.interval import Interval
from nnbench.workload.case import Case

if TYPE_CHECKING:
    from nnbench.report.run_analysis import Group

AXES = ("backend", "path", "device", "threads")


@dataclass(frozen=True)
class PathRatio:
    """An epoch of a case with `fit`, divided by one of the same on the compiled path."""

    case: Case
    ratio: Estimate


@dataclass(frozen=True)
class Axis:
    """`slower` compared with `faster` along one axis, all else as in `rest`.

    `ratio` is the geometric mean over the networks that both have, `difference` (of an epoch, in
    seconds) the mean; `networks` counts them.
    """

    name: str
    slower: str
    faster: str
    rest: str
    phase: str
    ratio: Estimate
    difference_s: Interval | None
    networks: int


def axes_of(groups: Sequence["Group"], values: Blocks) -> tuple[Axis, ...]:
    """Each axis along which a run has more than one value, compared with the fastest there."""
    cases = [summary.case for group in groups for summary in group.summaries]
    return tuple(axis for name in AXES for axis in _along(name, cases, values))


def _along(name: str, cases: Sequence[Case], values: Blocks) -> Iterator[Axis]:
    # Of two paths an epoch says most: what is paid once is another thing on each.
    phases = (EPOCH, COLD) if name == "path" else (COLD, EPOCH, STEP)
    others = dict.fromkeys(tuple(_rest(case, name)) for case in cases)
    for rest in others:
        here = [case for case in cases if tuple(_rest(case, name)) == rest]
        found = list(dict.fromkeys(getattr(case, name) for case in here))
        # With the first, to find the fastest; then with that.
        base = found[0]
        known = [_compared(name, here, one, base, phases, values) for one in found[1:]]
        faster = [one for one in known if one is not None and one.faster != str(base)]
        if faster:
            fastest = max(faster, key=lambda one: one.ratio.value).faster
            base = next(one for one in found if str(one) == fastest)
            known = [_compared(name, here, one, base, phases, values) for one in found]
        for one in known:
            if one is not None:
                yield replace(one, rest=", ".join(rest))


def _rest(case: Case, name: str) -> Iterator[str]:
    """What else decides, in words: the axes other than this one."""
    for other in AXES:
        value = getattr(case, other)
        if other != name and value is not None:
            yield f"{value} threads" if other == "threads" else str(value)


def _compared(
    name: str,
    cases: Sequence[Case],
    one: str | int,
    base: str | int,
    phases: Sequence[str],
    values: Blocks,
) -> Axis | None:
    same: dict[str, Any] = {name: base}
    found = {case: replace(case, **same) for case in cases if getattr(case, name) == one}
    twins = [(case, twin) for case, twin in found.items() if one != base and twin in cases]
    if not twins:
        return None
    mine, bases = zip(*twins, strict=True)
    ratios = values.between(mine, bases)
    phase = next((phase for phase in phases if phase in ratios), None)
    if phase is None:
        return None
    ratio, slower, faster = ratios[phase], one, base
    if ratio.value < 1:
        ratio, slower, faster = ratio.inverse, base, one
        mine, bases = bases, mine
    difference = values.difference(mine, bases, EPOCH) if name == "path" else None
    return Axis(name, str(slower), str(faster), "", phase, ratio, difference, len(twins))
