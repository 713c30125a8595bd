"""A whole training from the cost models of its phases: time, memory, and what dominates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from nnbench.case import Case
from nnbench.costs.model import PhaseModel, Predicted, TooFewCasesError
from nnbench.costs.terms import AXES, OVERHEADS, matrix, place
from nnbench.phases import EPOCH, ONCE, STEP

EDGE = 0.25
"""A place this far beyond the calibrated ones (in powers of two) still counts as inside."""

PREDICTED = (*ONCE, STEP, EPOCH)


@dataclass(frozen=True)
class Observed:
    """Times of one case in one launch, in seconds by phase, and its peak of host memory."""

    case: Case
    times_s: Mapping[str, float]
    peak_host_bytes: int | None = None


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """A training that was not timed. `parts_s` adds up to `total_s.value`.

    `outside` names the axes on which the case lies beyond what was calibrated.
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
    def fit(cls, observed: Sequence[Observed]) -> Self:
        """Fit every phase that was timed often enough.

        `epoch` is fitted as what it costs beyond the steps that the model of `step` predicts.
        Raises TooFewCasesError if `step` or `epoch` cannot be fitted.
        """
        phases: dict[str, PhaseModel] = {}
        for phase in (*ONCE, STEP):
            having = [one for one in observed if one.times_s.get(phase, 0) > 0]
            times_s = np.array([one.times_s[phase] for one in having])
            try:
                phases[phase] = PhaseModel.fit(phase, [one.case for one in having], times_s)
            except TooFewCasesError:
                if phase == STEP:
                    raise
        phases[EPOCH] = _fit_epoch(phases[STEP], observed)
        places = np.array([place(one.case) for one in observed])
        return cls(phases, places.min(axis=0), places.max(axis=0), Memory.fit(observed), observed)

    def predict(self, case: Case, epochs: int) -> Prediction:
        """Predict a training of `epochs` epochs from nothing."""
        found = {phase: model.predict(case) for phase, model in self.phases.items()}
        step = found[STEP]
        epoch = self.epoch(case, step)
        parts = {phase: found[phase].value_s for phase in ONCE if phase in found}
        steps_s = min(step.value_s * case.steps_per_epoch, epoch.value_s)
        parts["steps"] = epochs * steps_s
        parts["epoch overhead"] = epochs * (epoch.value_s - steps_s)
        total_s = sum(parts.values())
        spread_s = math.hypot(
            *(found[phase].value_s * found[phase].deviation for phase in ONCE if phase in found),
            epochs * epoch.value_s * epoch.deviation,
        )
        overhead_s = epochs * (epoch.value_s - steps_s) + epochs * case.steps_per_epoch * (
            step.value_s * _share(step)
        )
        return Prediction(
            case=case,
            epochs=epochs,
            total_s=_interval(total_s, spread_s / total_s, self.phases[EPOCH].quantile),
            epoch_s=_interval(epoch.value_s, epoch.deviation, self.phases[EPOCH].quantile),
            step_s=_interval(step.value_s, step.deviation, self.phases[STEP].quantile),
            parts_s=parts,
            overhead_share=overhead_s / (epochs * epoch.value_s),
            peak_host_bytes=self.memory.predict(case) if self.memory else None,
            outside=self.outside(case),
        )

    def epoch(self, case: Case, step: Predicted) -> Predicted:
        """An epoch: the predicted steps and what is paid around them, corrected by residuals."""
        model = self.phases[EPOCH]
        whole_s = _epoch_s(model, [case], np.array([step.value_s]))[0]
        mean, deviation = model.surrogate.predict(place(case)[None, :])
        beyond_s = whole_s - step.value_s * case.steps_per_epoch
        return Predicted(
            float(whole_s * np.exp(mean[0])), float(deviation[0]), float(beyond_s), step.value_s
        )

    def outside(self, case: Case) -> tuple[str, ...]:
        """The axes on which a case lies beyond the calibrated range."""
        here = place(case)
        return tuple(
            name
            for name, value, low, high in zip(AXES, here, self.low, self.high, strict=True)
            if not low - EDGE <= value <= high + EDGE
        )

    def uncertainty(self, case: Case) -> float:
        """The largest deviation of the logarithm of a phase that matters here."""
        here = place(case)[None, :]
        return max(float(model.surrogate.predict(here)[1][0]) for model in self.phases.values())

    def as_if_timed(self, case: Case) -> Self:
        """The model as sure as it would be after timing a case."""
        here = place(case)
        phases = {
            name: replace(model, surrogate=model.surrogate.with_place(here))
            for name, model in self.phases.items()
        }
        return replace(self, phases=phases)


