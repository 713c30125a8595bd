"""A whole training from the cost models of its phases: time, memory, and what dominates."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from nnbench.costs.model import LEAST_CASES, Observations, PhaseModel, TooFewCasesError, around
from nnbench.costs.terms import FIRST_EPOCH, LAYERS, Counted, has_smaller_batch, position
from nnbench.phases import COMPILE, EPOCH, FIRST_STEP, ONCE, PREPARE, STEP, TRACE
from nnbench.stats.interval import Interval
from nnbench.workload.case import Case
from nnbench.workload.counts import NetworkCount

EDGE = 1.2
"""A case that has so many times as much as any calibrated one still counts as inside."""

WIDEST = 3.0
"""Where an interval spans more than such a factor nothing is said but that it is not known."""

STEPS, OVERHEAD, REST = "steps", "epoch overhead", "rest"


@dataclass(frozen=True)
class Observed:
    """Times of a case in a launch by phase; `held_bytes` is what its process held before."""

    case: Case
    times_s: Mapping[str, float]
    peak_host_bytes: int | None = None
    held_bytes: int | None = None
    launch: str = ""
    count: NetworkCount | None = None

    @property
    def counted(self) -> Counted:
        """The case with its counts, and what a step and compiling again took."""
        again_s = sum(self.times_s.get(phase, 0.0) for phase in (TRACE, COMPILE))
        counted = Counted.of(self.case, self.count)
        return replace(counted, step_s=self.times_s.get(STEP, 0.0), again_s=again_s)


@dataclass(frozen=True)
class Beyond:
    """Of what a case has `value`, and what was calibrated has from `least` to `most`."""

    axis: str
    value: float
    least: float
    most: float


@dataclass(frozen=True)
class Prediction:
    """A training that was not timed. `parts_s` adds up to `total_s.value`.

    Its parts are the phases of `ONCE` that the backend has, `steps` (all but the first),
    `epoch overhead` (beyond the steps) and `rest` (of the first epoch, such as compiling again for
    a smaller last batch). `overhead_share` is the part of a steady epoch that does not grow with
    the layers, `dominant` the longest part, `outside` what lies beyond what was calibrated. `name`
    is what the network is called by who asked: `100,100` where `100x2` is its label.
    """

    name: str
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
    outside: tuple[Beyond, ...]
    more_data: float
    """How many times as much has to be calibrated as was until `total_s` is known well enough."""

    @property
    def is_known(self) -> bool:
        """Whether the whole is known well enough to be told."""
        return is_known(self.total_s)


def is_known(found: Interval) -> bool:
    """Whether an interval is narrow enough to be an answer."""
    return found.high <= WIDEST * found.low


@dataclass(frozen=True)
class CostModel:
    """All phases of one backend, device, thread count and path.

    `ends` are the least and the most of what was timed along each axis of `terms.position`, `kinds`
    the kinds of layers in it.
    """

    phases: Mapping[str, PhaseModel]
    ends: Mapping[str, tuple[float, float]]
    kinds: frozenset[str]
    memory: "Memory | None"
    observed: Sequence[Observed]

    @classmethod
    def fit(cls, observed: Sequence[Observed]) -> Self:
        """Fit all phases timed often enough. Raises TooFewCasesError without `step` or `epoch`."""
        phases: dict[str, PhaseModel] = {}
        steps, epochs = _times(observed, STEP), _times(observed, EPOCH)
        compiled = any(one.case.path == "compiled" for one in observed)
        if compiled or len(steps.cases) < LEAST_CASES:
            (found,) = PhaseModel.fit(epochs)
            # There a step is an epoch's share; where too few steps were timed, it is told by that.
            share = np.array([one.case.steps_per_epoch for one in found.cases])
            parts = {"times_s": found.times_s / share, "known_s": found.known_s / share}
            phases = {STEP: replace(found, phase=STEP, **parts), EPOCH: found}
        else:
            phases = dict(zip((STEP, EPOCH), PhaseModel.fit(steps, epochs), strict=True))
        for phase in (*ONCE, FIRST_EPOCH):
            with contextlib.suppress(TooFewCasesError):
                (phases[phase],) = PhaseModel.fit(_times(observed, phase))
        every = [one.counted for one in observed]
        places = [position(one) for one in every]
        ends = {name: (min(of), max(of)) for name in places[0] if (of := [p[name] for p in places])}
        kinds = frozenset(kind for one in every for kind in _kinds(one))
        return cls(phases, ends, kinds, Memory.fit(observed), observed)

    def predict(self, case: Case, epochs: int, count: NetworkCount | None = None) -> Prediction:
        """Predict a training of `epochs` epochs from nothing.

        `count` is what its network consists of, which of a chain of Dense layers follows.
        """
        counted = Counted.of(case, count)
        step, epoch = (self.phases[phase].predict(counted) for phase in (STEP, EPOCH))
        step_s, epoch_s = step.seconds.value, epoch.seconds.value
        counted = replace(counted, step_s=step_s)
        once = {
            phase: self.phases[phase].predict(counted) for phase in ONCE if phase in self.phases
        }
        if case.path == "compiled" and case.steps_per_epoch > 1:
            # There a first step is not a thing of its own.
            once.pop(FIRST_STEP, None)
        parts_s = {phase: found.seconds.value for phase, found in once.items()}
        steps = epochs * case.steps_per_epoch - (1 if FIRST_STEP in once else 0)
        usual_s = _usual_first_epoch_s({**parts_s, STEP: step_s, EPOCH: epoch_s})
        parts_s[STEPS] = min(steps * step_s, epochs * epoch_s)
        parts_s[OVERHEAD] = max(0.0, epochs * (epoch_s - case.steps_per_epoch * step_s))
        weights_s = [(found, found.seconds.value) for found in once.values()]
        weights_s.append((epoch, epochs * epoch_s))
        if FIRST_EPOCH in self.phases:
            again_s = sum(parts_s.get(phase, 0.0) for phase in (TRACE, COMPILE))
            counted = replace(counted, again_s=again_s)
            first = self.phases[FIRST_EPOCH].predict(counted, usual_s)
            parts_s[REST] = max(0.0, first.seconds.value - usual_s)
            weights_s.append((first, first.seconds.value))
        total_s = sum(parts_s.values())
        # The deviation of the sum: the launch effect hits all phases of a launch alike.
        together_s = sum(found.launch_effect * seconds for found, seconds in weights_s)
        own_s = [
            math.sqrt(max(0.0, found.deviation**2 - found.launch_effect**2)) * seconds
            for found, seconds in weights_s
        ]
        unknown_s = math.hypot(*(found.unknown * seconds for found, seconds in weights_s))
        unknown = self.phases[EPOCH].quantile * unknown_s / total_s
        log_reach = self.phases[EPOCH].quantile * math.hypot(together_s, *own_s) / total_s
        return Prediction(
            name=case.name,
            architecture=case.label,
            rows=case.rows,
            batch_rows=case.batch_rows,
            epochs=epochs,
            total_s=around(total_s, log_reach),
            epoch_s=epoch.seconds,
            step_s=step.seconds,
            parts_s=parts_s,
            overhead_share=epoch.overhead_share,
            peak_host_bytes=self.memory.predict(counted) if self.memory else None,
            dominant=max(parts_s, key=lambda name: parts_s[name]),
            outside=self.outside(counted),
            more_data=_more_data(log_reach, unknown),
        )

    def outside(self, case: Counted) -> tuple[Beyond, ...]:
        """What of a case lies beyond what was calibrated."""
        found = []
        for kind in _kinds(case) - self.kinds:
            found.append(Beyond(f"{kind} layers", case.step[LAYERS[kind]], 0.0, 0.0))
        for axis, value in position(case).items():
            least, most = self.ends[axis]
            if value > EDGE * most > 0 or (axis in BOTH_WAYS and value < least / EDGE):
                found.append(Beyond(axis, value, least, most))
        return tuple(found)


BOTH_WAYS = ("rows in a batch", "layers")
"""Axes on which less than was calibrated is beyond it, too."""


def _more_data(log_reach: float, unknown: float) -> float:
    """By the square root law: 1 where the interval is narrow enough, infinity where it stays."""
    wanted, rest = math.log(WIDEST) / 2, log_reach**2 - unknown**2
    if log_reach <= wanted:
        return 1.0
    return unknown**2 / (wanted**2 - rest) if rest < wanted**2 else math.inf


def _kinds(one: Counted) -> frozenset[str]:
    return frozenset(kind for kind, term in LAYERS.items() if one.step[term] > 0)


def _times(observed: Sequence[Observed], phase: str) -> Observations:
    """What is known of a phase."""
    wanted = {phase, STEP} if phase == FIRST_EPOCH else {phase}
    having = [one for one in observed if all(one.times_s.get(name, 0) > 0 for name in wanted)]
    known_s: NDArray[np.float64] | float = 0.0
    if phase == FIRST_EPOCH:
        known_s = np.array([_usual_first_epoch_s(one.times_s) for one in having])
    return Observations(
        phase,
        [one.counted for one in having],
        np.array([one.times_s[phase] for one in having]),
        [one.launch for one in having],
        known_s,
    )


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
        counts = np.array([_memory_counts(one.counted) for one in having])
        held = np.array([one.held_bytes for one in having], dtype=float)
        added = np.array([one.peak_host_bytes for one in having], dtype=float) - held
        framework = held.min()
        scale = counts.max(axis=0)
        weight = 1 / (added + 0.05 * framework)
        values, _ = optimize.nnls(counts / scale * weight[:, None], added * weight)
        values = values / scale
        errors = (added - counts @ values) * weight
        freedom = max(1, len(added) - counts.shape[1])
        deviation = float(np.sqrt(np.sum(errors**2) / freedom))
        # Wild ones are far from normal: as wide as 95 % of them need, were each left out.
        design = counts / scale * weight[:, None]
        drawn = np.clip(np.einsum("ij,ji->i", design, np.linalg.pinv(design)), 0.0, 0.95)
        needed = float(np.quantile(np.abs(errors) / (1 - drawn), 0.95)) / 1.96
        deviation = max(deviation, needed)
        return cls(float(framework), values, deviation, float(stats.t.ppf(0.975, freedom)))

    def predict(self, case: Counted) -> Interval:
        """Bytes that the process holds at its highest."""
        added = float(np.dot(_memory_counts(case), self.coefficients))
        reach = self.quantile * self.deviation * (added + 0.05 * self.framework_bytes)
        value = self.framework_bytes + added
        return Interval(value, max(self.framework_bytes, value - reach), value + reach)


def _memory_counts(one: Counted) -> NDArray[np.float64]:
    count, case = one.count, one.case
    data_bytes = count.batch_bytes / count.rows * case.rows
    weights = count.weight_bytes + count.optimizer_bytes
    # A compiled path's one program holds a smaller last batch's step beside that of the others.
    programs = 1 + (case.path == "compiled" and has_smaller_batch(case))
    layers = programs * sum(one.step[term] for term in LAYERS.values())
    return np.array([1.0, weights, count.activation_bytes, data_bytes, layers])
