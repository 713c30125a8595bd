"""What each figure of a run shows, in a sentence: for those who hear a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnbench.phases import STEP, ColdParts
from nnbench.report.answer import WHAT, distinguishable, shares, too_much
from nnbench.report.trusted import noise_told
from nnbench.show import units

if TYPE_CHECKING:
    from nnbench.report.run_analysis import Group
    from nnbench.stats.summary import CaseSummary


def fastest(group: Group, phase: str) -> str:
    """Of bars of a phase: the fastest and the slowest."""
    having = [one for one in group.summaries if phase in one.times]
    having.sort(key=lambda one: one.times[phase].value)
    first, last = having[0], having[-1]
    told = f"{WHAT[phase].capitalize()}: {group.name(first.case)} takes "
    told += units.seconds(first.times[phase].value)
    if last is first:
        return f"{told}."
    time = units.seconds(last.times[phase].value)
    return f"{told} and is fastest of {len(having)}, {group.name(last.case)} {time}."


def parts(group: Group, having: Sequence[tuple[CaseSummary, ColdParts]]) -> str:
    """Of stacked bars: what the fastest training goes to."""
    one, found = min(having, key=lambda pair: pair[1].cold_s)
    told = ", ".join(f"{share} % {name}" for name, share in shares(found)) or too_much(found)
    return f"Where a cold training of {group.name(one.case)} spends its time: {told}."


def ratios(group: Group) -> str:
    """Of ratios: how many are slower, faster, not distinguishable."""
    row = group.ratios.get(group.whole)
    count = len(group.summaries)
    apart = [one for one in range(1, count) if distinguishable(row, one, 0)]
    slower = sum(bool(row is not None and row.value[one, 0] > 1) for one in apart)
    base = group.name(group.first)
    return (
        f"Compared with {base} in {WHAT[group.whole]}: {slower} networks slower, "
        f"{len(apart) - slower} faster, {count - 1 - len(apart)} not distinguishable."
    )


def ratio_map(group: Group, phase: str) -> str:
    """Of a map: where it is fastest and where slowest."""
    values = group.ratios[phase].value[:, 0]
    names = [group.name(one.case) for one in group.summaries]
    low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
    return (
        f"{WHAT[phase].capitalize()} by depth and width: {names[low]} takes "
        f"{units.ratio(float(values[low]))} and {names[high]} {units.ratio(float(values[high]))} "
        f"the time of {group.name(group.first)}."
    )


def growth(group: Group, phase: str, by: str, sizes: Mapping[str, int]) -> str:
    """Of times against a size: the times of the smallest and of the largest network."""
    having = [one for one in group.summaries if phase in one.times and one.case.key in sizes]
    having.sort(key=lambda one: sizes[one.case.key])
    small, large = having[0], having[-1]
    ends = (
        f"{group.name(one.case)} ({by} {sizes[one.case.key]:,}) "
        f"{units.seconds(one.times[phase].value)}"
        for one in (small, large)
    )
    return f"{WHAT.get(phase, phase).capitalize()} against {by}: {' and '.join(ends)}."


def samples(group: Group, phase: str, blocks: int, noisy: int) -> str:
    """Of blocks in their order: how many there are, and how many were noisy."""
    what = "a step" if phase == STEP else WHAT.get(phase, phase)
    count = len(group.summaries)
    return f"{blocks} blocks of {what}, {count} networks: {noise_told(noisy, blocks)}."
