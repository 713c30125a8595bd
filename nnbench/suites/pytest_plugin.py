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

import fcntl
from collections.abc import Callable
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
    """Called once in a test; the file `lock` keeps tests from measuring at the same time."""

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
        data: Model | None = None,
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

        `model` is a function at the top of a module that returns a Keras model, a reference to one
        (`"my_project.models:build(depth=4)"`), a saved model, or an architecture (`"6x5"`,
        `"conv:32x4"`). `data` is a function that returns what `fit` takes, or what `nnbench run
        --data` takes; None and a `batch_size` of None are as there. `backend` None is
        chosen as `nnbench run` does. `launches` processes take `blocks` (2) turns each; a trial
        over `limit_s` seconds is given up. `options` are any others of `nnbench run`, such as
        `epochs`, `optimizer` or `dtype`. Fails the test for what cannot be measured.
        """
        # Heavy, and not for a session that does not measure.
        from nnbench.errors import UserError
        from nnbench.workload.study import Study
        from nnbench.workload.user_code import reference_to

        try:
            study = Study.of(
                [reference_to(model)],
                data=None if data is None else reference_to(data),
                backend=backend,
                path=path,
                device=device,
                batch=None if batch_size is None else str(batch_size),
                launches=launches,
                limit=limit_s,
                **options,
            )
            readings = self.measure(study, drift=drift)
            if len(readings) != 1:
                raise UserError(f"{reference_to(model)} is {len(readings)} networks: name one")
            return self.of(readings[0])
        except UserError as mistake:
            pytest.fail(str(mistake), pytrace=False)

    def measure(self, study: Study, *, drift: bool = True) -> list[Reading]:
        """`suites.study.measure`, while no other test of ours does."""
        from nnbench.suites.study import measure

        if self.only_tried:
            study = replace(study, effort=replace(study.effort, launches=1, blocks=1))
        with self._lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return measure(study, drift=drift and not self.only_tried)

    def of(self, reading: Reading) -> TrainingResult:
        """`TrainingResult.of` this reading, which is kept as this test's benchmark."""
        from nnbench.suites.result import TrainingResult

        result = TrainingResult.of(reading)
        if self._benchmark is not None:
            _keep(self._benchmark, result)
        return result


def _keep(benchmark: Any, result: TrainingResult) -> None:
    """As `pedantic` of pytest-benchmark does, which has no public way to be given timings."""
    benchmark._mode = "training_benchmark(...)"
    benchmark.extra_info.update(result.to_json())
    if benchmark.group is None:
        benchmark.group = result.reading.model
    if benchmark.enabled:
        stats = benchmark._make_stats(1)
        for seconds in result.reading.seconds["step"]:
            stats.update(seconds)


def _lock(request: pytest.FixtureRequest) -> Path:
    base: Path = request.getfixturevalue("tmp_path_factory").getbasetemp()
    # Every worker of xdist has a folder of its own in the session's.
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return shared / "nnbench.lock"


class WithBenchmark:
    """The fixture beside pytest-benchmark, whose `--benchmark-only` looks for `benchmark`."""

    @pytest.fixture
    def training_benchmark(
        self, request: pytest.FixtureRequest, benchmark: Any
    ) -> TrainingBenchmark:
        """Measure a Keras training: every phase, drift and memory (nnbench)."""
        return TrainingBenchmark(benchmark, _lock(request))


class WithoutBenchmark:
    """The fixture alone."""

    @pytest.fixture
    def training_benchmark(self, request: pytest.FixtureRequest) -> TrainingBenchmark:
        """Measure a Keras training: every phase, drift and memory (nnbench)."""
        return TrainingBenchmark(None, _lock(request))


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixture that fits what else is installed."""
    beside = config.pluginmanager.has_plugin("benchmark")
    config.pluginmanager.register(
        WithBenchmark() if beside else WithoutBenchmark(), "nnbench-training-benchmark"
    )
