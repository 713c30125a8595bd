"""What was found, as plain data and as plain text."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nnbench.doctor.finding import NOTE, OK, PROBLEM, Finding
from nnbench.doctor.noise_floor import NoiseFloor, Spread, sentences


@dataclass(frozen=True)
class Diagnosis:
    """What the examination found, and the noise floor where it was measured."""

    findings: Sequence[Finding]
    floor: NoiseFloor | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data; null for what could not be estimated."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "noise_floor": None if self.floor is None else _plain_floor(self.floor),
        }


def as_json(findings: Sequence[Finding], floor: NoiseFloor | None) -> dict[str, Any]:
    """Everything as plain data, see `Diagnosis.to_json`."""
    return Diagnosis(findings, floor).to_json()


def _plain_floor(floor: NoiseFloor) -> dict[str, Any]:
    return {
        "launches": floor.launches,
        "seconds_per_side": floor.seconds_per_side,
        "half_widths": dict(floor.half_widths),
        "spreads": {phase: _plain_spread(spread) for phase, spread in floor.spreads.items()},
        "looks": floor.looks,
        "disturbances": list(floor.disturbances),
        "sentences": sentences(floor),
    }


def _plain_spread(spread: Spread) -> dict[str, float | None]:
    error = spread.pair.log_error
    return {
        "within_launch": spread.within_launch,
        "between_launches": spread.between_launches,
        "pair_ratio": spread.pair.value,
        "pair_log_error": error if math.isfinite(error) else None,
    }


def lines(diagnosis: Diagnosis) -> list[str]:
    """The diagnosis as plain text, worst first; what to do stands below its finding."""
    told = []
    for level in (PROBLEM, NOTE, OK):
        for finding in (one for one in diagnosis.findings if one.level == level):
            told.append(f"{level:8}{finding.subject}: {finding.found}")
            if finding.advice:
                told.append(f"{'':8}-> {finding.advice}")
    return told + ([] if diagnosis.floor is None else sentences(diagnosis.floor))
