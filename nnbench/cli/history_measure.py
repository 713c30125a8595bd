"""`nnbench history record` and `bisect`: measuring commits in turn."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked, Models
from nnbench.cli.session import Environments, execute, tell_backend
from nnbench.history import bisect as halving
from nnbench.history import commits, seeded_digests, words
from nnbench.history import record as recording
from nnbench.show.progress import Bar
from nnbench.show.terminal import note, print_json, say
from nnbench.store.runs import Run
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Study


@dataclass(frozen=True)
class Measured(Asked, blocks=1):
    """What is measured at each commit, and where that is kept."""

    architectures: str | None = None
    "What to train, such as 6,6 or 6x5."
    model: Models = ()

    def of_commits(self) -> Study:
        """The same as a study."""
        named = (self.architectures,) if self.architectures else ()
        return self.study(named, self.model).or_networks(("6,6",))

    def run(self, part: recording.Part, data: Dataset, checked_out: Environments) -> Run:
        """Measure what is missing of a part."""
        folder = part.folder(self.output.results)
        return execute(folder, data, part.environments(checked_out), quiet=self.output.quiet)


def record(
    *revisions: str,
    measured: Measured = Measured(),
    together: int | None = None,
    numbers: Annotated[bool, Parameter(negative="--no-numbers")] = True,
) -> None:
    """Measure commits in turn, so that alarms on them can be trusted.

    Args:
        revisions: FIRST..LAST, both included, or commits.
        together: Commits side by side at most; default: what memory allows, 12.
        numbers: Also look for other results.
    """
    chosen = commits.chosen(Path(), revisions)
    study = measured.of_commits()
    data = study.data.load()
    cases = study.cases(data)
    parts = recording.plan(chosen, study, cases, together=together)
    tell_backend(study.machine, quiet=measured.output.quiet)
    checked_out = recording.check_out(chosen)
    for number, part in enumerate(parts, start=1):
        quiet = measured.output.quiet or len(parts) == 1
        note(f"part {number} of {len(parts)}: {measured.output.results / part.name}", quiet=quiet)
        run = measured.run(part, data, checked_out)
        if numbers and part.round == 0:
            with Bar(0, "seeded trainings", quiet=measured.output.quiet) as bar:
                seeded_digests.record(part, run.folder, cases, data, checked_out, bar.watch)
        say(str(run.folder))


def bisect(
    first: str, last: str = "HEAD", /, *, measured: Measured = Measured(), phase: str = "step"
) -> None:
    """Find the commit after FIRST, up to LAST, that changed a time: halves the range.

    Args:
        phase: What changed: step, epoch, cold, compile, trace, build, ...
    """
    chosen = halving.chosen(first, last, phase)
    study = measured.of_commits()
    tell_backend(study.machine, quiet=measured.output.quiet)
    data = study.data.load()
    measure = halving.measuring(study, study.cases(data), phase, partial(measured.run, data=data))
    tell = None if measured.output.as_json else lambda seen: say(words.measurement(seen))
    outcome = halving.search(chosen, phase, measure, tell)
    if measured.output.as_json:
        print_json(halving.as_json(outcome))
    else:
        say(words.outcome(outcome))
