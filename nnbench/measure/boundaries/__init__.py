"""Where one phase ends and the next begins: one module a backend, with the functions below."""

import importlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, Protocol


@dataclass
class Marks:
    """Clock readings, in ns, that bound the phases inside one `fit`.

    `batch_rows` are those of its full batches, `epoch_steps` the batches of an epoch.
    """

    batch_rows: int
    epoch_steps: int = 1
    fit_called: int = 0
    first_step_reached: int = 0
    durations_ns: dict[str, int] = field(default_factory=dict)

    def steps(self, model: Any) -> int:
        """Steps that the first call of the train function takes."""
        return min(int(model.steps_per_execution), self.epoch_steps)


@dataclass
class DataClock:
    """How long `fit` waited for its batches, in ns, by epoch; the device is not waited for."""

    waited_ns: list[int] = field(default_factory=list)

    def next(self, iterator: Iterator[Any]) -> Any:
        """The iterator's next, timed."""
        begin = perf_counter_ns()
        try:
            return next(iterator)
        finally:
            self.waited_ns[-1] += perf_counter_ns() - begin

    def batches(self, iterator: Iterator[Any], count: int) -> Iterator[Any]:
        """The iterator's next so many, or those that are left, timed; StopIteration if none is."""
        first = self.next(iterator)

        def others() -> Iterator[Any]:
            for _ in range(count - 1):
                try:
                    yield self.next(iterator)
                except StopIteration:
                    return

        return itertools.chain([first], others())


class Boundaries(Protocol):
    """What each backend's module offers."""

    def hook_first_step(self, model: Any, marks: Marks) -> None:
        """Make the next `fit` mark trace, compile and first step, then run as if never hooked."""

    def stepper(self, model: Any, batch: Any) -> Callable[[int], None]:
        """Return a function that calls the train function n times on a batch, as `fit` does, and
        waits; each call takes the model's `steps_per_execution`."""

    def summer(self, gradients: Sequence[tuple[tuple[int, ...], str]]) -> Callable[[int], None]:
        """Return a function that sums arrays over the devices n times, one sum after the other, as
        a step sums its gradients, and waits; each device holds an array of each of these shapes and
        types. Not on Torch, with which Keras trains on one device."""

    def timed_data(self, model: Any, clock: DataClock) -> AbstractContextManager[None]:
        """Within it, `fit` takes each batch of a stream by the clock's `next`."""

    def wait(self, result: Any) -> None:
        """Wait until the device has computed `result`, arrays or a model."""


def of(backend: str) -> Boundaries:
    """The module for a backend, which must be the one that Keras runs on."""
    return importlib.import_module(f"{__name__}.{backend}")


def timed_ns(
    work: Callable[[], Any], wait: Callable[[Any], None] = lambda _: None
) -> tuple[int, Any]:
    """Duration of `work`, the device waited for unless it does so itself, and what it returned."""
    begin = perf_counter_ns()
    result = work()
    wait(result)
    return perf_counter_ns() - begin, result


def variables_of(model: Any) -> list[Any]:
    """Every variable a step may change: weights, optimizer state, metrics, seeds."""
    found = (*model.variables, *model.optimizer.variables, *model.metrics_variables)
    return list({id(variable): variable for variable in found}.values())
