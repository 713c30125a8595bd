"""`nnbench explain`."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked
from nnbench.cli.session import measure, status, tell_damage
from nnbench.errors import UserError
from nnbench.show.terminal import answer
from nnbench.workload import architecture as arch


def explain(
    first: Annotated[str, Parameter(name="A")],
    second: Annotated[str, Parameter(name="B")],
    *,
    saved: Annotated[Path | None, Parameter(name="--run")] = None,
    asked: Asked = Asked(),
    unlike: bool = False,
) -> int:
    """Say why one network takes longer to train than another: which phases, and how much each.

    Two architectures are timed against each other, or looked up in a saved run. Two folders are
    two runs that timed the same networks.

    Args:
        first: An architecture, such as 100x2, or a run's folder.
        second: What it is compared with.
        saved: A run that holds both; default: measure them.
        unlike: Compare runs of unlike hosts or versions.
    """
    # os.path's answer for a name that is too long is no; Path's is an error.
    are_runs = all(os.path.isdir(name) for name in (first, second))  # noqa: PTH112
    networks = [] if are_runs else [arch.parse(first), arch.parse(second)]
    if networks and networks[0] == networks[1]:
        raise UserError(f"{first} and {second} are the same network: name two")
    study = asked.study(() if are_runs else (first, second))
    study.check()
    from nnbench.explain import attribution, charts, crossover, tables, words
    from nnbench.store import runs

    if are_runs:
        before, run = saved_runs = [runs.read(Path(folder)) for folder in (first, second)]
        found = attribution.of_runs(before, run, unlike=unlike)
    else:
        run = runs.read(saved) if saved else measure(study, asked.output)
        found, saved_runs = attribution.of_networks(run, *networks), [run]
    tell_damage(*saved_runs)
    told, shown = [], []
    for one in found:
        sentences = words.tell(one, crossover.saved_rows_flip(asked.output.results, one))
        chart = charts.write(one, run.folder)
        told.append(tables.as_json(one, sentences, chart))
        shown += [tables.table(one), sentences, chart]
    answer(told, shown, as_json=asked.output.as_json)
    return status(run)
