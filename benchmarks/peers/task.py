"""What every peer trains: a network by name, its data, its batches. Needs no framework.

`6x2` and the like are chains of Dense layers on a table, full batch, with one sigmoid output. The
others have classes, batches of 32, and sizes that are told here for all peers alike.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.workload import architecture, datasets

DATA = {
    "convnet": "digits",
    "resnet": "digits",
    "lstm": "waves",
    "gru": "waves",
    "transformer": "waves",
}
"""The shipped data of each network that is no chain of Dense layers."""

BATCH_SIZE = 32
FILTERS, RESIDUAL_BLOCKS = 8, 2
UNITS = 32
WIDTH, HEADS, INNER, ENCODER_BLOCKS = 32, 4, 64, 2
RATE, ADAM_EPSILON = 1e-3, 1e-7
NORM_EPSILON, NORM_MOMENTUM = 1e-3, 0.99
"""Keras' own, of batch and of layer normalisation."""


@dataclass(frozen=True)
class Task:
    """`once`: it is trained one time, from the process's start, so nothing is tried out first."""

    family: str
    widths: tuple[int, ...]
    x: Any
    y: Any
    classes: int
    batch_size: int
    once: bool = False

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self.x) // self.batch_size

    def batches(self, numbers: np.random.Generator) -> Iterable[Any]:
        """Which rows each step of an epoch takes; a full batch is not shuffled."""
        if self.steps == 1:
            return [slice(None)]
        return numbers.permutation(len(self.x)).reshape(self.steps, self.batch_size)


@dataclass(frozen=True)
class Prepared:
    """What an entry makes of a task.

    `train` trains so many epochs more, waits for the device, and returns the mean loss of the last
    epoch's batches. `how` says what was chosen for this task, if anything was.
    """

    train: Callable[[int], float]
    parameters: int | None = None
    """That can be trained; None where it is not known."""
    how: str = ""


def load(net: str, source: str, *, once: bool = False) -> Task:
    """The task of a network; `source` is the data of chains of Dense layers.

    Rows that fill no batch are left out: hand-written loops drop them, or make a second program.
    """
    if net not in DATA:
        known = ", ".join(DATA)
        unknown = UserError(f"no peer trains '{net}': choose from {known}, or widths such as 6x2")
        try:
            dense = architecture.parse(net)
        except UserError:
            raise unknown from None
        if dense.family != "dense":
            raise unknown
        data = datasets.load(source)
        return Task("dense", dense.widths, data.features, data.labels, 1, data.rows, once)
    data = datasets.load(DATA[net])
    rows = data.rows // BATCH_SIZE * BATCH_SIZE
    labels = data.labels.ravel().astype(np.int32)
    return Task(
        net, (), data.features[:rows], labels[:rows], int(labels.max()) + 1, BATCH_SIZE, once
    )


def sines(steps: int) -> np.ndarray:
    """What tells the transformer's places (Vaswani and others, NeurIPS 2017)."""
    cells = np.arange(WIDTH)
    angles = np.arange(steps)[:, None] / 10_000 ** (cells // 2 * 2 / WIDTH)
    return np.where(cells % 2, np.cos(angles), np.sin(angles)).astype(np.float32)
