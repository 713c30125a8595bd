"""Base class for asv suites: a training's phases, drift and memory over your own commits.

    import nnbench.suites.asv

    class Training(nnbench.suites.asv.TrainingSuite):
        model = "my_project.models:build"
        data = "my_project.data:load"

All numbers come from one study, which nnbench's own workers measure once for each commit, all
cases in turn, in `setup_cache`; the benchmarks only read it. asv knows worse only as more: they
are seconds, bytes and distances.
"""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nnbench.phases import BUILD, COLD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE
from nnbench.suites.reading import Reading
from nnbench.workload import networks, user_model

if TYPE_CHECKING:
    from nnbench.workload.study import Study

DRIFT_BENCHMARKS = [
    *("track_drift_repeat", "track_drift_paths", "track_loss", "track_weights_digest")
]

SAME_NAMES = (
    *("threads", "epochs", "optimizer", "loss", "activation", "dtype", "jit"),
    *("launches", "blocks"),
)
"""Attributes of a suite that are fields of a study's records by the same names."""

Readings = list[Reading]
Answer = float | dict[str, Any]


class Label(str):
    """Text that asv's tables and pages show without quotation marks."""

    __slots__ = ()
    __repr__ = str.__str__


def _track(
    what: str, unit: str, read: Callable[[Reading], Sequence[float]]
) -> Callable[..., Answer]:
    """A benchmark of one case, NaN for none; given as samples, so that asv's intervals apply."""

    def track(
        self: "TrainingSuite", readings: Readings, model: str, backend: str, path: str, device: str
    ) -> Answer:
        values: Sequence[float] = []
        for reading in readings:
            if reading.context == (model, backend, path, device):
                if reading.problem and not reading.seconds:
                    raise RuntimeError(reading.problem)
                values = read(reading)
        return {"samples": list(values), "number": 1} if values else math.nan

    track.__doc__ = what
    track.unit = unit  # type: ignore[attr-defined]
    return track


def _phase(phase: str, what: str) -> Callable[..., Answer]:
    return _track(what, "seconds", lambda reading: reading.seconds.get(phase, []))


def _figure(name: str, what: str, unit: str) -> Callable[..., Answer]:
    return _track(
        what, unit, lambda reading: [reading.drift[name]] if name in reading.drift else []
    )


def _labels(text: str) -> list[str]:
    """The networks of a text by their names. A function's file need not be there to be named."""
    if user_model.is_model(text) and "(" not in text:
        return [text]
    return [one.label for one in networks.parse([text])]


