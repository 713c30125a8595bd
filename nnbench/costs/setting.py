"""What one cost model is for: a backend, device, thread count, path and way of training."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Self

from nnbench.costs import spaces
from nnbench.errors import UserError
from nnbench.workload import quantities, tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training
from nnbench.workload.datasets import synthetic
from nnbench.workload.datasets.shaped import ShapedRecipe
from nnbench.workload.families import TABLE, TOKENS
from nnbench.workload.study import Data, Machine, TrainingOptions

LEAST_EPOCHS, MOST_EPOCHS = 3, 30
"""Of a timed training: the first one warms up, the others are samples of `epoch`."""

EPOCHS_S = 0.4

OPTIONS = {
    "task": "--as",
    "optimizer": "--optimizer",
    "loss": "--loss",
    "activation": "--activation",
    "precision": "--dtype",
    "jit": "--jit",
    "steps_per_execution": "--steps-per-execution",
    "source": "--source",
}
"""Fields of a training that a cost model is for, and the options that set them."""


@dataclass(frozen=True)
class DataShape:
    """What of a data set decides how long a training takes; `notes` on how `name` was read."""

    rows: int = 1372
    features: int = 4
    task: str = "classification"
    name: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)


class NoTableError(UserError):
    """The data are no table."""


def shape_of(data: Data, rows: int | None = None) -> DataShape:
    """The shape of a data set, or of the bank notes; `rows` and `data.features` come first.

    Raises UserError as `Data.load` does, and for what cannot be trained on.
    """
    named = data.features
    count = int(named) if named and re.fullmatch(r"\d{1,9}", named, re.ASCII) else None
    if data.data:
        loaded = replace(data, features=named if count is None else None).load()
        if loaded.kind != TABLE:
            raise NoTableError(
                f"{loaded.name} is {loaded.kind}, and this is of Dense layers on tables: "
                "nnbench predict tells of networks on it"
            )
        found = DataShape(loaded.rows, loaded.width, loaded.task, loaded.name, loaded.notes)
    elif named and count is None:
        raise UserError(f"features '{named}' are columns of a CSV: name it with --data")
    else:
        found = replace(DataShape(), task=data.as_ or DataShape.task)
    found = replace(
        found,
        rows=found.rows if rows is None else rows,
        features=found.features if count is None else count,
    )
    quantities.check("number of rows", found.rows, 2, quantities.MOST_ROWS)
    quantities.check("number of features", found.features, 1, quantities.MOST_FEATURES)
    return found


@dataclass(frozen=True)
class Setting:
    """What one cost model is for; of the training, all but its batch size counts."""

    backend: str
    device: str = "cpu"
    threads: int | None = None
    path: str = "fit"
    training: Training = field(default_factory=Training)
    features: int = 4

    def __post_init__(self) -> None:
        if self.training.batch_size is not None:
            object.__setattr__(self, "training", replace(self.training, batch_size=None))

    @classmethod
    def of(cls, case: Case) -> Self:
        """The setting of a case.

        TensorFlow's compiled path takes XLA on a CPU where that is faster, but not for a model of
        one's own, which is compiled as it asks to be: what it is like was calibrated without XLA.
        """
        training = case.training
        compiled = (case.backend, case.path, case.device) == ("tensorflow", "compiled", "cpu")
        if case.model is not None and compiled and training.jit == Training.jit:
            training = replace(training, jit="off")
        return cls(case.backend, case.device, case.threads, case.path, training, case.features)

    @property
    def _unusual(self) -> dict[str, Any]:
        usual = {**vars(Training(task=self.training.task)), "task": Training.task}
        mine = vars(self.training)
        return {name: mine[name] for name in OPTIONS if mine[name] != usual[name]}

    @property
    def _parts(self) -> list[str]:
        unusual = self._unusual
        if "jit" in unusual:
            unusual["jit"] = f"jit-{unusual['jit']}"
        if "steps_per_execution" in unusual:
            unusual["steps_per_execution"] = f"{unusual['steps_per_execution']}-at-once"
        return [self.path, *unusual.values()]

    @property
    def folder(self) -> str:
        """The name of this setting's folder below the calibrations."""
        threads = f"-{self.threads}threads" if self.threads else ""
        device = self.device.replace(":", "")
        return "-".join([f"{self.backend}-{device}{threads}", *self._parts])

    @property
    def label(self) -> str:
        """That in words: `jax, cpu, fit`."""
        threads = [f"{self.threads} threads"] if self.threads else []
        return ", ".join([self.backend, self.device, *threads, *self._parts])

    @property
    def options(self) -> str:
        """The options of `nnbench calibrate` that name this setting."""
        device = {"--device": self.device} if self.device != "cpu" else {}
        threads = {"--threads": self.threads} if self.threads is not None else {}
        unusual = {OPTIONS[name]: value for name, value in self._unusual.items()}
        told = {"--backend": self.backend, **device, **threads, "--path": self.path, **unusual}
        return " ".join(f"{name} {value}" for name, value in told.items())

    def case(
        self,
        architecture: Architecture,
        rows: int,
        batch_size: int | None,
        shaped: ShapedRecipe | None = None,
        *,
        measured: bool = False,
    ) -> Case:
        """A case in this setting, on synthetic data: a table, or what is `shaped`.

        With `measured` it has the task's usual metric besides its loss.
        """
        task = self.training.task
        if shaped is None:
            recipe: Any = synthetic.Recipe(rows=rows, features=self.features, task=task)
        else:
            # Classes are their own task; all else is named.
            count = tasks.classes(task)
            learned = {"task": task} if count is None else {"classes": count}
            recipe = replace(shaped, rows=rows, **learned)
        case = Case(
            architecture=architecture,
            training=replace(self.training, batch_size=batch_size),
            data=recipe.name,
            # The recipe says everything about the data, as a digest does of a file.
            data_digest=recipe.name,
            rows=rows,
            features=shaped.shape[-1] if shaped else self.features,
            shape="x".join(map(str, shaped.shape)) if shaped and len(shaped.shape) > 1 else None,
            vocabulary=shaped.vocabulary if shaped and shaped.kind == TOKENS else None,
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            path=self.path,
            cold_epochs=MOST_EPOCHS,
            metric=tasks.usual_metric(task) if measured else None,
        )
        epochs = round(EPOCHS_S / guessed_epoch_s(case))
        return replace(case, cold_epochs=min(MOST_EPOCHS, max(LEAST_EPOCHS, epochs)))


def settings(machine: Machine, training: TrainingOptions, shape: DataShape) -> list[Setting]:
    """Every combination of backend, device and path. Raises UserError for what cannot be asked."""
    trained = training.training(shape.task)
    return [
        Setting(backend, device, machine.threads, path, trained, shape.features)
        for backend in machine.backends
        for device in machine.devices
        for path in machine.paths
    ]


def guessed_epoch_s(case: Case) -> float:
    """What an epoch may take, before anything is known of this machine."""
    cost, one = case.step_cost, case.architecture
    if cost is not None:
        # The update of the weights moves memory rather than computing: it counts tenfold.
        flops = cost.forward_flops + cost.backward_flops + 10 * (cost.update_flops or 0)
        step_s = spaces.GUESSED_STEP_S[case.path] + flops / spaces.FLOPS_PER_S
    else:
        assert one is not None
        space = spaces.SPACES[one.family]
        # Tokens are embedded in as many dimensions as the first layer is wide.
        channels = one.widths[0] if case.vocabulary else case.features
        size = case.row_shape[0]
        step_s = spaces.guessed_step_s(space, one, case.path, case.batch_rows, size, channels)
    return case.steps_per_epoch * step_s
