"""What a step's layers say in sentences, the finding first."""

from nnbench.layers.breakdown import (
    BACKWARD_PASS,
    FORWARD_PASS,
    LOSS,
    REST,
    UPDATE_PASS,
    Breakdown,
    Group,
)
from nnbench.show import intervals, units
from nnbench.show.intervals import SECONDS, SHARE
from nnbench.stats.interval import Interval

DOING = {
    FORWARD_PASS: "the forward pass of {name}",
    BACKWARD_PASS: "the backward pass of {name}",
    UPDATE_PASS: "the update of {name}",
}
BESIDE = {
    LOSS: "its loss, the metrics and what only the whole step does",
    REST: "a step's own, which it takes without any layer",
}
WIDE = 0.1
NUMBERS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def sentences(found: Breakdown) -> list[str]:
    """Where most of the time goes, and how it divides between layers, update, loss and rest."""
    if found.launches < 2:
        return [_of_one_launch(found)]
    return [_finding(found), *_layer(found), _whole(found), *_alone(found)]


def _of_one_launch(found: Breakdown) -> str:
    """No share is a finding that another launch may turn round."""
    return (
        f"A step of {found.name} takes {units.seconds(found.whole_s.value)}, in one launch; what "
        f"of it is which layer's is not known from that: {named(found, found.sorted[0])} took most."
    )


def _finding(found: Breakdown) -> str:
    parts: list[tuple[Interval, str, float | None]] = [
        (share, DOING[name].format(name=named(found, group)), group.pass_utilisation[name])
        for group in found.groups
        for name, share in group.pass_shares.items()
    ]
    parts = parts or [(one.share, named(found, one), one.utilisation) for one in found.groups]
    share, what, rate = max(parts, key=lambda one: one[0].value)
    for other, name in ((found.loss_share, LOSS), (found.rest_share, REST)):
        # What is no layer's is the finding where it is beyond doubt.
        if other.value > share.value and not other.low < share.high:
            share, what, rate = other, BESIDE[name], None
    used = "" if rate is None else f", at {units.share(rate)} of the machine's product rate"
    return f"{_share(share)} of a step is {what}{used}."


def named(found: Breakdown, group: Group) -> str:
    """A layer with its place among those of its kind: `the second Conv2D (conv2d_1)`."""
    if len(group.layers) > 1:
        return f"{group.name} (told as one)"
    (one,) = group.layers
    alike = [each for other in found.groups for each in other.layers if each.kind == one.kind]
    place = alike.index(one)
    if len(alike) == 1 or place >= len(NUMBERS):
        return f"{one.kind} {one.name}" if one.kind.lower() != one.name else one.name
    return f"the {NUMBERS[place]} {one.kind} ({one.name})"


def _share(share: Interval) -> str:
    return intervals.sentence(share, SHARE)


def _layer(found: Breakdown) -> list[str]:
    longest, *others = found.sorted
    if not others:
        return []
    used = longest.utilisation
    rate = "" if used is None else f", at {units.share(used)} of the machine's product rate"
    told = f"All of {named(found, longest)} is {_share(longest.share)}{rate}"
    second = others[0]
    sure = longest.share.has_interval and longest.share.low > second.share.high
    then = "next is" if sure else "not distinguishable from the next,"
    return [f"{told}; {then} {named(found, second)} with {_share(second.share)}."]


def _whole(found: Breakdown) -> str:
    return (
        f"The step takes {intervals.sentence(found.whole_s, SECONDS)}: layers "
        f"{units.share(found.layers_share)}, of which the "
        f"optimizer's update is {_share(found.update_share)}; loss and metrics "
        f"{_share(found.loss_share)}; the rest, a step without layers, {_share(found.rest_share)}."
    )


def _alone(found: Breakdown) -> list[str]:
    """What the check says: each layer by itself, beside what it takes in the step."""
    if found.alone_share is None:
        return []
    told = (
        f"Each alone, on what it is given in the step, the layers take {_share(found.alone_share)} "
        f"of a step together, in it {units.share(found.layers_share)}"
    )
    if not found.apart:
        return [f"{told}."]
    both = [(one, one.alone_s, one.time_s) for one in found.apart if one.alone_s]
    names = ", ".join(
        f"{one.name} ({units.seconds(alone.value)} alone, {units.seconds(within.value)} in it)"
        for one, alone, within in both
    )
    return [
        f"{told}; another time than in the step takes {names}: it counts with what it takes in it, "
        "where a compiler may join it with others."
    ]


def warnings(found: Breakdown) -> list[str]:
    """What limits the answer."""
    told = []
    if found.strange:
        names = ", ".join(found.strange)
        told.append(
            f"The parts do not add up well: {names} would take less than nothing. The whole step "
            "is computed otherwise than its pieces (a compiler joins them, or they run at once), "
            "or the machine had other work."
        )
    halves = [one.share.high - one.share.low for one in found.groups if one.share.has_interval]
    if found.launches < 2:
        told.append("One launch has no interval: measure more before believing it.")
    elif max(halves) / 2 > WIDE:
        told.append(
            f"The widest interval is ±{50 * max(halves):.0f} percentage points: more --launches, a "
            "longer --budget, or a machine that has nothing else to do narrow it."
        )
    if found.failed:
        told.append(
            f"{found.failed} pieces of the step could not be timed: their layers are told with "
            "those that follow."
        )
    if found.missing:
        told.append(f"Not counted among the FLOPs: {', '.join(found.missing[:4])}.")
    return told