def _share(step: Predicted) -> float:
    both = step.overhead_s + step.compute_s
    return step.overhead_s / both if both > 0 else 0.0


def _fit_epoch(step: PhaseModel, observed: Sequence[Observed]) -> PhaseModel:
    """The model of what an epoch costs beyond its steps; residuals are of the whole epoch."""
    having = [one for one in observed if one.times_s.get(EPOCH, 0) > 0]
    cases = [one.case for one in having]
    epochs_s = np.array([one.times_s[EPOCH] for one in having])
    steps_s = np.array([step.predict(case).value_s * case.steps_per_epoch for case in cases])
    # Overhead is what is fitted; where it drowns in the error of the steps it counts as little.
    beyond_s = np.maximum(epochs_s - steps_s, 1e-3 * epochs_s)
    counts = matrix(cases, EPOCH)
    scale = counts.max(axis=0)
    values, _ = optimize.nnls(counts / scale / epochs_s[:, None], beyond_s / epochs_s)
    fitted = PhaseModel.fit(EPOCH, cases, beyond_s)
    coefficients = tuple(
        replace(each, value=float(value), low=min(each.low, value), high=max(each.high, value))
        for each, value in zip(fitted.coefficients, values / scale, strict=True)
    )
    model = replace(fitted, times_s=epochs_s, coefficients=coefficients)
    whole_s = counts @ (values / scale) + steps_s
    places = np.array([place(case) for case in cases])
    surrogate = type(fitted.surrogate).fit(places, np.log(epochs_s / whole_s))
    return replace(model, surrogate=surrogate)


def _epoch_s(
    model: PhaseModel, cases: Sequence[Case], steps_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    values = np.array([each.value for each in model.coefficients])
    beyond: NDArray[np.float64] = matrix(cases, EPOCH) @ values
    steps: NDArray[np.float64] = steps_s * np.array([case.steps_per_epoch for case in cases])
    return np.asarray(beyond + steps)


def _interval(value: float, deviation: float, quantile: float) -> Interval:
    reach = math.exp(quantile * deviation)
    return Interval(value, value / reach, value * reach)


@dataclass(frozen=True)
class Memory:
    """Peak host memory: the framework, and multiples of weights, activations and data."""

    coefficients: NDArray[np.float64]
    deviation: float
    quantile: float

    @classmethod
    def fit(cls, observed: Sequence[Observed]) -> Self | None:
        """Fit by non-negative least squares; None where memory was not recorded often enough."""
        having = [one for one in observed if one.peak_host_bytes]
        if len(having) < 2 * 4:
            return None
        counts = np.array([_memory_counts(one.case) for one in having])
        peaks = np.array([float(one.peak_host_bytes or 0) for one in having])
        scale = counts.max(axis=0)
        values, _ = optimize.nnls(counts / scale / peaks[:, None], np.ones(len(peaks)))
        values = values / scale
        errors = np.log(peaks / (counts @ values))
        freedom = len(peaks) - 4
        deviation = float(np.sqrt(np.sum(errors**2) / freedom))
        return cls(values, deviation, float(stats.t.ppf(0.975, freedom)))

    def predict(self, case: Case) -> Interval:
        """Bytes that the process holds at its highest."""
        value = float(np.dot(_memory_counts(case), self.coefficients))
        return _interval(value, self.deviation, self.quantile)


def _memory_counts(case: Case) -> NDArray[np.float64]:
    cost = case.step_cost
    assert cost is not None
    data_bytes = 4.0 * case.rows * (case.features + 1)
    weights = cost.weight_bytes + cost.optimizer_bytes
    return np.array([1.0, weights, cost.activation_bytes, data_bytes])


__all__ = ["OVERHEADS", "PREDICTED", "CostModel", "Interval", "Memory", "Observed", "Prediction"]
