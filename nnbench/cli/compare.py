"""`nnbench compare`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnbench.cli.options import Asked, Effort, Models, Output, options
from nnbench.cli.session import are_folders, indexed, measure, status
from nnbench.errors import UserError
from nnbench.measure import checkout
from nnbench.show.terminal import print_json, say, skipped
from nnbench.workload import quantities
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.cli.session import Environments
    from nnbench.report.comparison import Answer
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset


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
    asked: CompareAsked = CompareAsked(),
    margin: str = "2%",
    unlike: bool = False,
) -> int:
    """Say of two sides whether they differ, are equivalent, or need more data.

    Saved runs are compared as they are. Commits and environments are measured now, their
    launches in turn, on this machine.

    Args:
        sides: Two runs' folders, or two of: a commit, a Python with nnbench, . (the present).
        against: A commit to compare the present working tree with.
        architectures: What to train, when measuring: 6x5, conv:32x4, train.py:build(depth=4), a
            grid; again for more; default: 6,6 100,100 6x5.
        margin: Differences within it count as none.
        unlike: Compare even unlike hosts or versions.
    """
    if against and sides:
        raise UserError("name two sides, or --against COMMIT alone")
    names = [against, "."] if against else sides
    if len(names) != 2:
        raise UserError("name two sides, such as two runs' folders, or use --against COMMIT")
    if names[0] == names[1]:
        raise UserError(f"both sides are {names[0]}: there is nothing to compare")
    least = quantities.parse_share(margin)
    study = asked.study(architectures, model).or_networks()
    measured_now = not are_folders(*names)
    if measured_now:
        study.check()
    for one in names:
        if not os.path.exists(one):  # noqa: PTH110 - a name may be too long
            checkout.find(one)
    # A mistake in the data is told before environments are made.
    data = study.load() if measured_now else None
    found, measured = compared(names, study, asked.output, data, margin=least, unlike=unlike)
    from nnbench.report import comparison, comparison_page

    skipped(found.damage)
    if asked.output.as_json:
        print_json(found)
    else:
        comparison.print_answer(found)
        beside = [] if measured else [Path(names[1])]
        for folder in [*(run.folder for run in measured), *beside]:
            say(str(indexed(comparison_page.write(found, folder, beside=not measured))))
    return status(*measured)


def compared(
    names: Sequence[str],
    study: Study,
    output: Output,
    data: "Dataset | None" = None,
    *,
    margin: float,
    unlike: bool,
) -> "tuple[Answer, list[Run]]":
    """What is found of two sides, and the run that was measured for it, if any."""
    from nnbench.report import comparison

    measured: list[Run] = []

    def run(where: "Environments") -> "Run":
        measured.append(measure(study, output, data, where))
        return measured[-1]

    return comparison.compare(names, run, margin=margin, even_unlike=unlike), measured
