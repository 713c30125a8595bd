"""What was found of a machine, in words and as plain data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nnbench.doctor.finding import Finding
from nnbench.doctor.noise_floor import CHANGES, FOUND, PHASES_TOLD, NoiseFloor, Spread
from nnbench.show import units


@dataclass(frozen=True)
class Told:
    """What the examination found, and what precision can be had where that was measured."""

    findings: Sequence[Finding]
    noise_floor: NoiseFloor | None
    sentences: list[str]


def tell(findings: Sequence[Finding], noise_floor: NoiseFloor | None) -> Told:
    """Put the findings and the noise floor into words."""
    return Told(findings, noise_floor, [] if noise_floor is None else _sentences(noise_floor))


def as_json(told: Told) -> dict[str, Any]:
    """The same for scripts."""
    found = told.noise_floor
    spreads = {} if found is None else found.spreads
    plain_floor = found and {
        **asdict(found),
        "spreads": {phase: _plain(spread) for phase, spread in spreads.items()},
        "sentences": told.sentences,
    }
    return {"findings": told.findings, "noise_floor": plain_floor}


def _plain(spread: Spread) -> dict[str, float]:
    return {
        "within_launch": spread.within_launch,
        "between_launches": spread.between_launches,
        "pair_ratio": spread.pair.value,
        "pair_log_error": spread.pair.log_error,
    }


def _sentences(floor: NoiseFloor) -> list[str]:
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
    needed = ", ".join(
        f"{floor.launches_for(phase, change):,} for {100 * change:.0f} %" for change in CHANGES
    )
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
