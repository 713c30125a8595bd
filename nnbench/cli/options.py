"""What commands share: the records of a study as groups of options, and what else all know.

A command that has other defaults says so in a record of its own, derived from the one here.
"""

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
Models = Annotated[
    tuple[str, ...],
    Parameter(
        name="--model",
        show_default=False,
        help="Your own: train.py:build, a function that returns a compiled Keras model; again for "
        "more.",
    ),
]
AsJson = Annotated[
    bool, Parameter(name="--json", show_default=False, help="Print JSON, for scripts.")
]
Quiet = Annotated[bool, Parameter(name="--quiet", show_default=False, help="No progress.")]
Results = Annotated[Path, Parameter(name="--results", help="Folder for runs.")]
Name = Annotated[str | None, Parameter(name="--name", help="Its name there; default: the time.")]
Fresh = Annotated[
    bool,
    Parameter(
        name="--fresh", show_default=False, help="Begin anew even if an unfinished one is there."
    ),
]
StudyFile = Annotated[
    Path | None,
    Parameter(name="--study", help="A TOML file that says all this; options override it."),
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
