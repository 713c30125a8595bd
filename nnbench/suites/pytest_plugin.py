"""pytest plugin with one fixture, `training_benchmark`: measure a Keras training in a test.

    def test_a_step_stays_cheap(training_benchmark):
        result = training_benchmark("my_project.models:build", "my_project.data:load")
        assert result.seconds("compile") < 5

With pytest-benchmark installed the step's timings are that test's benchmark, and all else is in
its `extra_info`: saving and comparing are pytest-benchmark's own. Without it the test only gets
the result. Where pytest-benchmark is switched off, as it does itself under xdist, one launch and
one block are measured: enough to see that the training runs.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nnbench.suites.reading import Reading
    from nnbench.suites.result import TrainingResult
    from nnbench.workload.study import Study

Model = str | Callable[[], Any]


class TrainingBenchmark:
    """What the fixture gives: call it once in a test.

    `benchmark` is pytest-benchmark's fixture, if there is one; `lock` a file that keeps the test
    processes of one session from measuring at the same time.
    """

    def __init__(self, benchmark: Any, lock: Path) -> None:
        self._benchmark = benchmark
        self._lock = lock

    @property
    def only_tried(self) -> bool:
        """Whether nothing is kept, so that one launch will do."""
        return self._benchmark is not None and self._benchmark.disabled

    def __call__(
        self,
        model: Model,
        data: Model = "banknotes",
        *,
        backend: str | None = None,
        path: str = "fit",
        device: str = "cpu",
        batch_size: int | None = None,
        launches: int = 3,
        drift: bool = True,
        limit_s: float = 120.0,
        **options: Any,
    ) -> TrainingResult:
        """Measure every phase of a training in worker processes of its own.

        `model` is a function at the top of a module that returns a compiled Keras model, a
        reference to one (`"my_project.models:build"`), or an architecture (`"6x5"`). `data` is
        a function that returns `(x, y)`, or what `nnbench run --data` takes. `backend` None is
        chosen as `nnbench run` does. `launches` processes take `blocks` (2) turns each; a trial
        over `limit_s` seconds is given up. `options` are any others of `nnbench run`, such as
        `epochs`, `optimizer` or `dtype`. Fails the test for what cannot be measured.
        """
        # Heavy, and not for a session that does not measure.
        from nnbench.errors import UserError
        from nnbench.suites.reference import reference_to
        from nnbench.workload.study import Study

        try:
            study = Study.of(
                [reference_to(model)],
                data=reference_to(data),
                backend=backend,
                path=path,
                device=device,
                batch="full" if batch_size is None else str(batch_size),
                launches=launches,
                limit=limit_s,
                **options,
            )
            (reading,) = self.measure(study, drift=drift)
            return self.of(reading)
        except UserError as mistake:
            pytest.fail(str(mistake), pytrace=False)

    def measure(self, study: Study, *, drift: bool = True) -> list[Reading]:
        """Measure a study, all its cases in turn, while no other test of ours does.

        Raises UserError for what cannot be measured.
        """
        from nnbench.suites.study import measure

        if self.only_tried:
            study = replace(study, effort=replace(study.effort, launches=1, blocks=1))
        with _alone(self._lock):
            return measure(study, drift=drift and not self.only_tried)

    def of(self, reading: Reading) -> TrainingResult:
        """Keep what a study found as this test's benchmark, and return it.

        Raises UserError if the training could not be measured.
        """
        from nnbench.suites.result import TrainingResult

        result = TrainingResult.of(reading)
        if self._benchmark is not None:
            _keep(self._benchmark, result)
        return result


def _keep(benchmark: Any, result: TrainingResult) -> None:
    """Hand the step's timings and all else to pytest-benchmark.

    It has no public way to be given timings; these are the lines of its `pedantic` that keep them.
    """
    benchmark._mode = "training_benchmark(...)"
    benchmark.extra_info.update(result.to_json())
    if benchmark.group is None:
        benchmark.group = result.reading.model
    if benchmark.enabled:
        stats = benchmark._make_stats(1)
        for seconds in result.reading.seconds["step"]:
            stats.update(seconds)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    # Every worker of xdist has a folder of its own in the session's.
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return shared / "nnbench.lock"


class WithBenchmark:
    """The fixture beside pytest-benchmark, whose `--benchmark-only` looks for `benchmark`."""

    @pytest.fixture
    def training_benchmark(
        self,
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
        benchmark: Any,
    ) -> TrainingBenchmark:
        """Measure a Keras training: every phase, drift and memory (nnbench)."""
        return TrainingBenchmark(benchmark, _lock(request, tmp_path_factory))


class WithoutBenchmark:
    """The fixture alone."""

    @pytest.fixture
    def training_benchmark(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> TrainingBenchmark:
        """Measure a Keras training: every phase, drift and memory (nnbench)."""
        return TrainingBenchmark(None, _lock(request, tmp_path_factory))


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixture that fits what else is installed."""
    beside = config.pluginmanager.has_plugin("benchmark")
    config.pluginmanager.register(
        WithBenchmark() if beside else WithoutBenchmark(), "nnbench-training-benchmark"
    )
