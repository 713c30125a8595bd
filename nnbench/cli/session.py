"""Measuring what a study asks for, with its progress; a run goes on where it stopped.

What measures and computes is imported when it is called: NumPy, pandas and SciPy take seconds, in
which a mistake in the options is told already.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli import Interrupted
from nnbench.cli.options import Output, tell_backend, tell_data
from nnbench.show.terminal import note
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.measure.protocol import Environment
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset

    Environments = Mapping[str, Environment]


@contextmanager
def kept() -> Iterator[None]:
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
    from nnbench.measure import run as measuring

    cases = plan.pop("cases", None) or study.cases(data)
    if environments is not None:
        plan["sides"] = list(environments)
    wanted = measuring.specification(study, cases, **plan)
    kept = {"resume": resume, "fresh": fresh}
    folder, unfinished = measuring.folder_for(output.results, name, wanted, **kept)
    if unfinished:
        note(f"going on with the unfinished run {folder} (--fresh begins anew)")
    tell_backend(study.machine, quiet=output.quiet)
    return execute(folder, data, environments, quiet=output.quiet)


def tell_damage(*saved: "Run") -> None:
    """Say what of saved runs is left out because it cannot be read."""
    from nnbench.store.runs import TRIALS_FILE

    for run in saved:
        for damage in run.damage:
            note(f"skipped {run.folder / TRIALS_FILE}: {damage}")


def execute(
    folder: Path, data: "Dataset", environments: "Environments | None" = None, *, quiet: bool
) -> "Run":
    """Measure what is missing in a run's folder, under a progress bar; return the whole.

    What failed is said once for each network; UserError if that is all.
    """
    from nnbench.measure import run as measuring
    from nnbench.show.progress import Bar

    tell_data(data, quiet=quiet)
    with kept(), Bar(0, "trials", quiet=quiet) as bar:
        run = measuring.execute(folder, data, bar.watch, environments)
    for failure in measuring.failures(run):
        note(failure.told, *failure.details)
    return run


def status(*measured: "Run") -> int:
    """The exit status: 1 where a network that was asked for could not be measured, else 0."""
    from nnbench.measure import run as measuring

    return int(any(one.is_whole for run in measured for one in measuring.failures(run)))
