"""What commands share: the records of a study as groups of options, and what else all know."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, make_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

from cyclopts import Parameter

from nnbench.cli import check_not_empty
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.show.terminal import note
from nnbench.workload import quantities, study

if TYPE_CHECKING:
    from nnbench.costs.setting import DataShape
    from nnbench.workload.datasets import Dataset

ARCHITECTURES = (
    "6,6 or 6x5 (five layers of 6), conv:32x4, train.py:build(depth=4), model.keras, or a grid: "
    "depth=1..8 width=4,16,64; default: 6,6 100,100 6x5."
)
MODEL = "Your own: train.py:build(depth=4), a function that returns a Keras model, or model.keras"

Record = TypeVar("Record", bound=type)


def _whole(_: Any, tokens: Sequence[Any]) -> int:
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is no whole number that can be used") from None


def _path(_: Any, tokens: Sequence[Any]) -> Path:
    if not tokens[0].value:
        raise ValueError("nothing is given")
    return Path(tokens[0].value)


WHOLE = Parameter(converter=_whole)
"""Of whole numbers: Cyclopts by itself takes 2.7 for 3."""

TEXT = Parameter(validator=check_not_empty)
READ_STRICTLY: dict[Any, Parameter] = {
    **dict.fromkeys((int, int | None), WHOLE),
    **dict.fromkeys((str, str | None), TEXT),
    Path: Parameter(converter=_path),
}


def within(what: str, least: float, most: float) -> Parameter:
    """Of a number that is to be from `least` to `most`."""
    return Parameter(validator=lambda _, value: quantities.check(what, value, least, most))


def options(group: str | None = None) -> Callable[[Record], Record]:
    """A record whose fields are options, by their own names, under a heading of the help."""

    def made(record: Record) -> Record:
        kinds = get_type_hints(record)
        for name, annotated in get_type_hints(record, include_extras=True).items():
            if strictly := READ_STRICTLY.get(kinds[name]):
                record.__annotations__[name] = Annotated[annotated, strictly]
        return Parameter(name="*", group=group)(record)

    return made


Architectures = Annotated[str, Parameter(help=ARCHITECTURES)]
Models = Annotated[
    tuple[str, ...], Parameter("--model", show_default=False, help=f"{MODEL}; again for more.")
]
AsJson = Annotated[bool, Parameter("--json", show_default=False, help="Print JSON, for scripts.")]
AsMarkdown = Annotated[
    Path | None,
    Parameter(
        "--markdown",
        converter=_path,
        validator=lambda _, path: path is not None and whole_file.check_file(path),
        help="Also write a summary in Markdown into this file, as for a pull request.",
    ),
]
Wide = Annotated[
    bool,
    Parameter(
        "--wide",
        show_default=False,
        help="All columns, however narrow the terminal, and all sentences.",
    ),
]
Quiet = Annotated[bool, Parameter("--quiet", show_default=False, help="No progress.")]
Name = Annotated[
    str | None,
    Parameter(
        validator=lambda _, name: whole_file.check_name(name),
        help="Its name there; default: the time.",
    ),
]
Seed = Annotated[int, WHOLE, within("seed", 0, quantities.MOST_SEED)]
Rows = Annotated[int, WHOLE, within("number of rows", 2, quantities.MOST_ROWS)]
Fresh = Annotated[
    bool, Parameter(show_default=False, help="Begin anew, even beside an unfinished one.")
]


@options("Data")
class Data(study.Data):
    """Options of `workload.study.Data`."""

    def load(self, *, as_given: bool = False) -> "Dataset":
        """The same; what has to be downloaded first is said, since that can take minutes."""
        from nnbench.workload.datasets import from_keras

        if str(self.data).startswith(f"{from_keras.PREFIX}:"):
            recipe = from_keras.parse(str(self.data))
            if not recipe.is_here:
                note(f"{recipe.name}: keras.datasets downloads it")
        return super().load(as_given=as_given)


@options("Training")
class Training(study.TrainingOptions):
    """Options of `workload.study.TrainingOptions`."""


@options("Machine")
class Machine(study.Machine):
    """Options of `workload.study.Machine`."""


@options("Effort")
class Effort(study.Effort):
    """Options of `workload.study.Effort`."""


@options("Output")
@dataclass(frozen=True)
class Output:
    """Where results go, and how they are told."""

    results: Path = Path("results")
    "Folder for runs."
    as_json: AsJson = False
    quiet: Quiet = False


@options("Several hosts")
@dataclass(frozen=True)
class OnHosts:
    """Which hosts measure where that is not this one alone; needs nnbench-arch[cluster]."""

    cluster: str | None = None
    """Dask scheduler whose workers measure, such as tcp://scheduler:8786; each is started with
    nnbench worker tcp://scheduler:8786."""
    workers: Annotated[int | None, within("number of workers", 1, 64)] = None
    """The same with so many workers on this machine, which take turns: one trial at a time is
    timed on a host."""

    def __post_init__(self) -> None:
        """Raise UserError for what is no address, where both are given, or Dask is not there."""
        if self.cluster is not None and not all(self.cluster.partition("://")):
            raise UserError(
                f"'{self.cluster}' is no address of a scheduler: write tcp://scheduler:8786"
            )
        if self.cluster is not None and self.workers is not None:
            raise UserError("--cluster names hosts and --workers starts them: give one of them")
        if self.are_asked and find_spec("distributed") is None:
            raise UserError("Dask is not installed: pip install nnbench-arch[cluster]")

    def check(self, asked: study.Study) -> None:
        """Raise UserError for what is decided on one host only."""
        if asked.effort.budget is not None or asked.effort.precision is not None:
            raise UserError(
                "--budget and --precision are decided by what one host measured: "
                "give --launches, which hosts share"
            )

    @property
    def are_asked(self) -> bool:
        """Whether anything but this process alone is to measure."""
        return self.cluster is not None or self.workers is not None


