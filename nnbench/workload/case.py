"""A case: everything that decides how long one training takes, as plain data."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.machine.devices import BACKENDS
from nnbench.machine.fields import Field
from nnbench.workload import architecture as arch
from nnbench.workload import handed, tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.counts import NetworkCount, dense

PATHS = ("fit", "compiled")
OPTIMIZERS = tuple(dense.UPDATE_FLOPS)
ACTIVATIONS = ("relu", "tanh", "sigmoid", "linear")
PRECISIONS = tuple(dense.BYTES_PER_VALUE)
JIT = ("auto", "on", "off")
SOURCES = ("arrays", "tf.data", "pydataset")
"""What hands batches to `fit`, see `training.sources`."""
PIECE = re.compile(r"(?:cut|forward|update|alone):\d{1,5}", re.ASCII)
SPLIT_SEED = 0
"""Of the draw of rows that are held out: the same for all that are compared."""


@dataclass(frozen=True)
class Training:
    """What, besides the architecture, defines a network and its training.

    `batch_size` None is one batch of all rows, `loss` None the task's usual one; `jit` is Keras'
    `jit_compile`, of which "auto" means another thing on each backend and device. The last two are
    options of `fit`: None is one step, or what one's own model was compiled with, and the data as
    they are.
    """

    task: str = tasks.CLASSIFICATION
    optimizer: str = "adam"
    loss: str | None = None
    activation: str = "relu"
    precision: str = "float32"
    batch_size: int | None = None
    shuffle: bool = True
    jit: str = "auto"
    steps_per_execution: int | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("precision", self.precision, PRECISIONS)
        one_of("jit", self.jit, JIT)
        if self.source is not None:
            one_of("source", self.source, SOURCES)
        if self.steps_per_execution is not None and self.steps_per_execution < 1:
            raise UserError(f"{self.steps_per_execution} steps cannot be executed: use 1 or more")
        losses = tasks.losses(self.task)
        if self.loss is None:
            object.__setattr__(self, "loss", next(iter(losses), None))
        if self.loss is not None:
            one_of(f"loss for {self.task}", self.loss, losses)
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"a batch size of {self.batch_size} cannot be trained: use 1 or more")


@dataclass(frozen=True)
class Case:
    """One architecture, trained one way, on one data set, by one backend on one device.

    `threads` None is the backend's choice; `data` is what `datasets.load` understands, and
    `data_digest` tells which bytes that was. A `model` refers to a person's own function for a
    compiled network (see `user_code`): there is no architecture then, and only `batch_size` and
    `shuffle` of the training count.
    """

    architecture: Architecture | None
    training: Training
    data: str
    data_digest: str
    rows: int
    features: int
    backend: str = "tensorflow"
    device: str = "cpu"
    threads: int | None = None
    path: str = "fit"
    cold_epochs: int = 30
    model: str | None = None
    shape: str | None = None
    """Of a row of what is no table, such as `28x28x1`; `features` is then its last size."""
    vocabulary: int | None = None
    """Number of tokens, where a row is made of them."""
    parts: str | None = None
    """Names and shapes of what `fit` is given where it is more than an array x and an array y."""
    held_out: float | None = None
    """Share of the rows that are validated on after each epoch instead of trained on."""
    metric: str | None = None
    """What Keras measures besides the loss, such as `accuracy`."""
    piece: str | None = None
    """Of the network's step only this piece is timed, such as `cut:3`, see `measure.pieces`."""

    def __post_init__(self) -> None:
        if (self.architecture is None) == (self.model is None):
            raise UserError("a case has an architecture or a model, not both")
        if min(self.rows, self.features, 1 if self.threads is None else self.threads) < 1:
            raise UserError("a case has 1 row, 1 feature and 1 thread at least")
        devices.check_name(self.device)
        one_of("backend", self.backend, BACKENDS)
        one_of("path", self.path, PATHS)
        check_epochs(self.cold_epochs)
        if self.path != "fit" and {self.training.steps_per_execution, self.training.source} != {
            None
        }:
            raise UserError(
                f"steps per execution and the source of data are options of fit: the {self.path} "
                "path has none"
            )
        if self.piece is not None and not PIECE.fullmatch(self.piece):
            raise UserError(f"unknown piece '{self.piece}' of a step")
        if self.held_out is not None and not 0 < self.held_out_rows < self.rows:
            raise UserError(f"{self.held_out:g} of {self.rows} rows leaves none on one side")
        self._check_replicas()
        batch_size = self.training.batch_size
        if batch_size is not None and batch_size >= self.trained_rows:
            # A batch of all rows or more is the full batch: one name for one thing.
            object.__setattr__(self, "training", replace(self.training, batch_size=None))

    def _check_replicas(self) -> None:
        """Raise UserError where several devices cannot share this training."""
        count = devices.replicas(self.device)
        if count == 1:
            return
        devices.check_replicas(self.backend, self.device)
        if self.path != "fit":
            raise UserError(f"several devices train by fit: the {self.path} path takes one")
        if self.backend == "tensorflow" and self.training.jit == "on":
            raise UserError(
                "TensorFlow compiles nothing with XLA for several devices: leave --jit on out"
            )
        last = self.trained_rows % self.batch_rows
        if self.batch_rows < count or (
            self.backend == "jax" and (self.batch_rows % count or last % count)
        ):
            rows = f"{self.batch_rows:,}" + (f" and a last one of {last:,}" if last else "")
            raise UserError(
                f"batches of {rows} rows cannot be shared by {count} devices on {self.backend}: "
                "choose --batch and rows that divide by their number"
            )

    @property
    def on_other_path(self) -> "Case | None":
        """The same training on the other path; None where that path cannot have it."""
        try:
            return replace(self, path="compiled" if self.path == "fit" else "fit")
        except UserError:
            return None

    @property
    def held_out_rows(self) -> int:
        """Rows that are validated on."""
        return round(self.rows * (self.held_out or 0))

    @property
    def trained_rows(self) -> int:
        """Rows that are trained on."""
        return self.rows - self.held_out_rows

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch, the last one possibly smaller."""
        return -(-self.trained_rows // self.batch_rows)

    @property
    def batch_rows(self) -> int:
        """Rows in one (full) batch."""
        return self.training.batch_size or self.trained_rows

    @property
    def last_batch_rows(self) -> int:
        """Rows in the last batch of an epoch, which may be a full one."""
        return self.trained_rows - (self.steps_per_epoch - 1) * self.batch_rows

    @property
    def label(self) -> str:
        """What the network is called: `6x5`, or the function that makes it."""
        return self.architecture.label if self.architecture else str(self.model)

    @property
    def name(self) -> str:
        """What the network is called by who asked in this process: `100,100`; else its label."""
        own = self.architecture.name if self.architecture else self.label
        return handed.names().get(self.label, own)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row of features."""
        return tuple(map(int, self.shape.split("x"))) if self.shape else (self.features,)

    @property
    def is_dense_chain(self) -> bool:
        """Whether it is a chain of Dense layers on a table, which is counted without Keras."""
        dense = self.architecture is not None and self.architecture.family == "dense"
        return dense and self.shape is None and self.vocabulary is None

    @property
    def parameters(self) -> int | None:
        """Trainable parameters, where they follow without building the network, else None."""
        if not self.is_dense_chain:
            return None
        assert self.architecture is not None
        return self.architecture.parameters(self.features, tasks.outputs(self.training.task))

    @property
    def step_cost(self) -> NetworkCount | None:
        """FLOPs and bytes of a step on a full batch, where they follow so, else None."""
        if not self.is_dense_chain:
            return None
        assert self.architecture is not None
        count = dense.count(
            self.architecture,
            features=self.features,
            rows=self.batch_rows,
            activation=self.training.activation,
            outputs=tasks.outputs(self.training.task),
            output_activation=tasks.output_activation(self.training.task),
            optimizer=self.training.optimizer,
            precision=self.training.precision,
        )
        return replace(count, metrics=int(self.metric is not None))

    @property
    def worker(self) -> tuple[str, str, int | None]:
        """What one worker process fixes: backend, device, threads."""
        return self.backend, self.device, self.threads

    @property
    def comparable(self) -> tuple[str, str, int | None, str]:
        """What cases must share to stand in one table: backend, device, threads, path."""
        return *self.worker, self.path

    @property
    def context(self) -> str:
        """That in words: `jax, cpu, fit`, `jax, cpu, 2 threads, compiled`."""
        threads = f", {self.threads} threads" if self.threads else ""
        virtual = " (virtual)" if devices.are_virtual(self.device) else ""
        return f"{self.backend}, {self.device}{virtual}{threads}, {self.path}"

    @cached_property
    def key(self) -> str:
        """A short name for this case that is equal exactly when all of it is equal."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        label = self.architecture.label if self.architecture else None
        plain = {**asdict(self), "architecture": label}
        # What came later is left out where it says nothing, so that older runs keep their keys.
        later = ("model", "shape", "vocabulary", "parts", "held_out", "metric", "piece")
        absent = [name for name in later if plain[name] is None]
        training = plain["training"]
        for name in ("steps_per_execution", "source"):
            if training[name] is None:
                del training[name]
        return {name: value for name, value in plain.items() if name not in absent}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Read back what `to_json` wrote. Raises UserError for anything else."""
        return cls.of(Field(plain, "a case"))

    @classmethod
    def of(cls, plain: Field) -> Self:
        """The same of a part of a file, which an error names."""
        label, training = plain["architecture"].text(""), plain["training"].record(Training)
        architecture = arch.parse(label) if label else None
        return plain.record(cls, architecture=architecture, training=training)


def check_epochs(epochs: int) -> None:
    """Raise UserError for fewer epochs than one that warms up and one that is steady."""
    if epochs < 2:
        raise UserError(f"too few epochs ({epochs}): a steady one needs at least 2")


def one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise UserError, which names the choices, unless the value is one of them."""
    if value not in choices:
        raise UserError(f"unknown {what} '{value}': choose from {', '.join(choices)}")
