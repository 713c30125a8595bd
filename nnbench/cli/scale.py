"""`nnbench scale`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import (
    RESULTS,
    AsJson,
    Data,
    Effort,
    Fresh,
    Machine,
    Name,
    Quiet,
    Results,
    Training,
)
from nnbench.cli.session import execute, run_folder, tell_backend
from nnbench.show.terminal import print_json, say
from nnbench.workload.study import Study


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class ScaleData(Data):
    """Data to train on along width, depth and batch."""

    data: str = "synthetic"
    "Default: made, 1,000 rows of 4 features; 4,096 along batch. Along rows it is made always."


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class ScaleTraining(Training):
    """Few epochs: the axes are long."""

    epochs: int = 4


@Parameter(name="*", group="Effort")
@dataclass(frozen=True)
class ScaleEffort(Effort):
    """One block a launch, and longer for the largest."""

    blocks: int = 1
    limit: float = 300.0


def scale(
    *axis: Annotated[str, Parameter(required=True, help="rows, width, depth, batch: any of them.")],
    data: ScaleData = ScaleData(),
    training: ScaleTraining = ScaleTraining(),
    machine: Machine = Machine(),
    effort: ScaleEffort = ScaleEffort(),
    results: Results = RESULTS,
    name: Name = None,
    fresh: Fresh = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time how the cost grows with rows, width, depth or batch size, and draw it.

    Networks cannot be named: an axis makes its own, since all but one size stays the same.
    """
    from nnbench.measure import run as measuring
    from nnbench.scale import charts, scaling, tables
    from nnbench.show.figures import save_figure

    given = None if data == ScaleData() else data.load()
    study = Study(data=data, training=training, machine=machine, effort=effort)
    along = {each: scaling.cases(each, study, given) for each in axis}
    # Two axes may share a case: it is measured once.
    wanted = {case.key: case for cases in along.values() for case in cases}
    specification = measuring.of_study(study, list(wanted.values()), kinds=("phases",), sweeps=5)
    folder = run_folder(results, name, specification, fresh=fresh)
    tell_backend(machine, quiet=quiet)
    finished = execute(folder, given or Data(next(iter(wanted.values())).data).load(), quiet=quiet)
    found = {each: scaling.series(finished, each, cases) for each, cases in along.items()}
    pictures = {each: finished.folder / f"scale-{each}.png" for each in found if found[each]}
    for each, picture in pictures.items():
        save_figure(charts.draw(found[each]), picture)
    if as_json:
        print_json(tables.as_json(found, list(pictures.values())))
        return
    for series in found.values():
        tables.print_scaling(series)
    for picture in pictures.values():
        say(str(picture))
