"""Measuring what a study asks for, with its progress; a run goes on where it stopped.

What measures and computes is imported when it is called: NumPy, pandas and SciPy take seconds, in
which a mistake in the options is told already.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli import Interrupted
from nnbench.cli.options import Output, tell_backend, tell_data
from nnbench.machine import whole_file
from nnbench.show.terminal import note, waiting
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.measure.protocol import Environment
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset

    Environments = Mapping[str, Environment]


def are_folders(*names: str) -> bool:
    """Whether saved runs are named, for which nothing is measured."""
    # os.path's answer for a name that is too long is no; Path's is an error.
    return all(os.path.isdir(name) for name in names)  # noqa: PTH112


@contextmanager
def resumable() -> Iterator[None]:
    """Within, an interruption leaves what the same command goes on with."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted from None


def measure(
    study: Study,
    output: Output,
    data: "Dataset | None" = None,
    environments: "Environments | None" = None,
    *,
    name: str | None = None,
    resume: bool = False,
    fresh: bool = False,
    **plan: Any,
) -> "Run":
    """Measure the cases of a study under a progress bar, or go on with the unfinished run of them.

    `data` are the study's own unless given. `plan` is what `measure.run.specification` takes, such
    as `cases` other than the study's.
    """
    study.check()
    data = data or study.load()
    from nnbench.measure import effort
    from nnbench.measure import run as measuring
    from nnbench.store import runs

    if environments is not None:
        plan["sides"] = list(environments)
    # What these refuse is told before anything else is.
    whole_file.check_folder(output.results, ": name another folder with --results")
    _ = plan.get("cases") or study.cases(data)
    tell_backend(study.machine, quiet=output.quiet)
    tell_data(data)
    made = None
    if environments is not None or not plan.keys() & {"cases", "kinds"}:
        known = [] if fresh else effort.folders(output.results, name)
        with resumable(), waiting("looking at how long a step takes", quiet=output.quiet):
            sides = len(environments or ("",))
            tell = None if output.quiet else note
            made = effort.settle(study, data, known, sides=sides, tell=tell)
        study, plan = made.study, {"sweeps": made.plan.sweeps} | plan | {"looked": made.record}
    cases = plan.pop("cases", None) or study.cases(data)
    wanted = measuring.specification(study, cases, **plan)
    how = {"resume": resume, "fresh": fresh}
    folder, unfinished = measuring.folder_for(output.results, name, wanted, **how)
    if unfinished:
        note(f"going on with the unfinished run {folder} (--fresh begins anew)")
    if made is not None:
        rounds = measuring.rounds_left(runs.read(folder))
        note(*made.told(rounds), quiet=output.quiet)
    run = execute(folder, data, environments, quiet=output.quiet)
    begin_index(output)
    return run


def execute(
    folder: Path, data: "Dataset", environments: "Environments | None" = None, *, quiet: bool
) -> "Run":
    """Measure what is missing in a run's folder, under a progress bar; return the whole.

    What failed is said once for each network; UserError if that is all.
    """
    from nnbench.measure import run as measuring
    from nnbench.report import watching
    from nnbench.show.progress import Bar

    with resumable(), Bar(0, "trials", quiet=quiet) as bar:
        run = measuring.execute(folder, data, watching.watcher(bar), environments)
    tell_failures(run)
    _tell_equal_code(run)
    return run


def _tell_equal_code(run: "Run") -> None:
    """Say where commits that are compared differ in nothing that was imported."""
    ran: dict[str, dict[int, str]] = {}
    recorded = [record for record in run.launches if "code" in record]
    recorded += run.trials.records(row for row, _ in run.trials.rare("code"))
    for record in recorded:
        ran.setdefault(record["side"], {})[record["launch"]] = record["code"]
    codes = {code for launches in ran.values() for code in launches.values()}
    if len(ran) > 1 and len(codes) == 1:
        note(f"{' and '.join(ran)} ran equal code: they differ in no file that was imported")


def tell_failures(*measured: "Run") -> None:
    """Say what could not be measured, once for each network."""
    from nnbench.measure import run as measuring

    for run in measured:
        for failure in measuring.failures(run):
            note(failure.told, *failure.details)


def begin_index(output: Output) -> None:
    """Give a folder that results were asked for an index of its own, once there is a result.

    Those where a command keeps them by itself are below `results`, whose index has all.
    """
    from nnbench.report import index

    if output.results != type(output)().results:
        index.begin(output.results)


def indexed(page: Path) -> Path:
    """A page that was written, once the index of all results has it, too."""
    from nnbench.report import index

    index.write(page)
    return page


def status(*measured: "Run") -> int:
    """The exit status: 1 where a network could not be measured now, else 0."""
    from nnbench.measure import run as measuring

    return int(any(one.is_whole for run in measured for one in measuring.failures(run)))
