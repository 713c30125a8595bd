"""A whole training from the cost models of its phases: time, memory, and what dominates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from nnbench.costs.model import LEAST_CASES, RESAMPLES, PhaseModel, Predicted, TooFewCasesError
from nnbench.costs.terms import AXES, FIRST_EPOCH, place
from nnbench.phases import COMPILE, EPOCH, FIRST_STEP, ONCE, PREPARE, STEP, TRACE
from nnbench.stats.interval import Interval
from nnbench.workload.case import Case

EDGE = 0.25
"""A place this far beyond the calibrated ones (in powers of two) still counts as inside."""

MANY_FEATURES = 16
"""Times as many features as calibrated are beyond the range, too."""

LARGEST_REACH = 1e6
"""An interval reaches from a value divided by this to a value times it, at most."""

STEPS, OVERHEAD, REST = "steps", "epoch overhead", "rest"
"""Parts of a predicted training besides the phases of `ONCE`."""


@dataclass(frozen=True)
class Observed:
    """Times of one case in one launch, in seconds by phase, and its memory on the host.

    Besides the phases, `times_s` may have `first_epoch`. `held_bytes` is what the process held
    before, other networks included; the peak is of everything. `launch` names the launch.
    """

    case: Case
    times_s: Mapping[str, float]
    peak_host_bytes: int | None = None
    held_bytes: int | None = None
    launch: str = ""


@dataclass(frozen=True)
class Prediction:
    """A training that was not timed. `parts_s` adds up to `total_s.value`.

    Its parts are the phases of `ONCE` that the backend has, `steps` (all but the first),
    `epoch overhead` (what the epochs cost beyond their steps) and `rest` (what the first epoch
    costs beyond all that, such as compiling again for a smaller last batch). `overhead_share` is
    the part of a steady epoch that does not grow with the size of the layers. `outside` names the
    axes on which the case lies beyond what was calibrated.
    """

    case: Case
    epochs: int
    total_s: Interval
    epoch_s: Interval
    step_s: Interval
    parts_s: Mapping[str, float]
    overhead_share: float
    peak_host_bytes: Interval | None
    outside: tuple[str, ...]

    @property
    def dominant(self) -> str:
        """The part that takes the most time."""
        return max(self.parts_s, key=lambda name: self.parts_s[name])


@dataclass(frozen=True)
class CostModel:
    """All phases of one backend, device, thread count and path."""

    phases: Mapping[str, PhaseModel]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    memory: "Memory | None"
    observed: Sequence[Observed]

    @classmethod
    def fit(cls, observed: Sequence[Observed], *, resamples: int = RESAMPLES) -> Self:
        """Fit every phase that was timed often enough.

        Raises TooFewCasesError if `step` or `epoch` cannot be fitted.
        """
        phases: dict[str, PhaseModel] = {}
        for phase in (*ONCE, FIRST_EPOCH, STEP, EPOCH):
            having = [one for one in observed if one.times_s.get(phase, 0) > 0]
            usual_s = [
                _usual_first_epoch_s(one.times_s) if phase == FIRST_EPOCH else 0.0 for one in having
            ]
            try:
                phases[phase] = PhaseModel.fit(
                    phase,
                    [one.case for one in having],
                    np.array([one.times_s[phase] for one in having]),
                    np.array(usual_s),
                    [one.launch for one in having],
                    resamples=resamples,
                )
            except TooFewCasesError:
                if phase in (STEP, EPOCH):
                    raise
        places = np.array([place(one.case) for one in observed])
        return cls(phases, places.min(axis=0), places.max(axis=0), Memory.fit(observed), observed)

    def predict(self, case: Case, epochs: int) -> Prediction:
        """Predict a training of `epochs` epochs from nothing."""
        once = {phase: self.phases[phase].predict(case) for phase in ONCE if phase in self.phases}
        if case.path == "compiled" and case.steps_per_epoch > 1:
            # There a first step is not a thing of its own.
            once.pop(FIRST_STEP, None)
        step = self.phases[STEP].predict(case)
        epoch = self.phases[EPOCH].predict(case)
        times_s = {phase: found.value_s for phase, found in once.items()}
        parts = dict(times_s)
        steps = epochs * case.steps_per_epoch - (1 if FIRST_STEP in once else 0)
        steps_s = min(steps * step.value_s, epochs * epoch.value_s)
        parts[STEPS] = steps_s
        parts[OVERHEAD] = max(0.0, epochs * (epoch.value_s - case.steps_per_epoch * step.value_s))
        weights_s = [(found, found.value_s) for found in once.values()]
        weights_s.append((epoch, epochs * epoch.value_s))
        if FIRST_EPOCH in self.phases:
            usual_s = _usual_first_epoch_s({**times_s, STEP: step.value_s, EPOCH: epoch.value_s})
            first = self.phases[FIRST_EPOCH].predict(case, usual_s)
            parts[REST] = max(0.0, first.value_s - usual_s)
            weights_s.append((first, first.value_s))
        total_s = sum(parts.values())
        return Prediction(
            case=case,
            epochs=epochs,
            total_s=_interval(
                total_s, _deviation_s(weights_s) / total_s, self.phases[EPOCH].quantile
            ),
            epoch_s=_interval(epoch.value_s, epoch.deviation, self.phases[EPOCH].quantile),
            step_s=_interval(step.value_s, step.deviation, self.phases[STEP].quantile),
            parts_s=parts,
            overhead_share=_share(epoch),
            peak_host_bytes=self.memory.predict(case) if self.memory else None,
            outside=self.outside(case),
        )

    def outside(self, case: Case) -> tuple[str, ...]:
        """The axes on which a case lies beyond the calibrated range."""
        here = place(case)
        beyond = tuple(
            name
            for name, value, low, high in zip(AXES, here, self.low, self.high, strict=True)
            if not low - EDGE <= value <= high + EDGE
        )
        # A few columns more or less are weights of the first layer, which are counted.
        most = MANY_FEATURES * max(one.case.features for one in self.observed)
        return beyond if case.features <= most else (*beyond, "features")


def _deviation_s(weights_s: Sequence[tuple[Predicted, float]]) -> float:
    """That of a sum, in seconds: a launch's mood hits all its phases alike."""
    moods_s = sum(found.mood * seconds for found, seconds in weights_s)
    own_s = [
        math.sqrt(max(0.0, found.deviation**2 - found.mood**2)) * seconds
        for found, seconds in weights_s
    ]
    return math.hypot(moods_s, *own_s)