class TrainingSuite(ABC):
    """Every phase of a training as asv benchmarks, with drift and memory.

    Set `model`: a network such as `"6x5"`, `"conv:32x4"`, `"my_project.models:build"` or
    `"my_project.models:build(depth=4)"`, functions that return a Keras model, a saved model, a grid
    of these, or a list. The rest has defaults, those of `nnbench run`'s options where they have the
    same name; `data` and `batch_size` None are what the network takes usually. `backends` that are
    not installed are skipped (n/a); `launches` fresh processes for each backend and device
    measure every case `blocks` times. `keep` is a folder, from that of `asv.conf.json`, where the
    studies stay as runs that `nnbench report` can show.

    An edit of the class keeps its history until you change `version`.
    """

    data: ClassVar[str | None] = None
    backends: ClassVar[Sequence[str]] = ("jax",)
    paths: ClassVar[Sequence[str]] = ("fit",)
    devices: ClassVar[Sequence[str]] = ("cpu",)
    threads: ClassVar[int | None] = None
    epochs: ClassVar[int] = 30
    batch_size: ClassVar[int | None] = None
    optimizer: ClassVar[str] = "adam"
    loss: ClassVar[str | None] = None
    activation: ClassVar[str] = "relu"
    dtype: ClassVar[str] = "float32"
    jit: ClassVar[str] = "auto"
    launches: ClassVar[int] = 3
    blocks: ClassVar[int] = 2
    drift: ClassVar[bool] = True
    keep: ClassVar[str | None] = None

    version: ClassVar[str] = "1"
    timeout: ClassVar[float] = 120.0

    def __init_subclass__(cls) -> None:
        """Leave out benchmarks that would only ever be empty panels on asv's pages."""
        super().__init_subclass__()
        absent = [] if cls.drift else DRIFT_BENCHMARKS
        if not any(device.startswith("gpu") for device in cls.devices):
            absent = [*absent, "track_device_memory"]
        for name in absent:
            setattr(cls, name, None)

    @property
    @abstractmethod
    def model(self) -> str | Sequence[str]:
        """What is trained: one network, or several."""

    @property
    def models(self) -> tuple[str, ...]:
        """The models by the names that benchmarks carry: `6,6` is called `6x2`."""
        named = (self.model,) if isinstance(self.model, str) else tuple(self.model)
        labels = (_labels(one) for one in named)
        return tuple(dict.fromkeys(label for each in labels for label in each))

    @property
    def params(self) -> list[list[Label]]:
        """What asv crosses, in the order of `param_names`."""
        axes = (self.models, self.backends, self.paths, self.devices)
        return [[Label(value) for value in axis] for axis in axes]

    @property
    def param_names(self) -> list[str]:
        """What asv calls them."""
        own = any(user_model.is_model(one) for one in self.models)
        return ["model" if own else "architecture", "backend", "path", "device"]

    @property
    def setup_cache(self) -> Callable[[], Readings]:
        """The study as asv's `setup_cache`."""

        def measure_all_cases() -> Readings:
            return self.measure()

        # asv tells caches apart by the module and line of their function: all subclasses would
        # share the first one's study if it were not said to be the subclass that this one is from.
        measure_all_cases.__wrapped__ = type(self)  # type: ignore[attr-defined]
        measure_all_cases.__module__ = type(self).__module__
        measure_all_cases.timeout = 3600.0  # type: ignore[attr-defined]
        return measure_all_cases

    def study(self) -> "Study":
        """What is measured. Raises UserError for what cannot be."""
        # NumPy and more: not in the many processes that only read.
        from nnbench.workload.study import Study

        return Study.of(
            self.models,
            data=self.data,
            backend=",".join(self.backends),
            path=",".join(self.paths),
            device=",".join(self.devices),
            batch=None if self.batch_size is None else str(self.batch_size),
            **{name: getattr(self, name) for name in SAME_NAMES},
        )

    def measure(self) -> Readings:
        """Measure all cases in turn. Raises UserError for what cannot be measured."""
        from nnbench.suites import study

        top = os.environ.get("ASV_CONF_DIR")
        keep = Path(top) / self.keep if self.keep and top else None
        commit = os.environ.get("ASV_COMMIT")
        return study.measure(self.study(), drift=self.drift, keep=keep, commit=commit)

    track_build = _phase(BUILD, "Layers built and compile() called.")
    track_prepare = _phase(PREPARE, "From fit() until its first step: data and symbolic build.")
    track_trace = _phase(TRACE, "From Python to a graph.")
    track_compile = _phase(COMPILE, "From the graph to machine code.")
    track_first_step = _phase(FIRST_STEP, "The first step.")
    track_step = _phase(STEP, "One step in the steady state.")
    track_epoch = _phase(EPOCH, "One epoch in the steady state, with what is done around it.")
    track_cold = _phase(COLD, "A whole training, from nothing to the last epoch.")
    track_step_to_ideal = _track(
        "A step in relation to its FLOPs at the rate of a matrix product: 1 / utilisation.",
        "times ideal",
        lambda reading: reading.times_of_ideal,
    )
    track_host_memory = _track(
        "Peak memory of the worker process, framework included.",
        "bytes",
        lambda reading: reading.host_bytes,
    )
    track_device_memory = _track(
        "Peak memory of the GPU.", "bytes", lambda reading: reading.device_bytes
    )
    track_disturbed = _track(
        "How much else ran on the machine meanwhile: the noise watch saw it in so many blocks.",
        "share of blocks",
        lambda reading: [reading.disturbed],
    )
    track_pace = _track(
        "The machine's own speed, which no commit changes: 1 GFLOP of a matrix product.",
        "seconds",
        lambda reading: reading.pace_s,
    )
    track_drift_repeat = _figure(
        "repeat_max_ulp", "Weights of two trainings with one seed: 0 if they agree.", "ULP"
    )
    track_drift_paths = _figure(
        "fit_compiled_max_ulp", "Weights after fit() and after the compiled path.", "ULP"
    )
    track_loss = _figure("final_loss", "Loss after a seeded training.", "loss")
    track_weights_digest = _figure(
        "weights_digest",
        "A number that changes, up or down, when any bit of a seeded training's weights does.",
        "digest",
    )
