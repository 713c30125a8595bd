"""Where one phase ends and the next begins, for each backend; one small module each.

Every module has the same three functions:

- `hook_first_step(model, marks)`: makes the next `model.fit` write the clock into `marks` around
  trace, compile and first step; from the second step on `fit` runs as if never hooked.
- `stepper(model, features, labels)`: a function that takes n steps and waits for the device.
- `wait(result)`: returns when the device has finished computing `result`, arrays or a model.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


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
        """Make the next `fit` fill in `marks`."""

    def stepper(
        self, model: Any, features: NDArray[np.float32], labels: NDArray[np.float32]
    ) -> Callable[[int], None]:
        """Return a function that takes n steps on this batch and waits for the device."""

    def wait(self, result: Any) -> None:
        """Wait until `result` is computed."""


def of(backend: str) -> Boundaries:
    """The module for a backend, which must be the one that Keras runs on."""
    module: Any = importlib.import_module(f"{__name__}.{backend}")
    return module  # type: ignore[no-any-return]


def timed_ns(work: Callable[[], Any], wait: Callable[[Any], None]) -> tuple[int, Any]:
    """Duration of `work`, the device waited for, and what it returned."""
    begin = perf_counter_ns()
    result = work()
    wait(result)
    return perf_counter_ns() - begin, result


def variables_of(model: Any) -> list[Any]:
    """Every variable a step may change: weights, optimizer state, metrics, seeds."""
    unique = {id(v): v for v in (*model.variables, *model.optimizer.variables)}
    unique |= {id(v): v for v in model.metrics_variables}
    return list(unique.values())
