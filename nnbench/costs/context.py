"""What an answer holds for: a cost model with the data, the batch and the epochs of a training."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nnbench.costs.prediction import CostModel, Prediction
from nnbench.costs.setting import Setting
from nnbench.costs.terms import Counted
from nnbench.phases import EPOCH, STEP
from nnbench.stats.interval import Interval
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case

STRIDES = 28


@dataclass(frozen=True)
class Width:
    """A width that was looked for (None: none was calibrated), and between which it may lie."""

    value: int | None
    low: int | None
    high: int | None
    open_above: bool


@dataclass(frozen=True)
class Context:
    """Everything but the architecture; `batch_size` None is the full batch."""

    model: CostModel
    setting: Setting
    rows: int
    batch_size: int | None
    epochs: int
    _known: dict[Architecture, Prediction] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    _ratios: dict[tuple[Architecture, Architecture, str], Interval] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def case(self, architecture: Architecture) -> Case:
        """The case of an architecture in this context."""
        return self.setting.case(architecture, self.rows, self.batch_size)

    def counted(self, architecture: Architecture) -> Counted:
        """That, with its counts."""
        return Counted.of(self.case(architecture))

    def parameters(self, architecture: Architecture) -> int:
        """The trainable parameters of an architecture here."""
        outputs = tasks.outputs(self.setting.training.task)
        return architecture.parameters(self.setting.features, outputs)

    def flops(self, architecture: Architecture) -> int:
        """The FLOPs of one of its steps here."""
        cost = self.case(architecture).step_cost
        assert cost is not None
        return cost.flops

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
            both = self.counted(one), self.counted(other)
            self._ratios[key] = self.model.phases[phase].ratio(*both)
        return self._ratios[key]

    @property
    def deepest(self) -> int:
        """The largest depth of a chain of Dense layers that was timed."""
        return max(one.depth for one in self._chains)

    @property
    def narrowest(self) -> int:
        """Their smallest width."""
        return min(min(one.widths) for one in self._chains)

    @property
    def widest(self) -> int:
        """Their largest width."""
        return max(max(one.widths) for one in self._chains)

    @property
    def has_chains(self) -> bool:
        """Whether chains of Dense layers were timed."""
        return bool(self._chains)

    @property
    def _chains(self) -> list[Architecture]:
        timed = [one.case for one in self.model.observed if one.case.is_dense_chain]
        return [case.architecture for case in timed if case.architecture]

    def widest_with(self, depth: int, fits: Callable[[Architecture], bool]) -> int | None:
        """The widest equal-width network of a depth that fits, None if not even the narrowest."""
        spaced = np.geomspace(self.narrowest, self.widest, STRIDES).round()
        widths = sorted({int(width) for width in spaced})
        fitting = [width for width in widths if fits(_equal(width, depth))]
        if not fitting:
            return None
        low = fitting[-1]
        high = next((width for width in widths if width > low), low + 1)
        between = range(low + 1, high)
        return low + bisect_left(between, True, key=lambda one: not fits(_equal(one, depth)))

    def width_where(self, depth: int, ratio_of: Callable[[Architecture], Interval]) -> Width:
        """The widest with a ratio of at most 1, and the same for the ends of its interval."""
        value = self.widest_with(depth, lambda one: ratio_of(one).value <= 1)
        low = self.widest_with(depth, lambda one: ratio_of(one).high <= 1)
        high = self.widest_with(depth, lambda one: ratio_of(one).low <= 1)
        return Width(value, low, high, high == self.widest)


def _equal(width: int, depth: int) -> Architecture:
    return Architecture((width,) * depth)
