"""What a test asserts on: estimates of every phase, memory and drift of one training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nnbench.errors import UserError
from nnbench.phases import STEP
from nnbench.stats.estimate import Estimate, nested_estimate
from nnbench.suites.reading import Reading


@dataclass(frozen=True)
class TrainingResult:
    """One training measured: `times` holds an estimate in seconds for each phase it has."""

    reading: Reading
    times: dict[str, Estimate]

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Form the estimates. Raises UserError if no step was measured."""
        if STEP not in reading.seconds:
            raise UserError(f"{reading.model} was not measured: {reading.problem or 'no step'}")
        times = {}
        for phase, values in reading.seconds.items():
            times[phase] = nested_estimate(values, reading.launches[phase])
        return cls(reading, times)

    def seconds(self, phase: str) -> float:
        """The estimate of a phase; KeyError names those that this training has."""
        if phase not in self.times:
            raise KeyError(f"no phase '{phase}': there are {', '.join(self.times)}")
        return self.times[phase].value

    @property
    def parameters(self) -> int | None:
        """Trainable parameters."""
        return self.reading.parameters

    @property
    def drift(self) -> dict[str, float]:
        """Plain figures, see `nnbench.drift.figures`; empty where they could not be had."""
        return self.reading.drift

    @property
    def peak_host_bytes(self) -> float | None:
        """Median peak of the worker process, framework included."""
        return _median(self.reading.host_bytes)

    @property
    def peak_device_bytes(self) -> float | None:
        """Median peak of a GPU's memory; None on a CPU."""
        return _median(self.reading.device_bytes)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, for `extra_info`."""
        reading = self.reading
        same = (
            *("model", "backend", "path", "device", "optimizer", "loss_function", "parameters"),
            *("step_flops", "loss", "drift", "disturbed", "fingerprint"),
        )
        return {
            **{name: getattr(reading, name) for name in same},
            "phases_s": {
                phase: {
                    "value": found.value,
                    "low": found.low if found.has_interval else None,
                    "high": found.high if found.has_interval else None,
                    "launches": reading.launches[phase],
                    "blocks": reading.seconds[phase],
                }
                for phase, found in self.times.items()
            },
            "times_of_ideal": _median(reading.times_of_ideal),
            "peak_host_bytes": self.peak_host_bytes,
            "peak_device_bytes": self.peak_device_bytes,
            "pace_s": _median(reading.pace_s),
        }


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None
