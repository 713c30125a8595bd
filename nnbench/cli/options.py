"""What commands share: the records of a study as groups of options, and what else all know.

A command that has other defaults says so in a record of its own, derived from the one here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.workload import study

Architectures = Annotated[
    str,
    Parameter(
        help="6,6 or '[100, 100]' or 6x5 (five layers of 6), or a grid: depth=1..8 width=4,16,64; "
        "default: 6,6 100,100 6x5."
    ),
]
MODEL_HELP = "Your own: train.py:build, a function that returns a compiled Keras model"
Models = Annotated[
    tuple[str, ...],
    Parameter(name="--model", show_default=False, help=f"{MODEL_HELP}; again for more."),
]
AsJson = Annotated[
    bool, Parameter(name="--json", show_default=False, help="Print JSON, for scripts.")
]
Quiet = Annotated[bool, Parameter(name="--quiet", show_default=False, help="No progress.")]
Name = Annotated[str | None, Parameter(name="--name", help="Its name there; default: the time.")]
Fresh = Annotated[
    bool,
    Parameter(
        name="--fresh", show_default=False, help="Begin anew, even beside an unfinished one."
    ),
]

RESULTS = Path("results")


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class Data(study.Data):
    """Options of `workload.study.Data`."""


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class Training(study.TrainingOptions):
    """Options of `workload.study.TrainingOptions`."""


@Parameter(name="*", group="Machine")
@dataclass(frozen=True)
class Machine(study.Machine):
    """Options of `workload.study.Machine`."""


@Parameter(name="*", group="Effort")
@dataclass(frozen=True)
class Effort(study.Effort):
    """Options of `workload.study.Effort`."""


@Parameter(name="*")
@dataclass(frozen=True)
class Asked:
    """What every command that measures can be asked, besides its networks."""

    data: Data = Data()
    training: Training = Training()
    machine: Machine = Machine()
    effort: Effort = Effort()

    def study(self, architectures: Sequence[str] = (), model: Sequence[str] = ()) -> study.Study:
        """All of it as a study of these networks."""
        networks = study.Networks(tuple(architectures), tuple(model))
        return study.Study(networks, self.data, self.training, self.machine, self.effort)


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class Output:
    """Where results go, and how they are told."""

    results: Path = RESULTS
    "Folder for runs."
    as_json: AsJson = False
    quiet: Quiet = False
