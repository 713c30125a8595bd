"""What a race is to: a value of the loss or of a metric, on the rows trained on or on others."""

import re
from dataclasses import dataclass
from typing import Self

from nnbench.errors import UserError
from nnbench.workload.case import Case

VALIDATED = "val_"
"""Keras' beginning of the names of what is of rows that are not trained on."""

USUAL_SHARE = "20%"
"""Of the rows, held out where a value of validation is the goal."""

FALLING = re.compile(r"loss|error|entropy|divergence|hinge|huber|(^|_)(r?mse|mae|mape|msle)$")
"""Names of metrics that are to fall, where a goal does not say; all others are to rise."""

_GOAL = re.compile(r"\s*(\w+)\s*(?:([<>])=?\s*(\S+)\s*)?")


@dataclass(frozen=True)
class Goal:
    """What is to fall, or to rise: `loss`, `val_loss`, `accuracy`, `val_accuracy`."""

    name: str = "loss"
    rises: bool = False

    @classmethod
    def parse(cls, text: str) -> tuple[Self, float | None]:
        """Read `val_loss<0.3`, `val_accuracy>0.9` or `val_loss` alone; and the value, if any.

        Raises UserError for what is not understood.
        """
        found = _GOAL.fullmatch(text)
        try:
            value = float(found[3]) if found and found[3] else None
        except ValueError:
            found = None
        if not found or (value is not None and not abs(value) <= 1e30):
            raise UserError(f"'{text}' is no goal: write loss<0.05, val_loss<0.3, val_accuracy>0.9")
        name, way = found[1], found[2]
        return cls(name, way == ">" if way else not FALLING.search(name)), value

    @classmethod
    def of(cls, case: Case) -> Self:
        """What a case was trained for."""
        name = case.metric or "loss"
        return cls.parse(name if case.held_out is None else VALIDATED + name)[0]

    @property
    def validates(self) -> bool:
        """Whether it is of rows held out."""
        return self.name.startswith(VALIDATED)

    @property
    def metric(self) -> str | None:
        """The metric's name; None for the loss."""
        name = self.name.removeprefix(VALIDATED)
        return None if name == "loss" else name

    @property
    def best(self) -> str:
        """What the leader has: the lowest or the highest."""
        return f"{'highest' if self.rises else 'lowest'} {self.name}"

    @property
    def sign(self) -> int:
        """What a value is multiplied by to fall towards the goal, and to be shown again."""
        return -1 if self.rises else 1


LOSS = Goal()
