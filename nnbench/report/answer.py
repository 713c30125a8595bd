"""A run's answer: its finding in a line, and at most three short sentences below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE, ColdParts
from nnbench.show import units
from nnbench.show.intervals import RATIO, SECONDS, sentence
from nnbench.workload.networks import listed

if TYPE_CHECKING:
    from nnbench.report.contexts import Axis
    from nnbench.report.run_analysis import Group
    from nnbench.stats.blocks import Ratios
    from nnbench.stats.summary import CaseSummary

NOTHING = "Nothing was measured to the end, so there is nothing to compare."

WHAT = {COLD: "a whole training", EPOCH: "an epoch", STEP: "a step"}
TOOK = {COLD: "trained fastest", EPOCH: "had the fastest epoch", STEP: "had the fastest step"}

OVERHEAD, STEPS, ONCE, REST = (
    "the framework's overhead around each epoch",
    "the steps themselves",
    "building, preparing and the first step",
    "the rest, which no part explains",
)
GETTING_READY = "tracing and compiling"
SHORT = {
    OVERHEAD: "overhead around epochs",
    STEPS: "steps",
    ONCE: "building and preparing",
    REST: "the rest",
    GETTING_READY: GETTING_READY,
}


def finding(groups: Sequence[Group], axes: Sequence[Axis]) -> str:
    """The whole in one line: what trained fastest, and how much longer the others took."""
    if not groups:
        return "Nothing was measured to the end"
    if len(groups) == 1:
        return _of_group(groups[0])
    fastest = [_tied(group, group.whole) for group in groups]
    always = [name for name in fastest[0] if all(name in names for names in fastest)]
    if max(len(group.summaries) for group in groups) < 2:
        told = ""
    elif always:
        alone = all(len(names) == 1 for names in fastest)
        told = f"{always[0]} {'trained' if alone else 'was among the'} fastest everywhere"
    else:
        told = "Which network trains fastest hangs on where it is trained"
    of_axes = [axis_told(axis, short=True) for axis in axes if axis.ratio.excludes_one]
    return "; ".join(filter(None, [told, *of_axes[:1]])) or "No difference could be shown"


def _of_group(group: Group) -> str:
    phase = group.whole
    times = {
        group.name(one.case): one.times[phase] for one in group.summaries if phase in one.times
    }
    if len(times) < 2:
        name, time = next(iter(times.items()), (group.name(group.first), None))
        verb = "trains" if phase == COLD else f"takes {WHAT[phase]}"
        return f"{name} {verb} in {units.seconds(time.value)}" if time else f"{name} was timed"
    tied = _tied(group, phase)
    slowest = max(times, key=lambda name: times[name].value)
    if slowest in tied:
        return f"{_names(tied)} cannot be distinguished in {WHAT[phase]}"
    ratio = _ratio(group, phase, slowest, tied[0])
    took = f"{slowest} took {units.ratio(ratio)} as long"
    if len(tied) > 1:
        return f"{_names(tied)} trained fastest and cannot be distinguished; {took}"
    return f"{tied[0]} {TOOK[phase]}; {took}"


def _tied(group: Group, phase: str) -> list[str]:
    """The fastest network, and those that cannot be told from it, fastest first."""
    having = [(row, one) for row, one in enumerate(group.summaries) if phase in one.times]
    having.sort(key=lambda pair: pair[1].times[phase].value)
    (first, fastest), others = having[0], having[1:]
    found = [group.name(fastest.case)]
    for row, one in others:
        if not distinguishable(group.ratios.get(phase), row, first):
            found.append(group.name(one.case))
    return found


def distinguishable(ratios: Ratios | None, row: int, base: int) -> bool:
    """Whether the interval of one network's ratio to another leaves out equality."""
    if ratios is None:
        return False
    low, high = ratios.low[row, base], ratios.high[row, base]
    return bool(np.isfinite(low) and np.isfinite(high) and not low <= 1 <= high)


def _ratio(group: Group, phase: str, name: str, base: str) -> float:
    names = [group.name(one.case) for one in group.summaries]
    return float(group.ratios[phase].value[names.index(name), names.index(base)])


def _names(names: Sequence[str], most: int = 2) -> str:
    if len(names) > most:
        return f"{names[0]} and {len(names) - 1} more networks"
    return listed(names, " and ")


def sentences(groups: Sequence[Group], axes: Sequence[Axis]) -> tuple[str, ...]:
    """At most three: the whole training, one step, where the time goes; each below 20 words."""
    if not groups:
        return (NOTHING,)
    if len(groups) > 1:
        # One sentence an axis: the first of each kind, before the second of any.
        kinds = [axis.name for axis in axes]
        first = [axis for place, axis in enumerate(axes) if axis.name not in kinds[:place]]
        ordered = first + [axis for axis in axes if axis not in first]
        return tuple([*_of_all(groups), *map(axis_told, ordered)][:3])
    (group,) = groups
    return tuple([*_times(group), *_goes(group)][:3])


def _of_all(groups: Sequence[Group]) -> Iterator[str]:
    for phase in WHAT:
        times = [
            (one.times[phase], f"{group.name(one.case)} ({one.case.context})")
            for group in groups
            for one in group.summaries
            if phase in one.times
        ]
        if times:
            time, name = min(times, key=lambda pair: pair[0].value)
            yield f"Fastest of all: {name}, {sentence(time, SECONDS)} for {WHAT[phase]}."
            return


