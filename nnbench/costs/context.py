"""Where a question is asked: a cost model with the data, the batch and the epochs of a training."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nnbench.costs.calibration import Place
from nnbench.costs.model import PhaseModel
from nnbench.costs.prediction import CostModel, Prediction
from nnbench.costs.residual_process import Surrogate
from nnbench.costs.terms import place
from nnbench.phases import EPOCH, STEP
from nnbench.stats.interval import Interval
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case

STRIDES = 28
"""Widths that are tried before the one looked for is closed in on."""


@dataclass(frozen=True)
class Width:
    """A width that was looked for, and between which ones it may lie.

    `value` None: there is none in the calibrated range. `open_above`: it is the widest that was
    calibrated, and may be wider.
    """

    value: int | None
    low: int | None
    high: int | None
    open_above: bool


@dataclass(frozen=True)
class Scene:
    """Everything but the architecture; `batch_size` None is the full batch."""

    model: CostModel
    place: Place
    rows: int
    batch_size: int | None
    epochs: int
    _known: dict[Architecture, Prediction] = field(default_factory=dict, compare=False, repr=False)
    _ratios: dict[tuple[Architecture, Architecture, str], Interval] = field(
        default_factory=dict, compare=False, repr=False
    )

    def case(self, architecture: Architecture) -> Case:
        """The case of an architecture in this scene."""
        return self.place.case(architecture, self.rows, self.batch_size)

    def predict(self, architecture: Architecture) -> Prediction:
        """What the model says of an architecture here."""
        if architecture not in self._known:
            self._known[architecture] = self.model.predict(self.case(architecture), self.epochs)
        return self._known[architecture]

    def ratio(self, one: Architecture, other: Architecture, phase: str) -> Interval:
        """Time of `one` / time of `other`, of `step` or `epoch`, with its interval."""
        assert phase in (STEP, EPOCH)
        key = (one, other, phase)
        if key not in self._ratios:
            self._ratios[key] = ratio(self.model.phases[phase], self.case(one), self.case(other))
        return self._ratios[key]

    @property
    def deepest(self) -> int:
        """The largest depth that was timed."""
        return round(2 ** float(self.model.high[0]))

    @property
    def narrowest(self) -> int:
        """The smallest width that was timed."""
        return max(1, round(2 ** float(self.model.low[1])))

    @property
    def widest(self) -> int:
        """The largest width that was timed."""
        return round(2 ** float(self.model.high[1]))

    def widest_with(self, depth: int, fits: Callable[[Architecture], bool]) -> int | None:
        """The widest equal-width network of a depth that fits, None if not even the narrowest.

        Predictions wiggle a little with the width: the last of a number of widths that fits is
        closed in on.
        """
        spaced = np.geomspace(self.narrowest, self.widest, STRIDES).round()
        widths = sorted({int(width) for width in spaced})
        fitting = [width for width in widths if fits(Architecture((width,) * depth))]
        if not fitting:
            return None
        low = fitting[-1]
        beyond = [width for width in widths if width > low]
        if not beyond:
            return low
        high = beyond[0]
        while high - low > 1:
            middle = (low + high) // 2
            if fits(Architecture((middle,) * depth)):
                low = middle
            else:
                high = middle
        return low

    def width_where(self, depth: int, ratio_of: Callable[[Architecture], Interval]) -> Width:
        """The widest with a ratio of at most 1, and the same for the ends of its interval."""
        value = self.widest_with(depth, lambda one: ratio_of(one).value <= 1)
        low = self.widest_with(depth, lambda one: ratio_of(one).high <= 1)
        high = self.widest_with(depth, lambda one: ratio_of(one).low <= 1)
        return Width(value, low, high, high == self.widest)


def ratio(model: PhaseModel, one: Case, other: Case) -> Interval:
    """Time of `one` / time of `other`, of the phase of `model`, with its interval.

    Two networks that are alike err alike: the ratio is surer than either time. Its interval
    holds what the process between their places, what each network has of its own and the
    coefficients leave open.
    """
    value = model.predict(one).value_s / model.predict(other).value_s
    deviation = log_ratio_deviation(model.surrogate, place(one), place(other))
    drawn_s = model.drawn_s([one, other])[0]
    low, high = np.quantile(np.log(drawn_s[:, 0] / drawn_s[:, 1]), [0.025, 0.975])
    reach = math.exp(math.hypot(model.quantile * deviation, float(high - low) / 2))
    return Interval(value, value / reach, value * reach)


def log_ratio_deviation(
    surrogate: Surrogate, one: NDArray[np.float64], other: NDArray[np.float64]
) -> float:
    """Standard deviation of the logarithm of the ratio of two predictions, `one` / `other`.

    From the process' covariance between the two places, given its timings (Rasmussen and
    Williams 2006, equation 2.24), and its noise for each of two networks: a network timed again
    takes the same within some per cent, so most of that noise is what its widths have of their
    own (how a product of such sides is computed).
    """
    left = surrogate.left(np.vstack([one, other]))
    variance = float(left[0, 0] + left[1, 1] - 2 * left[0, 1])
    own = 0.0 if np.array_equal(one, other) else 2 * surrogate.noise**2
    return surrogate.inflation * math.sqrt(max(variance, 0.0) + own)
