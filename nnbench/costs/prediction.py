"""A whole training from the cost models of its phases: time, memory, and what dominates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from nnbench.costs.model import LEAST_CASES, PhaseModel, TooFewCasesError, around
from nnbench.costs.terms import AXES, FIRST_EPOCH, position
from nnbench.phases import COMPILE, EPOCH, FIRST_STEP, ONCE, PREPARE, STEP, TRACE
from nnbench.stats.interval import Interval
from nnbench.workload.case import Case

EDGE = 0.25
"""A case this far beyond the calibrated ones (in powers of two) still counts as inside."""

MANY_FEATURES = 16
"""Times as many features as calibrated are beyond the range, too."""

STEPS, OVERHEAD, REST = "steps", "epoch overhead", "rest"


@dataclass(frozen=True)
class Observed:
    """Times of a case in a launch by phase; `held_bytes` is what its process held before."""

    case: Case
    times_s: Mapping[str, float]
    peak_host_bytes: int | None = None
    held_bytes: int | None = None
    launch: str = ""


@dataclass(frozen=True)
class Prediction:
    """A training that was not timed. `parts_s` adds up to `total_s.value`.

    Its parts are the phases of `ONCE` that the backend has, `steps` (all but the first),
    `epoch overhead` (beyond the steps) and `rest` (of the first epoch, such as compiling again for
    a smaller last batch). `overhead_share` is the part of a steady epoch that does not grow with
    the layers, `dominant` the longest part, `outside` the axes beyond what was calibrated.
    """

    architecture: str
    rows: int
    batch_rows: int
    epochs: int
    total_s: Interval
    epoch_s: Interval
    step_s: Interval
    parts_s: Mapping[str, float]
    overhead_share: float
    peak_host_bytes: Interval | None
    dominant: str
    outside: tuple[str, ...]


@dataclass(frozen=True)
class CostModel:
    """All phases of one backend, device, thread count and path."""

    phases: Mapping[str, PhaseModel]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    memory: "Memory | None"
    observed: Sequence[Observed]

    @classmethod
    def fit(cls, observed: Sequence[Observed]) -> Self:
        """Fit all phases timed often enough. Raises TooFewCasesError without `step` or `epoch`."""
        phases: dict[str, PhaseModel] = {}
        for phase in (*ONCE, FIRST_EPOCH, STEP, EPOCH):
            having = [one for one in observed if one.times_s.get(phase, 0) > 0]
            cases, launches = [one.case for one in having], [one.launch for one in having]
            times_s = np.array([one.times_s[phase] for one in having])
            known_s = None
            if phase == FIRST_EPOCH:
                known_s = np.array([_usual_first_epoch_s(one.times_s) for one in having])
            try:
                phases[phase] = PhaseModel.fit(phase, cases, times_s, known_s, launches)
            except TooFewCasesError:
                if phase in (STEP, EPOCH):
                    raise
        ends = np.array([position(one.case) for one in observed])
        return cls(phases, ends.min(axis=0), ends.max(axis=0), Memory.fit(observed), observed)

    def predict(self, case: Case, epochs: int) -> Prediction:
        """Predict a training of `epochs` epochs from nothing."""
        once = {phase: self.phases[phase].predict(case) for phase in ONCE if phase in self.phases}
        if case.path == "compiled" and case.steps_per_epoch > 1:
            # There a first step is not a thing of its own.
            once.pop(FIRST_STEP, None)
        step, epoch = (self.phases[phase].predict(case) for phase in (STEP, EPOCH))
        step_s, epoch_s = step.seconds.value, epoch.seconds.value
        parts_s = {phase: found.seconds.value for phase, found in once.items()}
        steps = epochs * case.steps_per_epoch - (1 if FIRST_STEP in once else 0)
        usual_s = _usual_first_epoch_s({**parts_s, STEP: step_s, EPOCH: epoch_s})
        parts_s[STEPS] = min(steps * step_s, epochs * epoch_s)
        parts_s[OVERHEAD] = max(0.0, epochs * (epoch_s - case.steps_per_epoch * step_s))
        weights_s = [(found, found.seconds.value) for found in once.values()]
        weights_s.append((epoch, epochs * epoch_s))
        if FIRST_EPOCH in self.phases:
            first = self.phases[FIRST_EPOCH].predict(case, usual_s)
            parts_s[REST] = max(0.0, first.seconds.value - usual_s)
            weights_s.append((first, first.seconds.value))
        total_s = sum(parts_s.values())
        # The deviation of the sum: the launch effect hits all phases of a launch alike.
        together_s = sum(found.launch_effect * seconds for found, seconds in weights_s)
        own_s = [
            math.sqrt(max(0.0, found.deviation**2 - found.launch_effect**2)) * seconds
            for found, seconds in weights_s
        ]
        log_reach = self.phases[EPOCH].quantile * math.hypot(together_s, *own_s) / total_s
        return Prediction(
            architecture=case.label,
            rows=case.rows,
            batch_rows=case.batch_rows,
            epochs=epochs,
            total_s=around(total_s, log_reach),
            epoch_s=epoch.seconds,
            step_s=step.seconds,
            parts_s=parts_s,
            overhead_share=epoch.overhead_share,
            peak_host_bytes=self.memory.predict(case) if self.memory else None,
            dominant=max(parts_s, key=lambda name: parts_s[name]),
            outside=self.outside(case),
        )

    def outside(self, case: Case) -> tuple[str, ...]:
        """The axes on which a case lies beyond the calibrated range."""
        here = position(case)
        inside = (self.low - EDGE <= here) & (here <= self.high + EDGE)
        beyond = tuple(name for name, fits in zip(AXES, inside, strict=True) if not fits)
        # A few columns more or less are weights of the first layer, which are counted.
        most = MANY_FEATURES * max(one.case.features for one in self.observed)
        return beyond if case.features <= most else (*beyond, "features")


def _usual_first_epoch_s(times_s: Mapping[str, float]) -> float:
    once_s = sum(times_s.get(phase, 0.0) for phase in (PREPARE, TRACE, COMPILE, FIRST_STEP))
    return once_s + max(0.0, times_s[EPOCH] - times_s[STEP])


@dataclass(frozen=True)
class Memory:
    """Peak host memory: what the framework holds, and multiples of weights, activations, data."""

    framework_bytes: float
    coefficients: NDArray[np.float64]
    deviation: float
    quantile: float

    @classmethod
    def fit(cls, observed: Sequence[Observed]) -> Self | None:
        """Fit what trials add to the framework, the least held before any; None for too few."""
        having = [one for one in observed if one.peak_host_bytes and one.held_bytes]
        if len(having) < LEAST_CASES:
            return None
        counts = np.array([_memory_counts(one.case) for one in having])
        held = np.array([one.held_bytes for one in having], dtype=float)
        added = np.array([one.peak_host_bytes for one in having], dtype=float) - held
        framework = held.min()
        scale = counts.max(axis=0)
        weight = 1 / (added + 0.05 * framework)
        values, _ = optimize.nnls(counts / scale * weight[:, None], added * weight)
        values = values / scale
        errors = (added - counts @ values) * weight
        freedom = len(added) - counts.shape[1]
        deviation = float(np.sqrt(np.sum(errors**2) / freedom))
        return cls(float(framework), values, deviation, float(stats.t.ppf(0.975, freedom)))

    def predict(self, case: Case) -> Interval:
        """Bytes that the process holds at its highest."""
        added = float(np.dot(_memory_counts(case), self.coefficients))
        reach = self.quantile * self.deviation * (added + 0.05 * self.framework_bytes)
        value = self.framework_bytes + added
        return Interval(value, max(self.framework_bytes, value - reach), value + reach)


def _memory_counts(case: Case) -> NDArray[np.float64]:
    cost = case.step_cost
    assert cost is not None
    data_bytes = 4.0 * case.rows * (case.features + 1)
    weights = cost.weight_bytes + cost.optimizer_bytes
    return np.array([1.0, weights, cost.activation_bytes, data_bytes])
