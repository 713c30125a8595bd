"""Measuring what a study asks for, with its progress; a run goes on where it stopped."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli.options import Output
from nnbench.show.terminal import note
from nnbench.workload.study import Machine, Study

if TYPE_CHECKING:
    from nnbench.measure.protocol import Environment
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset


def tell_backend(machine: Machine, *, quiet: bool = False) -> None:
    """Say which backend is used and why, where none was asked for."""
    chosen = machine.chosen
    if chosen is not None:
        note(f"backend {chosen.name} ({chosen.reason}); --backend takes another", quiet=quiet)


def measure(study: Study, output: Output, **asked: Any) -> "Run":
    """Load the data of a study, make its cases, and measure them.

    `asked` is what `measure_cases` takes.
    """
    data = study.data.load()
    return measure_cases(study, data, output, **asked)


def measure_cases(
    study: Study,
    data: "Dataset",
    output: Output,
    *,
    name: str | None = None,
    resume: bool = False,
    fresh: bool = False,
    environments: "Mapping[str, Environment] | None" = None,
    **plan: Any,
) -> "Run":
    """Measure the cases of a study under a progress bar, or go on with the unfinished run of them.

    `plan` is what `measure.run.of_study` takes, such as `cases` other than the study's own.
    """
    from nnbench.measure import run as measuring

    cases = plan.pop("cases", None) or study.cases(data)
    if environments is not None:
        plan["sides"] = list(environments)
    wanted = measuring.specification(study, cases, **plan)
    folder, unfinished = measuring.folder_for(
        output.results, name, wanted, resume=resume, fresh=fresh
    )
    if unfinished:
        note(f"going on with the unfinished run {folder} (--fresh begins anew)")
    tell_backend(study.machine, quiet=output.quiet)
    return execute(folder, data, environments, quiet=output.quiet)


def execute(
    folder: Path,
    data: "Dataset",
    environments: "Mapping[str, Environment] | None" = None,
    *,
    quiet: bool,
) -> "Run":
    """Measure what is missing in a run's folder, under a progress bar; return the whole."""
    from nnbench.measure import run as measuring
    from nnbench.show.progress import Bar

    with Bar(0, "trials", quiet=quiet) as bar:
        return measuring.execute(folder, data, bar.watch, environments)