def _share(of: Predicted) -> float:
    both = of.overhead_s + of.compute_s
    return of.overhead_s / both if both > 0 else 0.0


def _usual_first_epoch_s(times_s: Mapping[str, float]) -> float:
    """A first epoch in which nothing happens but its phases and a steady epoch's other steps."""
    once_s = sum(times_s.get(phase, 0.0) for phase in (PREPARE, TRACE, COMPILE, FIRST_STEP))
    return once_s + max(0.0, times_s[EPOCH] - times_s[STEP])


def _interval(value: float, deviation: float, quantile: float) -> Interval:
    # Of a few times nothing may be known at all: so much is said, and no more than floats hold.
    reach = math.exp(min(quantile * deviation, math.log(LARGEST_REACH)))
    return Interval(value, value / reach, value * reach)


@dataclass(frozen=True)
class Memory:
    """Peak host memory: what the framework holds, and multiples of weights, activations, data."""

    framework_bytes: float
    coefficients: NDArray[np.float64]
    deviation: float
    quantile: float

    @classmethod
    def fit(cls, observed: Sequence[Observed]) -> Self | None:
        """Fit by non-negative least squares; None where memory was not recorded often enough.

        What a trial adds to what its process held before is fitted; the least that any process
        held before a trial is the framework.
        """
        having = [one for one in observed if one.peak_host_bytes and one.held_bytes]
        if len(having) < LEAST_CASES:
            return None
        counts = np.array([_memory_counts(one.case) for one in having])
        held = np.array([float(one.held_bytes or 0) for one in having])
        peaks = np.array([float(one.peak_host_bytes or 0) for one in having])
        added, framework = peaks - held, held.min()
        scale = counts.max(axis=0)
        weight = 1 / (added + 0.05 * framework)
        values, _ = optimize.nnls(counts / scale * weight[:, None], added * weight)
        values = values / scale
        errors = (added - counts @ values) * weight
        freedom = len(peaks) - counts.shape[1]
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
