"""TensorFlow: whether XLA makes a program faster, by timing a few of its own steps.

All that those steps change is put back. XLA's compiler takes several times as long as making the
graph without: it is asked only where the epochs to come are long enough for it to pay.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import Any

from nnbench.training.compiled.tensorflow_graph import Graph
from nnbench.training.compiled.tensorflow_parts import Data, longest

SAMPLE_S = 0.03
"""Steps that are timed together take so long, if there are enough of them."""

SAMPLES = 3

SLOW_S = 0.3
"""A sample beyond this, which is of one or two steps, is enough by itself."""

XLA_COST = 3
"""What XLA's compiler takes for a step, in what the graph without takes to make: 2.3 to 4."""

GAIN = 1.1
"""So many times as fast XLA has to be: the graph without rounds as `fit` does."""


@dataclass(frozen=True)
class Found:
    """The graph to go on with, whether that is for good, and why in a few words."""

    graph: Graph
    decided: bool
    why: str


def timed(plain: Graph, with_xla: Callable[[], Graph], data: Data, made_s: float) -> Found:
    """Time a graph, and one `with_xla` where the training is long enough to try it.

    `made_s`: what tracing and compiling the plain one took.
    """
    task = data.task
    with plain.unchanged():
        try:
            arguments, epoch_s = _sample(plain, data)
        except Exception:  # noqa: BLE001
            # The training will tell.
            return Found(plain, True, "its steps fail")
        sizes = 2 if task.training.rows % task.training.batch_size else 1
        if task.epochs is not None and task.epochs * epoch_s < 2 * XLA_COST * sizes * made_s:
            return Found(plain, False, "too short a training to try XLA")
        try:
            xla = with_xla()
            xla.take(arguments)
        except Exception:  # noqa: BLE001
            return Found(plain, True, "XLA does not take it")
        plain_s = xla_s = float("inf")
        for _ in range(SAMPLES):
            plain_s, xla_s = (
                min(plain_s, _taken_s(plain, arguments)),
                min(xla_s, _taken_s(xla, arguments)),
            )
            if plain_s + xla_s > 2 * SLOW_S:
                break
    ratio = plain_s / xla_s
    if ratio < GAIN:
        return Found(plain, True, f"with XLA {ratio:.2g} times as fast")
    return Found(xla, True, f"{ratio:.2g} times as fast as without XLA")


def _sample(graph: Graph, data: Data) -> tuple[list[Any], float]:
    """What to call a graph with for a sample of its steps, and the seconds of a whole epoch."""
    training = data.task.training
    steps, epochs = min(2, training.steps), 1
    graph.take(data.arguments(0, epochs, steps))
    while True:
        arguments = data.arguments(0, epochs, steps)
        taken_s = _taken_s(graph, arguments)
        enough = steps == training.steps and epochs == longest(data.task)
        if taken_s >= SAMPLE_S or enough:
            # A last batch of another size is taken as well.
            return arguments, taken_s / epochs * training.steps / min(steps + 1, training.steps)
        factor = min(64, max(2, ceil(1.2 * SAMPLE_S / taken_s)))
        if steps < training.steps:
            steps = min(training.steps, steps * factor)
        else:
            epochs = min(longest(data.task), epochs * factor)


def _taken_s(graph: Graph, arguments: list[Any]) -> float:
    begin = perf_counter()
    graph.take(arguments)
    return perf_counter() - begin
