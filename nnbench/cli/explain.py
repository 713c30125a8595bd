"""`nnbench explain`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import RESULTS, AsJson, Data, Effort, Machine, Quiet, Results, Training
from nnbench.cli.session import execute, run_folder, tell_backend
from nnbench.errors import UserError
from nnbench.explain import attribution, charts, crossover, tables, words
from nnbench.measure import run as measuring
from nnbench.show.terminal import print_json, print_sentences, print_table, say
from nnbench.store import runs
from nnbench.workload import architecture as arch
from nnbench.workload.study import Networks, Study


def explain(
    first: Annotated[
        str, Parameter(name="A", help="An architecture, such as 100x2, or a run's folder.")
    ],
    second: Annotated[str, Parameter(name="B", help="What it is compared with.")],
    *,
    saved: Annotated[
        Path | None, Parameter(name="--run", help="A run that holds both; default: measure them.")
    ] = None,
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    effort: Effort = Effort(),
    unlike: Annotated[bool, Parameter(help="Compare runs of unlike hosts or versions.")] = False,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say why one network takes longer to train than another: which phases, and how much each.

    Two architectures are timed against each other, or looked up in a saved run. Two folders are
    two runs that timed the same networks.
    """
    folders = [Path(name) for name in (first, second)]
    if all((folder / runs.RUN_FILE).exists() for folder in folders):
        before, run = (runs.read(folder) for folder in folders)
        found = attribution.of_runs(before, run, unlike=unlike)
    else:
        networks = arch.parse(first), arch.parse(second)
        if networks[0] == networks[1]:
            raise UserError(f"{first} and {second} are the same network: name two")
        if saved is not None:
            run = runs.read(saved)
        else:
            study = Study(Networks((first, second)), data, training, machine, effort)
            tell_backend(machine, quiet=quiet)
            loaded = study.data.load()
            wanted = measuring.of_study(study, study.cases(loaded))
            run = execute(run_folder(results, None, wanted), loaded, quiet=quiet)
        found = attribution.of_networks(run, *networks)
    told = []
    for one in found:
        sentences = words.tell(one, crossover.saved_rows_flip(results, one))
        chart = charts.write(one, run.folder)
        told.append(tables.as_json(one, sentences, chart))
        if not as_json:
            print_table(tables.table(one))
            print_sentences(sentences)
            say(str(chart))
    if as_json:
        print_json(told)
