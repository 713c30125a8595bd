"""`nnbench scale`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from cyclopts import Parameter

from nnbench.cli.options import Asked, Data, Fresh, Name, options
from nnbench.cli.session import measure, status
from nnbench.errors import UserError
from nnbench.scale import axes
from nnbench.show.terminal import answer, skipped
from nnbench.workload.networks import Network
from nnbench.workload.study import Networks, Study


@options("Data")
@dataclass(frozen=True)
class ScaleData(Data):
    """Data to train on along width, depth and batch."""

    data: str = "synthetic"
    """Default: made as the network takes it, such as 1,000 rows of 4 features; along batch twice
    the largest. Along rows it is made always: synthetic:images=28x28x1 says how."""


@dataclass(frozen=True)
class ScaleAsked(Asked, epochs=4, blocks=1, limit=300.0):
    """A study whose networks the axes make: few epochs, since the axes are long."""

    data: ScaleData = ScaleData()


def scale(
    *axis: Annotated[str, Parameter(required=True)],
    network: str | None = None,
    asked: ScaleAsked = ScaleAsked(),
    name: Name = None,
    fresh: Fresh = False,
) -> int:
    """Time how the cost grows with rows, width, depth, batch size or another number, and draw it.

    One network is varied in one number at a time, all else stays the same. `replicas` is how many
    devices train it together.

    Args:
        axis: rows, width, depth, batch, a family's setting or a parameter of your function: any of
            them, with usual sizes or with your own, such as depth=1..8 or kernel=3,5,7; or
            replicas=1,2.
        network: What is varied: 6x2, lstm:16x2, train.py:build(width=64); default: 6x2.
    """
    study = asked.study((network,) if network else ())
    study.check()
    varied = axes.base(study.networks)
    if any(map(axes.is_replicas, axis)):
        if len(axis) > 1:
            raise UserError("replicas is an axis by itself: name the others in another command")
        return _replicas(axes.replicas(axis[0]), varied, asked, study, name, fresh=fresh)
    chosen = [axes.read(each, varied) for each in axis]
    names = [each.name for each in chosen]
    for one in names:
        if names.count(one) > 1:
            raise UserError(f"'{one}' is named twice: name it once")
    from nnbench.scale import charts, scaling, tables

    given = None if scaling.is_made(study) else study.load()
    along = {each: scaling.cases(each, study, given) for each in chosen}
    # Two axes may share a case: it is measured once.
    wanted = list({case.key: case for cases in along.values() for case in cases}.values())
    trials: dict[str, Any] = {"kinds": ("phases",), "sweeps": 5, "cases": wanted}
    data = given or Data(wanted[0].data, as_=asked.data.as_).load()
    finished = measure(study, asked.output, data, name=name, fresh=fresh, **trials)
    skipped(finished.damage)
    found = {each.name: scaling.series(finished, each, cases) for each, cases in along.items()}
    written = [charts.write(series, finished.folder) for series in found.values() if series]
    shown = [table for series in found.values() for table in tables.scaling(series)]
    answer(tables.as_json(found, written), [*shown, *written], as_json=asked.output.as_json)
    return status(finished)


def _replicas(
    counts: Sequence[int],
    network: Network,
    asked: ScaleAsked,
    study: Study,
    name: str | None,
    *,
    fresh: bool,
) -> int:
    """Time one network on several numbers of devices."""
    from nnbench.scale import charts, replicas, scaling, tables

    study = replace(study, networks=Networks.named([network.name]))
    if made := scaling.is_made(study):
        data = scaling.made_for(study, network, replicas.rows_needed(counts, study))
    else:
        data = study.load()
    by = replicas.cases(counts, study, data)
    wanted = list({case.key: case for mine in by.values() for case in mine}.values())
    if made:
        data = Data(wanted[0].data, as_=asked.data.as_).load()
    trials: dict[str, Any] = {"kinds": replicas.KINDS, "sweeps": 5, "cases": wanted}
    finished = measure(study, asked.output, data, name=name, fresh=fresh, **trials)
    skipped(finished.damage)
    found = replicas.scaled(finished, by)
    chart = charts.write_replicas(found, network.name, finished.folder)
    told = {"network": network.name, "replicas": tables.replicas_json(found), "charts": [chart]}
    shown = [*tables.replicas(found, network.name), chart]
    answer(told, shown, as_json=asked.output.as_json)
    return status(finished)
