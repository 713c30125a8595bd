"""A whole training from the cost models of its phases: time, memory, and what dominates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from nnbench.case import Case
from nnbench.costs.model import (
    LEAST_CASES,
    RESAMPLES,
    PhaseModel,
    Predicted,
    TooFewCasesError,
)
from nnbench.costs.terms import AXES, FIRST_EPOCH, place, rows_of_last_batch
from nnbench.phases import COMPILE, EPOCH, FIRST_STEP, ONCE, PREPARE, STEP, TRACE

EDGE = 0.25
"""A place this far beyond the calibrated ones (in powers of two) still counts as inside."""

MANY_FEATURES = 16
"""Times as many features as calibrated are beyond the range, too."""

STEPS, OVERHEAD, REST = "steps", "epoch overhead", "rest"
"""Parts of a predicted training besides the phases of `ONCE`."""


@dataclass(frozen=True)
class Observed:
    """Times of one case in one launch, in seconds by phase, and its memory on the host.

    Besides the phases, `times_s` may have `first_epoch`. `held_bytes` is what the process held
    before, other networks included; the peak is of everything.
    """

    case: Case
    times_s: Mapping[str, float]
    peak_host_bytes: int | None = None
    held_bytes: int | None = None


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


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

        `epoch` is fitted as what it costs beyond the steps that the model of `step` predicts.
        Raises TooFewCasesError if `step` or `epoch` cannot be fitted.
        """
        phases: dict[str, PhaseModel] = {}
        for phase in (*ONCE, STEP):
            having = [one for one in observed if one.times_s.get(phase, 0) > 0]
            times_s = np.array([one.times_s[phase] for one in having])
            cases = [one.case for one in having]
            try:
                phases[phase] = PhaseModel.fit(phase, cases, times_s, resamples=resamples)
            except TooFewCasesError:
                if phase == STEP:
                    raise
        step = phases[STEP]
        having = [one for one in observed if one.times_s.get(EPOCH, 0) > 0]
        phases[EPOCH] = PhaseModel.fit(
            EPOCH,
            [one.case for one in having],
            np.array([one.times_s[EPOCH] for one in having]),
            np.array([_steps_s(step, one.case) for one in having]),
            resamples=resamples,
        )
        having = [one for one in observed if one.times_s.get(FIRST_EPOCH, 0) > 0]
        if len(having) >= LEAST_CASES:
            phases[FIRST_EPOCH] = PhaseModel.fit(
                FIRST_EPOCH,
                [one.case for one in having],
                np.array([one.times_s[FIRST_EPOCH] for one in having]),
                np.array([_usual_first_epoch_s(one.times_s) for one in having]),
                resamples=resamples,
            )
        places = np.array([place(one.case) for one in observed])
        return cls(phases, places.min(axis=0), places.max(axis=0), Memory.fit(observed), observed)

    def predict(self, case: Case, epochs: int) -> Prediction:
        """Predict a training of `epochs` epochs from nothing."""
        once = {phase: self.phases[phase].predict(case) for phase in ONCE if phase in self.phases}
        if case.path == "compiled" and case.steps_per_epoch > 1:
            # There a first step is not a thing of its own.
            once.pop(FIRST_STEP, None)
        step = self.phases[STEP].predict(case)
        epoch = self.epoch(case)
        times_s = {phase: found.value_s for phase, found in once.items()}
        parts = dict(times_s)
        steps = epochs * case.steps_per_epoch - (1 if FIRST_STEP in once else 0)
        steps_s = min(steps * step.value_s, epochs * epoch.value_s)
        parts[STEPS] = steps_s
        parts[OVERHEAD] = max(0.0, epochs * (epoch.value_s - case.steps_per_epoch * step.value_s))
        spreads_s = [found.value_s * found.deviation for found in once.values()]
        spreads_s.append(epochs * epoch.value_s * epoch.deviation)
        if FIRST_EPOCH in self.phases:
            usual_s = _usual_first_epoch_s({**times_s, STEP: step.value_s, EPOCH: epoch.value_s})
            first = self.phases[FIRST_EPOCH].predict(case, usual_s)
            parts[REST] = max(0.0, first.value_s - usual_s)
            spreads_s.append(first.value_s * first.deviation)
        total_s = sum(parts.values())
        compute_s = min(epoch.value_s, case.steps_per_epoch * step.value_s * (1 - _share(step)))
        return Prediction(
            case=case,
            epochs=epochs,
            total_s=_interval(
                total_s, math.hypot(*spreads_s) / total_s, self.phases[EPOCH].quantile
            ),
            epoch_s=_interval(epoch.value_s, epoch.deviation, self.phases[EPOCH].quantile),
            step_s=_interval(step.value_s, step.deviation, self.phases[STEP].quantile),
            parts_s=parts,
            overhead_share=1 - compute_s / epoch.value_s,
            peak_host_bytes=self.memory.predict(case) if self.memory else None,
            outside=self.outside(case),
        )

    def epoch(self, case: Case) -> Predicted:
        """An epoch: the predicted steps and what is paid around them."""
        return self.phases[EPOCH].predict(case, _steps_s(self.phases[STEP], case))

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


def _steps_s(step: PhaseModel, case: Case) -> float:
    """What the coefficients say of an epoch's steps; the last batch may be smaller.

    Without what the step's residuals add: an epoch has residuals of its own, which then are as
    uncertain as they should be.
    """
    rows = rows_of_last_batch(case)
    # A compiled step is an epoch divided: a smaller last batch is in it already.
    if rows == case.batch_rows or case.path == "compiled":
        return case.steps_per_epoch * float(step.plain_s([case])[0][0])
    last = replace(case, rows=rows, training=replace(case.training, batch_size=None))
    full_s, last_s = step.plain_s([case, last])[0]
    return float((case.steps_per_epoch - 1) * full_s + last_s)


def _usual_first_epoch_s(times_s: Mapping[str, float]) -> float:
    """A first epoch in which nothing happens but its phases and a steady epoch's other steps."""
    once_s = sum(times_s.get(phase, 0.0) for phase in (PREPARE, TRACE, COMPILE, FIRST_STEP))
    return once_s + max(0.0, times_s[EPOCH] - times_s[STEP])


def _interval(value: float, deviation: float, quantile: float) -> Interval:
    reach = math.exp(quantile * deviation)
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
