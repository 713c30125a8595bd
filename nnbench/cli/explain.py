"""`nnbench explain`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nnbench.cli.options import Asked
from nnbench.cli.session import are_folders, measure, status
from nnbench.errors import UserError
from nnbench.show.terminal import answer, skipped
from nnbench.workload import networks as notation

if TYPE_CHECKING:
    from nnbench.explain.attribution import Attribution
    from nnbench.store.runs import Run


def explain(
    first: Annotated[str, Parameter(name="A")],
    second: Annotated[str, Parameter(name="B")],
    *,
    saved: Annotated[Path | None, Parameter(name="--run")] = None,
    asked: Asked = Asked(),
    unlike: bool = False,
) -> int:
    """Say why one network takes longer to train than another: which phases, and how much each.

    Two networks are timed against each other, or looked up in a saved run. Two folders are two runs
    that timed the same networks.

    Args:
        first: A network, such as 100x2, conv:32x4 or train.py:build(depth=4), or a run's folder.
        second: What it is compared with.
        saved: A run that holds both; default: measure them.
        unlike: Compare runs of unlike hosts or versions.
    """
    explained, every = attributions(first, second, asked, saved=saved, unlike=unlike)
    from nnbench.explain import tables

    told: list[Any] = []
    shown: list[Any] = []
    left_out = [text for one in every for text in one.damage]
    for one in explained:
        told.append(tables.as_json(one.found, one.sentences, one.chart))
        shown += [tables.table(one.found), one.sentences, one.chart]
        left_out += one.left_out
    skipped(dict.fromkeys(left_out))
    answer(told, shown, as_json=asked.output.as_json)
    return status(*(() if are_folders(first, second) or saved else every))


@dataclass(frozen=True)
class Explained:
    """An attribution on one backend and path, told and drawn; what it left out, and why."""

    found: "Attribution"
    sentences: list[str]
    chart: Path
    left_out: Sequence[str]


def attributions(
    first: str, second: str, asked: Asked, *, saved: Path | None, unlike: bool
) -> "tuple[list[Explained], list[Run]]":
    """Why the second takes longer, and the runs that say so: measured now, or saved."""
    are_runs = are_folders(first, second)
    if are_runs and saved:
        raise UserError("--run is to look up networks, and two folders are named: drop one")
    networks = [] if are_runs else [notation.parse_one(first), notation.parse_one(second)]
    if networks and networks[0] == networks[1]:
        raise UserError(f"{first} and {second} are the same network: name two")
    study = asked.study(() if are_runs else (first, second))
    folders = [Path(first), Path(second)] if are_runs else [saved] if saved else []
    if not folders:
        study.check()
    from nnbench.explain import attribution, charts, crossover, words
    from nnbench.store import runs

    measured = [] if folders else [measure(study, asked.output)]
    every = measured or [runs.read(folder) for folder in folders]
    run = every[-1]
    if are_runs:
        found = attribution.of_runs(every[0], run, unlike=unlike)
    else:
        found = attribution.of_networks(run, *networks)
    explained = []
    for one in found:
        flip, unused = crossover.saved_rows_flip(asked.output.results, one)
        chart = charts.write(one, run.folder)
        explained.append(Explained(one, words.tell(one, flip), chart, unused))
    return explained, every
