"""What was found of a machine, in words and as plain data."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nnbench.doctor.finding import Finding
from nnbench.doctor.noise_floor import CHANGES, FOUND, PHASES_TOLD, NoiseFloor
from nnbench.show import units


def as_json(findings: Sequence[Finding], floor: NoiseFloor | None) -> dict[str, Any]:
    """What the examination found and, where that was measured, what precision can be had."""
    if floor is None:
        return {"findings": findings, "noise_floor": None}
    spreads = {}
    for phase, one in floor.spreads.items():
        own = {"within_launch": one.within_launch, "between_launches": one.between_launches}
        pair = {"pair_ratio": one.pair.value, "pair_log_error": one.pair.log_error}
        spreads[phase] = own | pair
    plain_floor = {**asdict(floor), "spreads": spreads, "sentences": sentences(floor)}
    return {"findings": findings, "noise_floor": plain_floor}


def sentences(floor: NoiseFloor) -> list[str]:
    """What precision can be had here."""
    told = []
    for phase in PHASES_TOLD:
        if phase in floor.half_widths:
            told.append(_of_commits(floor, phase))
        if phase in floor.spreads:
            told.append(_of_networks(floor, phase))
    if told:
        told.append(
            f"With {floor.launches} launches a side the true spread between launches may be up to "
            f"{units.significant(floor.spread_doubt, 2)} times what was seen."
        )
    if floor.disturbances:
        told.append(
            f"The noise watch saw something in {len(floor.disturbances)} of {floor.looks} looks, "
            f"at last: {floor.disturbances[-1]}."
        )
    return told


def _of_commits(floor: NoiseFloor, phase: str) -> str:
    minute, long = (_change(floor.change_within(phase, budget)) for budget in (60.0, 600.0))
    launches = {change: floor.launches_for(phase, change) for change in CHANGES}
    needed = ", ".join(f"{count:,} for {100 * change:.0f} %" for change, count in launches.items())
    return (
        f"{phase}, two commits: the smallest change found {100 * FOUND:.0f} % of the time is "
        f"{minute} in 1 minute a side, {long} in 10 minutes; launches a side: {needed}."
    )


def _of_networks(floor: NoiseFloor, phase: str) -> str:
    spread = floor.spreads[phase]
    minute, long = (_change(floor.difference_within(phase, budget)) for budget in (60.0, 600.0))
    return (
        f"{phase}, two networks in one run: {minute} in 1 minute, {long} in 10 minutes; a launch's "
        f"own values spread by {units.share(spread.within_launch)}, launches by "
        f"{units.share(spread.between_launches)}."
    )


def _change(share: float) -> str:
    return units.share(share) if share < 1 else "more than a doubling"