def _times(group: Group) -> Iterator[str]:
    for phase in dict.fromkeys((group.whole, STEP)):
        having = [one for one in group.summaries if phase in one.times]
        if not having:
            continue
        fastest = min(having, key=lambda one: one.times[phase].value)
        slowest = max(having, key=lambda one: one.times[phase].value)
        what = WHAT[phase] if phase != COLD else f"{group.first.cold_epochs} epochs from nothing"
        told = (
            f"{group.name(fastest.case)} takes {sentence(fastest.times[phase], SECONDS)} for {what}"
        )
        if slowest is not fastest:
            ratio = _estimate(group, phase, slowest, fastest)
            told += f", {group.name(slowest.case)} {ratio} as long"
        yield f"{told}."


def _estimate(group: Group, phase: str, one: CaseSummary, base: CaseSummary) -> str:
    ratios = group.ratios[phase]
    row, column = group.summaries.index(one), group.summaries.index(base)
    value, low, high = (float(part[row, column]) for part in ratios)
    span = f"{units.ratio_range(low, high)}" if np.isfinite(low) else "no interval"
    return f"{units.ratio(value)} [{span}]"


def _goes(group: Group) -> Iterator[str]:
    split = [(one, parts) for one in group.summaries if (parts := one.cold_parts) is not None]
    if not split:
        return
    one, parts = min(split, key=lambda pair: pair[1].cold_s)
    told = [f"{share} % {SHORT[name]}" for name, share in shares(parts)[:2]]
    name = group.name(one.case)
    yield (
        f"Of {name}'s training, {' and '.join(told)}." if told else f"Of {name}, {too_much(parts)}."
    )


MOST_EXCESS = 10
"""Per cent of the whole that its parts may take more, as far as both are known."""


def shares(parts: ColdParts) -> list[tuple[str, int]]:
    """What a cold training goes to, in whole per cent that add up to 100; largest first.

    Rounded by the largest remainders. Where the parts take a little more than the whole, which is
    timed by itself, they are shares of the parts together; nothing where they take much more.
    """
    if _too_much(parts) > MOST_EXCESS:
        return []
    getting_ready = parts.once_s.get(TRACE, 0.0) + parts.once_s.get(COMPILE, 0.0)
    named = {
        GETTING_READY: getting_ready,
        ONCE: sum(parts.once_s.values()) - getting_ready,
        OVERHEAD: parts.overhead_s,
        STEPS: parts.steps_s,
        REST: max(parts.rest_s, 0.0),
    }
    together_s = sum(named.values())
    exact = {name: 100 * value_s / together_s for name, value_s in named.items()}
    whole = {name: int(np.floor(value)) for name, value in exact.items()}
    left = 100 - sum(whole.values())
    for name in sorted(exact, key=lambda one: whole[one] - exact[one])[:left]:
        whole[name] += 1
    return sorted(((name, one) for name, one in whole.items() if one), key=lambda pair: -pair[1])


def too_much(parts: ColdParts) -> str:
    """Why there are no shares."""
    return (
        f"the parts, timed by themselves, take {_too_much(parts)} % more than the whole: "
        "shares are not known"
    )


def without_shares(group: Group, rows: Sequence[CaseSummary]) -> list[str]:
    """Networks of which shares are not known, for all that their parts were timed."""
    split = [(one, parts) for one in rows if (parts := one.cold_parts) is not None]
    return [group.name(one.case) for one, parts in split if not shares(parts)]


def _too_much(parts: ColdParts) -> int:
    return max(0, round(-100 * parts.rest_s / parts.cold_s))


def axis_told(axis: Axis, *, short: bool = False) -> str:
    """One sentence of an axis: `jax: fit adds 30 ms [28-32 ms] an epoch to the compiled path`."""
    where = f" ({axis.rest})" if axis.rest and not short else ""
    slower, faster = (_side(axis.name, side) for side in (axis.slower, axis.faster))
    if not axis.ratio.excludes_one:
        return f"{faster} and {slower} cannot be distinguished in {WHAT[axis.phase]}{where}."
    ratio = units.ratio(axis.ratio.value) if short else sentence(axis.ratio, RATIO)
    if axis.difference_s is not None and axis.difference_s.excludes_zero:
        added = units.seconds(axis.difference_s.value)
        added = added if short else sentence(axis.difference_s, SECONDS)
        told = f"{slower} adds {added} an epoch"
        return told if short else f"{told}{where}: {ratio} the time of {faster}."
    what = "" if short else f" for {WHAT[axis.phase]}"
    return f"{slower} took {ratio} {faster}'s time{what}{where}" + ("" if short else ".")


def _side(axis: str, value: str) -> str:
    names = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "Torch"}
    if axis == "path":
        return "fit" if value == "fit" else "the compiled path"
    return f"{value} threads" if axis == "threads" else names.get(value, value)


def fastest_group(groups: Sequence[Group]) -> Group:
    """The backend and path with the quickest training."""

    def quickest(group: Group) -> float:
        times = [
            one.times[group.whole].value for one in group.summaries if group.whole in one.times
        ]
        return min(times, default=float("inf"))

    return min(groups, key=quickest)


def on_card(group: Group, most: int) -> list[CaseSummary]:
    """Networks that a small chart has room for: all, or the fastest and the slowest."""
    if len(group.summaries) <= most:
        return list(group.summaries)
    having = [one for one in group.summaries if group.whole in one.times]
    having.sort(key=lambda one: one.times[group.whole].value)
    return [*having[: most // 2], *having[-(most // 2) :]]
