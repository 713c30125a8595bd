"""`nnbench scale`."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from nnbench.cli.options import Asked, Data, Fresh, Name, options
from nnbench.cli.session import measure, status
from nnbench.errors import UserError
from nnbench.scale import AXES
from nnbench.show.terminal import answer, skipped
from nnbench.workload.case import one_of


@options("Data")
@dataclass(frozen=True)
class ScaleData(Data):
    """Data to train on along width, depth and batch."""

    data: str = "synthetic"
    "Default: made, 1,000 rows of 4 features; 4,096 along batch. Along rows it is made always."


@dataclass(frozen=True)
class ScaleAsked(Asked, epochs=4, blocks=1, limit=300.0):
    """A study whose networks the axes make: few epochs, since the axes are long."""

    data: ScaleData = ScaleData()


def scale(
    *axis: Annotated[str, Parameter(required=True)],
    asked: ScaleAsked = ScaleAsked(),
    name: Name = None,
    fresh: Fresh = False,
) -> int:
    """Time how the cost grows with rows, width, depth or batch size, and draw it.

    Networks cannot be named: an axis makes its own, since all but one size stays the same.

    Args:
        axis: rows, width, depth, batch: any of them.
    """
    for each in axis:
        one_of("axis", each, tuple(AXES))
        if axis.count(each) > 1:
            raise UserError(f"'{each}' is named twice: name it once")
    study = asked.study()
    study.check()
    from nnbench.scale import charts, scaling, tables

    given = None if asked.data == ScaleData() else asked.data.load()
    along = {each: scaling.cases(each, study, given) for each in axis}
    # Two axes may share a case: it is measured once.
    wanted = list({case.key: case for cases in along.values() for case in cases}.values())
    trials: dict[str, Any] = {"kinds": ("phases",), "sweeps": 5, "cases": wanted}
    data = given or Data(wanted[0].data).load()
    finished = measure(study, asked.output, data, name=name, fresh=fresh, **trials)
    skipped(finished.damage)
    found = {each: scaling.series(finished, each, cases) for each, cases in along.items()}
    written = [charts.write(series, finished.folder) for series in found.values() if series]
    shown = [table for series in found.values() for table in tables.scaling(series)]
    answer(tables.as_json(found, written), [*shown, *written], as_json=asked.output.as_json)
    return status(finished)
