"""`nnbench history record` and `bisect`: measuring commits in turn."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli import options
from nnbench.cli.options import AsJson, Data, Machine, Models, Quiet, Training
from nnbench.cli.session import execute, tell_backend
from nnbench.show.terminal import note, print_json, say
from nnbench.workload.study import Networks, Study

if TYPE_CHECKING:
    from nnbench.history.record import Part
    from nnbench.measure.protocol import Environment
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset

NETWORK = ("6,6",)


@Parameter(name="*", group="Effort")
@dataclass(frozen=True)
class Effort(options.Effort):
    """Options of `workload.study.Effort`."""

    blocks: int = 1


@Parameter(name="*")
@dataclass(frozen=True)
class Measured:
    """What is measured at each commit, and where that is kept."""

    architectures: str | None = None
    "What to train, such as 6,6 or 6x5."
    model: Models = ()
    data: Data = Data()
    training: Training = Training()
    machine: Machine = Machine()
    effort: Effort = Effort()
    results: options.Results = options.RESULTS
    quiet: Quiet = False

    def study(self) -> Study:
        """The same as a study."""
        networks = Networks((self.architectures,) if self.architectures else (), self.model)
        asked = Study(networks, self.data, self.training, self.machine, self.effort)
        return asked.or_networks(NETWORK)

    def run(self, part: "Part", data: "Dataset", checked_out: "Mapping[str, Environment]") -> "Run":
        """Measure what is missing of a part."""
        folder = part.folder(self.results)
        return execute(folder, data, part.environments(checked_out), quiet=self.quiet)


MEASURED = Measured()


def record(
    *revisions: Annotated[str, Parameter(help="FIRST..LAST, both included, or commits.")],
    measured: Measured = MEASURED,
    together: Annotated[
        int | None, Parameter(help="Commits side by side at most; default: what memory allows, 12.")
    ] = None,
    numbers: Annotated[
        bool, Parameter(negative="--no-numbers", help="Also look for other results.")
    ] = True,
) -> None:
    """Measure commits in turn, so that alarms on them can be trusted."""
    from nnbench.history import commits, seeded_digests
    from nnbench.history import record as recording
    from nnbench.show.progress import Bar

    chosen = commits.chosen(Path(), revisions)
    study = measured.study()
    data = study.data.load()
    cases = study.cases(data)
    parts = recording.plan(chosen, study, cases, together=together)
    tell_backend(study.machine, quiet=measured.quiet)
    checked_out = recording.check_out(chosen)
    for number, part in enumerate(parts, start=1):
        quiet = measured.quiet or len(parts) == 1
        note(f"part {number} of {len(parts)}: {measured.results / part.name}", quiet=quiet)
        run = measured.run(part, data, checked_out)
        if numbers and part.round == 0:
            with Bar(0, "seeded trainings", quiet=measured.quiet) as bar:
                seeded_digests.record(part, run.folder, cases, data, checked_out, bar.watch)
        say(str(run.folder))


def bisect(
    first: str,
    last: str = "HEAD",
    /,
    *,
    measured: Measured = MEASURED,
    phase: Annotated[
        str, Parameter(help="What changed: step, epoch, cold, compile, trace, build, ...")
    ] = "step",
    as_json: AsJson = False,
) -> None:
    """Find the commit after FIRST, up to LAST, that changed a time: halves the range."""
    from nnbench.history import bisect as halving
    from nnbench.history import words

    chosen = halving.chosen(first, last, phase)
    study = measured.study()
    tell_backend(study.machine, quiet=measured.quiet)
    data = study.data.load()
    measure = halving.measuring(study, study.cases(data), phase, partial(measured.run, data=data))
    tell = None if as_json else lambda seen: say(words.measurement(seen))
    outcome = halving.search(chosen, phase, measure, tell)
    if as_json:
        print_json(halving.as_json(outcome))
    else:
        say(words.outcome(outcome))