@options()
@dataclass(frozen=True)
class Trained:
    """How networks are trained.

    A record derived from it may have other defaults: `class Long(Trained, epochs=100)`.
    """

    data: Data = Data()
    training: Training = Training()
    machine: Machine = Machine()

    def __init_subclass__(cls, **defaults: Any) -> None:
        for part in fields(cls):
            kind = type(part.default)
            known = fields(kind) if is_dataclass(kind) else ()
            kinds = get_type_hints(kind, include_extras=True)
            changed = [
                (one.name, kinds[one.name], defaults.pop(one.name))
                for one in known
                if one.name in defaults
            ]
            if changed:
                # Cyclopts reads no record of a module of Python's own, where this would lie.
                own = {"__module__": cls.__module__}
                derived = make_dataclass(
                    kind.__name__, changed, bases=(kind,), namespace=own, frozen=True
                )
                cls.__annotations__[part.name] = derived
                setattr(cls, part.name, derived())
        super().__init_subclass__(**defaults)  # Refuses what no record has.


@dataclass(frozen=True)
class Asked(Trained):
    """What every command that measures can be asked, besides its networks."""

    effort: Effort = Effort()
    output: Output = Output()

    def study(self, architectures: Sequence[str] = (), model: Sequence[str] = ()) -> study.Study:
        """All of it as a study of these networks."""
        networks = study.Networks(tuple(architectures), tuple(model))
        return study.Study(networks, self.data, self.training, self.machine, self.effort)


def check_holds(folder: Path, pattern: str, missing: str) -> None:
    """Raise UserError where a folder holds no such file, before what would read it is imported."""
    if not glob.glob(pattern, root_dir=folder):  # noqa: PTH207 - a name may be too long
        raise UserError(missing)


def check_calibrated(results: Path, machine: study.Machine) -> None:
    """Raise UserError where nothing at all was calibrated."""
    machine.check_one_device("the cost model")
    where = machine.backends[0], machine.devices[0], machine.paths[0]
    options = f"--backend {where[0]} --path {where[2]}"
    options += "" if where[1] == "cpu" else f" --device {where[1]}"
    missing = f"{', '.join(where)} is not calibrated: run nnbench calibrate {options} first"
    check_holds(results, "calibration/*/*/run.json", missing)


def tell_data(data: "Dataset | DataShape") -> None:
    """Say how a file of data was read, where that was no matter of course: never left unsaid."""
    if data.notes:
        note(f"{data.name}: {'; '.join(data.notes)}")


def tell_backend(machine: study.Machine, *, quiet: bool = False) -> None:
    """Say which backend is used and why, where none was asked for."""
    if chosen := machine.chosen:
        note(f"backend {chosen.name} ({chosen.reason}); --backend takes another", quiet=quiet)
