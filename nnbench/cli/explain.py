"""`nnbench explain`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked
from nnbench.cli.session import measure, status, tell_damage
from nnbench.errors import UserError
from nnbench.explain import attribution, charts, crossover, tables, words
from nnbench.show.terminal import answer
from nnbench.store import runs
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
    folders = [Path(name) for name in (first, second)]
    if all((folder / runs.RUN_FILE).exists() for folder in folders):
        before, run = saved_runs = [runs.read(folder) for folder in folders]
        found = attribution.of_runs(before, run, unlike=unlike)
    else:
        networks = arch.parse(first), arch.parse(second)
        if networks[0] == networks[1]:
            raise UserError(f"{first} and {second} are the same network: name two")
        run = runs.read(saved) if saved else measure(asked.study((first, second)), asked.output)
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
