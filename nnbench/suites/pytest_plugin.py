"""pytest plugin with one fixture, `training_benchmark`: measure a Keras training in a test.

    def test_a_step_stays_cheap(training_benchmark):
        result = training_benchmark("my_project.models:build", "my_project.data:load")
        assert result.seconds("compile") < 5

With pytest-benchmark installed the step's timings are that test's benchmark, and all else is in
its `extra_info`: saving and comparing are pytest-benchmark's own. The timings are handed over by
what it offers to everybody: `pedantic`, with a timer that shows the durations measured. Without it
the test only gets the result. What is being measured is shown as it goes on, unless pytest is to
be quiet. Where pytest-benchmark is switched off, as it does itself under xdist, one launch and
one block are measured: enough to see that the training runs.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nnbench.measure.run import Watcher
    from nnbench.suites.reading import Reading
    from nnbench.suites.result import TrainingResult
    from nnbench.workload.study import Study

Model = str | Callable[[], Any]


class TrainingBenchmark:
    """Called once in a test; the file `lock` keeps tests from measuring at the same time."""

    def __init__(self, request: pytest.FixtureRequest, benchmark: Any = None) -> None:
        self._config = request.config
        self._benchmark = benchmark
        self._clock = _clock_of(request.node)
        self._lock = _lock(request)

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
        optimizer: str | None = None,
        loss: str | None = None,
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
        over `limit_s` seconds is given up. `optimizer` and `loss` are those that architectures are
        trained with (a function's model is compiled already). `options` are any others of `nnbench
        run`, such as `epochs` or `dtype`. Fails the test for what cannot be measured.
        """
        # Heavy, and not for a session that does not measure.
        from nnbench.errors import UserError
        from nnbench.workload.study import Study
        from nnbench.workload.user_code import reference_to

        chosen = {"optimizer": optimizer, "loss": loss}
        options |= {name: one for name, one in chosen.items() if one is not None}
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
            with self._shown() as watch:
                return measure(study, drift=drift and not self.only_tried, watch=watch)

    @contextlib.contextmanager
    def _shown(self) -> Iterator[Watcher]:
        """Progress on the standard error that pytest otherwise keeps to itself."""
        from nnbench.show.progress import Bar

        plugins = self._config.pluginmanager
        reporter = plugins.getplugin("terminalreporter")
        capture = plugins.getplugin("capturemanager")
        quiet = reporter is None or self._config.get_verbosity() < 0
        with contextlib.ExitStack() as here:
            if not quiet:
                reporter.ensure_newline()
                if capture is not None:
                    here.enter_context(capture.global_and_fixture_disabled())
            yield here.enter_context(Bar(0, "trials", quiet=quiet)).watch

    def of(self, reading: Reading) -> TrainingResult:
        """`TrainingResult.of` this reading, which is kept as this test's benchmark."""
        from nnbench.suites.result import TrainingResult

        result = TrainingResult.of(reading)
        if self._benchmark is not None:
            self._benchmark.extra_info.update(result.to_json())
            if self._benchmark.group is None:
                self._benchmark.group = result.reading.model
            self._clock.show(self._benchmark, reading.seconds["step"])
        return result


class Clock:
    """A timer that shows durations which were measured elsewhere, one a round."""

    __name__ = "training_benchmark"

    def __init__(self) -> None:
        self._left: list[float] = []
        self._now_s = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self._now_s

    def show(self, benchmark: Any, seconds: Sequence[float]) -> None:
        """Let pytest-benchmark time a round of each duration."""
        self._left = list(seconds)
        benchmark.pedantic(self._pass, setup=self._reset, rounds=len(seconds), iterations=1)

    def _reset(self) -> None:
        # From 0 on a difference of two readings is the duration to the last bit.
        self._now_s = 0.0

    def _pass(self) -> None:
        if self._left:
            self._now_s = self._left.pop(0)


CLOCK = pytest.StashKey[Clock]()


def _clock_of(item: pytest.Item) -> Clock:
    """The timer of a test's benchmark, which its marker names; the marker's other options stay."""
    if CLOCK not in item.stash:
        item.stash[CLOCK] = Clock()
        marked = item.get_closest_marker("benchmark")
        options = {**(marked.kwargs if marked else {}), "timer": item.stash[CLOCK]}
        item.add_marker(pytest.mark.benchmark(**options), append=False)
    return item.stash[CLOCK]


def _lock(request: pytest.FixtureRequest) -> Path:
    base: Path = request.getfixturevalue("tmp_path_factory").getbasetemp()
    # Every worker of xdist has a folder of its own in the session's.
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return shared / "nnbench.lock"


class WithBenchmark:
    """The fixture beside pytest-benchmark, whose `--benchmark-only` looks for `benchmark`."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Set the timer before the fixture `benchmark` is made."""
        if "training_benchmark" in getattr(item, "fixturenames", ()):
            _clock_of(item)

    @pytest.fixture
    def training_benchmark(
        self, request: pytest.FixtureRequest, benchmark: Any
    ) -> TrainingBenchmark:
        """Measure a Keras training: every phase, drift and memory (nnbench)."""
        return TrainingBenchmark(request, benchmark)


class WithoutBenchmark:
    """The fixture alone."""

    @pytest.fixture
    def training_benchmark(self, request: pytest.FixtureRequest) -> TrainingBenchmark:
        """Measure a Keras training: every phase, drift and memory (nnbench)."""
        return TrainingBenchmark(request)


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixture that fits what else is installed."""
    beside = config.pluginmanager.has_plugin("benchmark")
    config.pluginmanager.register(
        WithBenchmark() if beside else WithoutBenchmark(), "nnbench-training-benchmark"
    )
