"""What a study says of one case, as plain data that a cheap process can unpickle."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One model on one backend, path and device, measured.

    `seconds` holds one value a block for each phase (see `nnbench.phases`), blocks in the order
    of `launches`, which says of each phase's values which worker process they are from.
    `times_of_ideal` is, for each block, how many times as long a step takes as its FLOPs would
    at the rate of a square matrix product: 1 / utilisation. `host_bytes` and `device_bytes` are
    the trials' peaks. An architecture was trained with `optimizer` and `loss_function` (a model of
    one's own has its own, the task its usual loss), and `loss` is what it came to. `disturbed` is
    the share of blocks in which the noise watch saw something, `pace_s` what 1 GFLOP of a matrix
    product took in each launch, `fingerprint` the run's, with its workers' versions and device.
    `problem` says why something is missing.
    """

    model: str
    backend: str
    path: str
    device: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    launches: dict[str, list[int]] = field(default_factory=dict)
    times_of_ideal: list[float] = field(default_factory=list)
    host_bytes: list[float] = field(default_factory=list)
    device_bytes: list[float] = field(default_factory=list)
    parameters: int | None = None
    step_flops: int | None = None
    optimizer: str | None = None
    loss_function: str | None = None
    loss: float | None = None
    drift: dict[str, float] = field(default_factory=dict)
    disturbed: float = 0.0
    pace_s: list[float] = field(default_factory=list)
    fingerprint: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def context(self) -> tuple[str, str, str, str]:
        """What tells it from the other readings of its study."""
        return self.model, self.backend, self.path, self.device
