"""`nnbench compare`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked, Effort, Models, Name, OnHosts, options
from nnbench.cli.session import are_folders, indexed, measure, status
from nnbench.errors import UserError
from nnbench.measure import checkout
from nnbench.show.terminal import print_json, say, skipped
from nnbench.workload import quantities

if TYPE_CHECKING:
    from nnbench.cli.session import Environments
    from nnbench.store.runs import Run
    from nnbench.workload.study import Study


@options("Effort")
@dataclass(frozen=True)
class CompareEffort(Effort):
    """More launches than elsewhere, of one block: the launch is the unit."""

    launches: int = 10
    "Launches of each side."
    blocks: int = 1


@dataclass(frozen=True)
class CompareAsked(Asked):
    """What is measured of sides that are not saved runs."""

    effort: CompareEffort = CompareEffort()


def compare(
    *sides: str,
    against: str | None = None,
    architectures: tuple[str, ...] = (),
    model: Models = (),
    hosts: Annotated[bool, Parameter(show_default=False)] = False,
    asked: CompareAsked = CompareAsked(),
    on: OnHosts = OnHosts(),
    name: Name = None,
    margin: str = "2%",
    unlike: bool = False,
) -> int:
    """Say of two sides whether they differ, are equivalent, or need more data.

    Saved runs are compared as they are. Commits and environments are measured now, their
    launches in turn, on this machine.

    Args:
        sides: Two runs' folders, or two of: a commit, a Python with nnbench, . (the present).
        hosts: Compare the hosts of --cluster, each of which measures all; or of such a study's
            folder.
        against: A commit to compare the present working tree with.
        architectures: What to train, when measuring: 6x5, conv:32x4, train.py:build(depth=4), a
            grid; again for more; default: 6,6 100,100 6x5.
        margin: Differences within it count as none.
        unlike: Compare even unlike hosts or versions.
    """
    least = quantities.parse_share(margin)
    if hosts:
        study = asked.study(architectures, model).or_networks()
        return _hosts(sides, study, asked, on, name, least)
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
    measured_now = not are_folders(*names)
    if measured_now:
        study.check()
    for one in names:
        if not os.path.exists(one):  # noqa: PTH110 - a name may be too long
            checkout.find(one)
    # A mistake in the data is told before environments are made.
    data = study.load() if measured_now else None
    from nnbench.report import comparison, comparison_page

    measured: list[Run] = []

    def run(where: "Environments") -> "Run":
        measured.append(measure(study, asked.output, data, where))
        return measured[-1]

    found = comparison.compare(names, run, margin=least, even_unlike=unlike)
    skipped(found.damage)
    if asked.output.as_json:
        print_json(found)
    else:
        comparison.print_answer(found)
        beside = [] if measured else [Path(names[1])]
        for folder in [*(run.folder for run in measured), *beside]:
            say(str(indexed(comparison_page.write(found, folder, beside=not measured))))
    return status(*measured)


def _hosts(
    folders: Sequence[str],
    study: "Study",
    asked: CompareAsked,
    on: OnHosts,
    name: str | None,
    margin: float,
) -> int:
    """Compare each host of a study with its first: what else is one table on purpose here."""
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
    from nnbench.report import comparison, comparison_page

    answers = []
    for other in others:
        names = [str(first.folder), str(other.folder)]
        answers.append(comparison.compare(names, _never, margin=margin, even_unlike=True))
        if not asked.output.as_json:
            comparison.print_answer(answers[-1])
            say(str(indexed(comparison_page.write(answers[-1], other.folder, beside=True))))
    if asked.output.as_json:
        print_json(answers)
    return status(*runs.values())


def _never(_: "Environments") -> "Run":
    raise UserError("runs of hosts are compared as they are")
