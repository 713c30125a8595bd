"""What commands share: the records of a study as groups of options, and what else all know."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nnbench.show.terminal import note
from nnbench.workload import study

if TYPE_CHECKING:
    from nnbench.workload.datasets import Dataset

ARCHITECTURES = (
    "6,6 or '[100, 100]' or 6x5 (five layers of 6), or a grid: depth=1..8 width=4,16,64; "
    "default: 6,6 100,100 6x5."
)
MODEL = "Your own: train.py:build, a function that returns a compiled Keras model"

Architectures = Annotated[str, Parameter(help=ARCHITECTURES)]
Models = Annotated[
    tuple[str, ...], Parameter("--model", show_default=False, help=f"{MODEL}; again for more.")
]
AsJson = Annotated[bool, Parameter("--json", show_default=False, help="Print JSON, for scripts.")]
Quiet = Annotated[bool, Parameter("--quiet", show_default=False, help="No progress.")]
Name = Annotated[str | None, Parameter(help="Its name there; default: the time.")]
Fresh = Annotated[
    bool, Parameter(show_default=False, help="Begin anew, even beside an unfinished one.")
]


@Parameter(name="*", group="Data")
class Data(study.Data):
    """Options of `workload.study.Data`."""


@Parameter(name="*", group="Training")
class Training(study.TrainingOptions):
    """Options of `workload.study.TrainingOptions`."""


@Parameter(name="*", group="Machine")
class Machine(study.Machine):
    """Options of `workload.study.Machine`."""


@Parameter(name="*", group="Effort")
class Effort(study.Effort):
    """Options of `workload.study.Effort`."""


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class Output:
    """Where results go, and how they are told."""

    results: Path = Path("results")
    "Folder for runs."
    as_json: AsJson = False
    quiet: Quiet = False


@Parameter(name="*")
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
            changed = [
                (one.name, one.type, defaults.pop(one.name))
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


def tell_data(data: "Dataset", *, quiet: bool = False) -> None:
    """Say how a file of data was read, where that was no matter of course."""
    if data.notes:
        note(f"{data.name}: {'; '.join(data.notes)}", quiet=quiet)


def tell_backend(machine: study.Machine, *, quiet: bool = False) -> None:
    """Say which backend is used and why, where none was asked for."""
    if chosen := machine.chosen:
        note(f"backend {chosen.name} ({chosen.reason}); --backend takes another", quiet=quiet)
