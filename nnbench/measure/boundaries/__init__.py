"""Where one phase ends and the next begins: one module a backend, with the functions below."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, Protocol


@dataclass
class Marks:
    """Clock readings, in ns, that bound the phases inside one `fit`; rows in its full batches."""

    batch_rows: int
    fit_called: int = 0
    first_step_reached: int = 0
    durations_ns: dict[str, int] = field(default_factory=dict)


class Boundaries(Protocol):
    """What each backend's module offers."""

    def hook_first_step(self, model: Any, marks: Marks) -> None:
        """Make the next `fit` mark trace, compile and first step, then run as if never hooked."""

    def stepper(self, model: Any, batch: Any) -> Callable[[int], None]:
        """Return a function that takes n steps on a batch, as `fit` hands it on, and waits."""

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
