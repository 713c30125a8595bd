"""`nnbench compare`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli.options import (
    RESULTS,
    AsJson,
    Data,
    Effort,
    Machine,
    Models,
    Quiet,
    Results,
    Training,
)
from nnbench.cli.session import execute, run_folder, tell_backend
from nnbench.errors import UserError
from nnbench.show.terminal import print_json
from nnbench.workload import quantities
from nnbench.workload.study import Networks, Study

if TYPE_CHECKING:
    from nnbench.measure.run import Side
    from nnbench.store.runs import Run


@Parameter(name="*", group="Effort")
@dataclass(frozen=True)
class CompareEffort(Effort):
    """More launches than elsewhere, of one block: the launch is the unit."""

    launches: int = 10
    blocks: int = 1


def compare(
    *sides: Annotated[
        str,
        Parameter(
            help="Two runs' folders, or two of: a commit, a Python with nnbench, . (the present)."
        ),
    ],
    against: Annotated[
        str | None, Parameter(help="A commit to compare the present working tree with.")
    ] = None,
    architectures: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False, help="What to train, when measuring; default: 6,6 100,100 6x5."
        ),
    ] = (),
    model: Models = (),
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    effort: CompareEffort = CompareEffort(),
    margin: Annotated[str, Parameter(help="Differences within it count as none.")] = "2%",
    unlike: Annotated[bool, Parameter(help="Compare even unlike hosts or versions.")] = False,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say of two sides whether they differ, are equivalent, or need more data.

    Saved runs are compared as they are. Commits and environments are measured now, their
    launches in turn, on this machine.
    """
    from nnbench.measure import run as measuring
    from nnbench.report import comparison

    if against and sides:
        raise UserError("name two sides, such as two runs' folders, or use --against COMMIT")
    asked = Study(Networks(architectures, model), data, training, machine, effort).or_networks()

    def measure(where: "Mapping[str, Side]") -> "Run":
        loaded = data.load()
        wanted = measuring.of_study(asked, asked.cases(loaded), sides=list(where))
        folder = run_folder(results, None, wanted)
        tell_backend(machine, quiet=quiet)
        return execute(folder, loaded, where, quiet=quiet)

    found = comparison.compare(
        [against, "."] if against else sides,
        measure,
        margin=quantities.parse_share(margin),
        even_unlike=unlike,
    )
    if as_json:
        print_json(found)
        return
    comparison.print_answer(found)
