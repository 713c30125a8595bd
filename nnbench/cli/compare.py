"""`nnbench compare`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked, Effort, Models, Name, OnHosts, Output, options
from nnbench.cli.session import are_folders, indexed, measure, status
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.measure import checkout
from nnbench.phases import PHASES, STEP
from nnbench.show.terminal import note, print_json, say, skipped
from nnbench.workload import quantities
from nnbench.workload.case import one_of
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.cli.session import Environments
    from nnbench.report.comparison import ComparedSides
    from nnbench.store.runs import Run

BLOCKS_OF_STEPS = 2
"""Where steps alone are timed, each block with a network of its own.

`benchmarks/calibration` tells by how much launches, networks and sweeps vary.
"""


@options("Effort")
@dataclass(frozen=True)
class CompareEffort(Effort):
    """More launches than elsewhere, of one block: the launch is the unit."""

    launches: int = 10
    "Launches of each side."
    blocks: int | None = None
    "Times each case's turn comes in a launch; default: 1, or 2 where steps alone are timed."
    budget: str | None = None
    """Rounds for about this long, both sides together; setting up and the numbers come on top. Ends
    early once all is decided."""


@dataclass(frozen=True)
class CompareAsked(Asked):
    """What is measured of sides that are not saved runs."""

    effort: CompareEffort = CompareEffort()


@options("Check")
@dataclass(frozen=True)
class Check:
    """What is judged, and how it is told to continuous integration."""

    phase: str | None = None
    """What to time and to judge: step, epoch, cold, compile, ..., several with commas, or all;
    default: all are timed, and step, epoch and cold judged."""
    margin: str = "2%"
    "Differences within it count as none."
    no_numbers: bool = False
    "Do not look whether a seeded training computes the same numbers on both sides."
    require_decision: bool = False
    "Exit status 3 where anything is left undecided."
    markdown: Path | None = None
    "Also write a comment for a pull request."
    junit: Path | None = None
    "Also write JUnit's XML."

    def check(self) -> None:
        """Raise UserError for a phase or margin that is none, or a file that cannot be written."""
        quantities.parse_share(self.margin)
        for name in self.phase.split(",") if self.phase else ():
            one_of("phase", name, (*PHASES, "all"))
        for file in filter(None, (self.markdown, self.junit)):
            whole_file.check_file(file)


def compare(
    *sides: str,
    against: str | None = None,
    architectures: tuple[str, ...] = (),
    model: Models = (),
    hosts: Annotated[bool, Parameter(show_default=False)] = False,
    asked: CompareAsked = CompareAsked(),
    on: OnHosts = OnHosts(),
    name: Name = None,
    check: Check = Check(),
    unlike: bool = False,
) -> int:
    """Say of two sides whether they differ, are equivalent, or need more data.

    Saved runs are compared as they are. Commits and environments are measured now, their
    launches in turn, on this machine.

    Exit status: 0 where nothing slower was found; 1 where the second side is different and slower
    by more than the margin, computes other numbers, or has a network that could not be measured; 2
    for a mistake; 3 for too little data, with --require-decision.

    Args:
        sides: Two runs' folders, or two of: a commit, a Python with nnbench, . (the present).
        hosts: Compare the hosts of --cluster, each of which measures all; or of such a study's
            folder.
        against: A commit to compare the present working tree with.
        architectures: What to train, when measuring: 6x5, conv:32x4, train.py:build(depth=4), a
            grid; again for more; default: 6,6 100,100 6x5.
        unlike: Compare even unlike hosts or versions.
    """
    check.check()
    if hosts:
        study = asked.study(architectures, model).or_networks()
        return _hosts(sides, study, asked, on, name, check)
    if on.are_asked or name is not None:
        raise UserError("--cluster, --workers and --name are for --hosts, which compares hosts")
    if against and sides:
        raise UserError("name two sides, or --against COMMIT alone")
    names = [against, "."] if against else sides
    if len(names) != 2:
        raise UserError("name two sides, such as two runs' folders, or use --against COMMIT")
    if names[0] == names[1]:
        raise UserError(f"both sides are {names[0]}: there is nothing to compare")
    study = asked.study(architectures, model).or_networks()
    found, measured = compared(names, study, asked.output, check=check, unlike=unlike)
    from nnbench.report import comparison_files, comparison_page, comparison_words

    skipped(found.damage)
    if check.markdown is not None:
        comparison_files.write_markdown(found, check.markdown)
    if check.junit is not None:
        required = check.require_decision
        comparison_files.write_junit(found, check.junit, require_decision=required)
    if asked.output.as_json:
        print_json(comparison_words.as_json(found))
    else:
        comparison_words.print_answer(found)
        beside = [] if measured else [Path(names[1])]
        for folder in [*(run.folder for run in measured), *beside]:
            say(str(indexed(comparison_page.write(found, folder, beside=not measured))))
    return status(*measured) or found.status(require_decision=check.require_decision)


def compared(
    names: Sequence[str], study: Study, output: Output, *, check: Check, unlike: bool
) -> "tuple[ComparedSides, list[Run]]":
    """What is found of two sides, and the run that was measured for it, if any.

    Raises UserError for sides that there are not, or that cannot be measured or compared.
    """
    measured_now = not are_folders(*names)
    if measured_now:
        study.check()
    for one in names:
        if not os.path.exists(one):  # noqa: PTH110 - a name may be too long
            checkout.find(one)
    # A mistake in the data is told before environments are made.
    data = study.load() if measured_now else None
    from nnbench.measure import decision, numbers
    from nnbench.report import comparison

    least = quantities.parse_share(check.margin)
    usual = BLOCKS_OF_STEPS if check.phase == STEP else 1
    effort = replace(study.effort, blocks=study.effort.blocks or usual)
    measured: list[Run] = []
    plan = decision.trials(check.phase)
    if effort.budget is not None:
        plan["decide"] = {"phases": list(decision.phases(check.phase)), "margin": least}

    def run(where: "Environments") -> "tuple[Run, list[str] | None]":
        measured.append(measure(replace(study, effort=effort), output, data, where, **plan))
        if check.no_numbers or data is None:
            return measured[-1], None
        note("a seeded training on each side: are its numbers the same?", quiet=output.quiet)
        return measured[-1], numbers.other(measured[-1], data, where)

    found = comparison.compare(
        names, run, margin=least, even_unlike=unlike, phases=check.phase, study=study
    )
    return found, measured


def _hosts(
    folders: Sequence[str],
    study: Study,
    asked: CompareAsked,
    on: OnHosts,
    name: str | None,
    check: Check,
) -> int:
    """Compare each host of a study with its first: what else is one table on purpose here."""
    if check.markdown is not None or check.junit is not None:
        raise UserError(
            "--markdown and --junit hold one comparison, and --hosts makes one for each host: "
            "use --json, or compare two hosts' folders with --unlike"
        )
    if len(folders) > 1 or bool(folders) == on.are_asked:
        raise UserError(
            "--hosts compares hosts: name their scheduler with --cluster, or the folder of a "
            "study that they measured, such as results/NAME"
        )
    if folders:
        from nnbench.cluster import book

        runs = book.finished(book.read(Path(folders[0])))
    else:
        from nnbench.cli import on_hosts

        runs = on_hosts.measure(study, asked.output, on, every_host=True, name=name)
    first, *others = (runs[name] for name in sorted(runs))
    if not others:
        raise UserError(f"only one host measured: there is nothing to compare ({first.folder})")
    from nnbench.report import comparison, comparison_page, comparison_words

    margin = quantities.parse_share(check.margin)
    answers = []
    for other in others:
        names = [str(first.folder), str(other.folder)]
        found = comparison.compare(
            names, _never, margin=margin, even_unlike=True, phases=check.phase
        )
        answers.append(found)
        if not asked.output.as_json:
            comparison_words.print_answer(found)
            say(str(indexed(comparison_page.write(found, other.folder, beside=True))))
    if asked.output.as_json:
        print_json([comparison_words.as_json(one) for one in answers])
    ends = [one.status(require_decision=check.require_decision) for one in answers]
    # Slower, or not measured, is worse than too little data.
    return 1 if status(*runs.values()) or 1 in ends else max(ends)


def _never(_: "Environments") -> "tuple[Run, list[str] | None]":
    raise UserError("runs of hosts are compared as they are")
