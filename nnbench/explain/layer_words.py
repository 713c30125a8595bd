"""A step by layer in words: which layers make one network's step longer than another's."""

from nnbench.explain.by_layer import Part, StepByLayer
from nnbench.show import intervals, units
from nnbench.show.intervals import SECONDS

TOLD = 3
"""So many layers are told, those of the largest differences first."""


def sentences(found: StepByLayer) -> list[str]:
    """How much longer the step is, in which layers that lies, and what only one network has."""
    return [_whole(found), *_largest(found), *_only(found)]


def _whole(found: StepByLayer) -> str:
    first, second = found.first, found.second
    times = (intervals.sentence(one, SECONDS) for one in (found.second_s, found.first_s))
    steps = " and ".join(times)
    if not found.whole.excludes_zero:
        return (
            f"A step of {second} and one of {first} take {steps}: not distinguishable{_of(found)}."
        )
    way = "longer" if found.whole.value > 0 else "less"
    return (
        f"A step of {second} takes {units.seconds(abs(found.whole.value))} {way} than one of "
        f"{first}: {steps}."
    )


def _of(found: StepByLayer) -> str:
    return "" if found.whole.has_interval else ", one launch has no interval"


def _largest(found: StepByLayer) -> list[str]:
    sure = [one for one in found.parts if one.difference_s.excludes_zero]
    if not sure:
        return ["Of no layer the two steps differ by more than the interval."]
    order = sorted(sure, key=lambda one: -abs(one.difference_s.value))
    told = "; ".join(_told(found, one) for one in order[:TOLD])
    more = len(order) - TOLD
    rest = f"; {more} more differ, by less" if more > 0 else ""
    return [f"The differences lie in {told}{rest}."]


def _told(found: StepByLayer, part: Part) -> str:
    value_s = part.difference_s.value
    way = "more" if value_s > 0 else "less"
    told = f"{part.name}, {units.seconds(abs(value_s))} {way}"
    if found.whole.excludes_zero:
        told += f" ({units.share(value_s / found.whole.value)} of the whole)"
    if not part.is_of_both:
        owner = found.second if part.first_s is None else found.first
        told += f", which only {owner} has"
    return told


def _only(found: StepByLayer) -> list[str]:
    said = []
    for name, parts in (
        (found.first, [one for one in found.layers if one.second_s is None]),
        (found.second, [one for one in found.layers if one.first_s is None]),
    ):
        if len(parts) > 1:
            seconds = abs(sum(one.difference_s.value for one in parts))
            many = f"{len(parts)} layers"
            said.append(f"What only {name} has, {many}, takes {units.seconds(seconds)}.")
    return said


def warnings(found: StepByLayer) -> list[str]:
    """What limits the answer."""
    told = []
    if not found.adds_up:
        told.append(
            f"The parts do not add up: together they are {units.seconds(found.added_up_s)}, the "
            f"steps differ by {units.seconds(found.whole.value)}; more launches would tell."
        )
    if found.strange:
        told.append(
            f"Less than nothing would take: {', '.join(found.strange)}. The whole step is computed "
            "otherwise than its pieces, or the machine had other work."
        )
    if found.launches < 2:
        told.append("One launch has no interval: measure more before believing it.")
    if found.failed:
        told.append(f"{found.failed} pieces of the steps could not be timed.")
    return told
