"""`nnbench scale`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked, Data, Effort, Fresh, Name, Output, Training
from nnbench.cli.session import measure_cases
from nnbench.show.terminal import print_json, say


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


@Parameter(name="*")
@dataclass(frozen=True)
class ScaleAsked(Asked):
    """A study whose networks the axes make."""

    data: ScaleData = ScaleData()
    training: ScaleTraining = ScaleTraining()
    effort: ScaleEffort = ScaleEffort()


def scale(
    *axis: Annotated[str, Parameter(required=True)],
    asked: ScaleAsked = ScaleAsked(),
    output: Output = Output(),
    name: Name = None,
    fresh: Fresh = False,
) -> None:
    """Time how the cost grows with rows, width, depth or batch size, and draw it.

    Networks cannot be named: an axis makes its own, since all but one size stays the same.

    Args:
        axis: rows, width, depth, batch: any of them.
    """
    from nnbench.scale import charts, scaling, tables
    from nnbench.show.figures import save_figure

    study = asked.study()
    given = None if asked.data == ScaleData() else asked.data.load()
    along = {each: scaling.cases(each, study, given) for each in axis}
    # Two axes may share a case: it is measured once.
    wanted = list({case.key: case for cases in along.values() for case in cases}.values())
    data, kinds = given or Data(wanted[0].data).load(), ("phases",)
    finished = measure_cases(
        study, data, output, name=name, fresh=fresh, cases=wanted, kinds=kinds, sweeps=5
    )
    found = {each: scaling.series(finished, each, cases) for each, cases in along.items()}
    pictures = {each: finished.folder / f"scale-{each}.png" for each in found if found[each]}
    for each, picture in pictures.items():
        save_figure(charts.draw(found[each]), picture)
    if output.as_json:
        print_json(tables.as_json(found, list(pictures.values())))
        return
    for series in found.values():
        tables.print_scaling(series)
    for picture in pictures.values():
        say(str(picture))
