"""`nnbench history`: the table, what is looked for in it, and measuring commits in turn."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nnbench.cli import COMMANDS, new_app
from nnbench.cli.options import (
    WHOLE,
    AsJson,
    Asked,
    Models,
    options,
    tell_backend,
    tell_data,
    within,
)
from nnbench.cli.session import execute, indexed, resumable, status
from nnbench.history import REMARKS, commits, pattern
from nnbench.machine import whole_file
from nnbench.phases import PHASES
from nnbench.show.terminal import answer, note, print_json, say, waiting
from nnbench.workload.case import one_of
from nnbench.workload.quantities import parse_share
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.cli.session import Environments
    from nnbench.history import check as checking
    from nnbench.history import record as recording
    from nnbench.history import table
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset

app = new_app("history", COMMANDS["history"])


def _check_patterns(_: Any, patterns: str | Sequence[str]) -> None:
    for one in (patterns,) if isinstance(patterns, str) else patterns:
        pattern(one)


Remarks = Annotated[Path, Parameter(help="File of remarks on commits.")]
ORDERS = "The git repository that orders the commits"
Repository = Annotated[Path, Parameter(help=f"{ORDERS}.")]


@options("Results")
@dataclass(frozen=True)
class Results:
    """What is read."""

    folders: Annotated[tuple[Path, ...], Parameter("--in", show_default=False)] = ()
    "Where results lie, or a file; again for more; default: what is of .asv, .benchmarks, results."
    match: Annotated[tuple[str, ...], Parameter(show_default=False, validator=_check_patterns)] = ()
    "Regular expression that benchmark or case must have; again for more."
    repository: Annotated[Path | None, Parameter(help=f"{ORDERS}; default: the one here.")] = None
    branch: str | None = None
    "Whose commits count; default: HEAD."
    same_host: Annotated[
        tuple[str, ...], Parameter(show_default=False, validator=_check_patterns)
    ] = ()
    "Hosts whose name has this regular expression are one where CPU models agree; again for more."

    def read(self) -> "table.History":
        """The chosen part of their history."""
        from nnbench.history import table

        with waiting("reading results"):
            return table.read_chosen(
                *(self.folders, self.match, self.repository, self.branch, self.same_host)
            )


@options("Alarms")
@dataclass(frozen=True)
class Alarms:
    """What counts as a change."""

    least: str = "3%"
    "The smallest change worth an alarm."
    false_alarms: str = "1%"
    "Share of false ones among alarms, at most."
    annotations: Remarks = REMARKS

    def __post_init__(self) -> None:
        _ = parse_share(self.least), parse_share(self.false_alarms)

    def check(self, results: Results, since: str | None = None) -> "checking.Check":
        """Look for changes in these results."""
        from nnbench.history import annotations as remarks
        from nnbench.history import check as checking

        history = results.read()
        with waiting("looking for changes"):
            return checking.run(
                history,
                remarks.read(self.annotations),
                false_alarms=parse_share(self.false_alarms),
                least=parse_share(self.least),
                since=commits.resolve(results.repository or Path(), since) if since else None,
            )


@options()
@dataclass(frozen=True)
class Measured(Asked, blocks=1):
    """What is measured at each commit, and where that is kept."""

    architectures: str | None = None
    "What to train, such as 6,6 or conv:32x4, or several with ; between them."
    model: Models = ()

    def of_commits(self) -> Study:
        """The same as a study."""
        named = (self.architectures,) if self.architectures else ()
        return self.study(named, self.model).or_networks(("6,6",))

    def run(self, part: "recording.Part", data: "Dataset", checked_out: "Environments") -> "Run":
        """Measure what is missing of a part."""
        folder = part.folder(self.output.results)
        return execute(folder, data, part.environments(checked_out), quiet=self.output.quiet)


@app.default
def history(*, results: Results = Results(), as_json: AsJson = False) -> None:
    """All measurements over commits in one table, a line a benchmark, case and host."""
    found = results.read()
    from nnbench.history import table, tables

    if as_json:
        print_json(table.rows(found))
    else:
        tables.print_history(found)


@app.command
def export(file: Path, /, *, results: Results = Results()) -> None:
    """Write the table into FILE, .csv, .parquet or .json: a row a benchmark, case, commit, host."""
    found = results.read()
    from nnbench.history import table, tables

    table.export(found, file)
    tables.print_skipped(found.skipped)
    say(f"{file}: {len(found.table)} rows")


@app.command
def check(
    *,
    results: Results = Results(),
    alarms: Alarms = Alarms(),
    since: str | None = None,
    markdown: Path | None = None,
    strict: bool = False,
    as_json: AsJson = False,
) -> None:
    """Which commits made training slower, or changed its numbers.

    Exit status: 0 without an alarm, 1 with one, 2 for a mistake.

    Args:
        since: Only changes that may lie after this commit.
        markdown: Also write a summary for a pull request comment.
        strict: Fail on unconfirmed changes, too.
    """
    from nnbench.history import tables, words

    told = words.tell(alarms.check(results, since))
    if markdown is not None:
        whole_file.write(markdown, words.markdown(told))
    if as_json:
        print_json(words.as_json(told))
    else:
        tables.print_check(told)
    if told.check.fails(strict=strict):
        sys.exit(1)


@app.command
def chart(
    folder: Path = Path("results"), /, *, results: Results = Results(), alarms: Alarms = Alarms()
) -> None:
    """Write history.html into a folder: every benchmark over commits, with intervals and alarms."""
    from nnbench.history import annotations as remarks
    from nnbench.history import page
    from nnbench.report import index

    found = alarms.check(results)
    written = page.write(found, folder, remarks.read(alarms.annotations))
    # Elsewhere it stands alone.
    say(str(indexed(written) if folder.name == index.RESULTS else written))


@app.command
def annotate(
    commit: str,
    text: Annotated[str, Parameter(help="What is known of it.")],
    /,
    *,
    match: Annotated[
        str, Parameter(help="Only for what has this regular expression.", validator=_check_patterns)
    ] = "",
    repository: Repository = Path(),
    annotations: Remarks = REMARKS,
) -> None:
    """Remark on a commit: its alarms count as acknowledged, and charts show it."""
    name = commits.resolve(repository, commit)
    from nnbench.history import annotations as remarks

    remarks.add(annotations, remarks.Annotation(name, text, match))
    say(f"{annotations}: {name[:9]} {text}")


@app.command
def record(
    *revisions: str,
    measured: Measured = Measured(),
    together: Annotated[int | None, WHOLE, within("number of commits", 1, 1000)] = None,
    numbers: Annotated[bool, Parameter(negative="--no-numbers")] = True,
) -> int:
    """Measure commits in turn, so that alarms on them can be trusted.

    A command that was interrupted goes on where it stopped when it is given again.

    Args:
        revisions: FIRST..LAST, both included, or commits.
        together: Commits side by side at most; default: what memory allows, 12.
        numbers: Also look for other results.
    """
    study = measured.of_commits()
    study.check()
    chosen = commits.chosen(Path(), revisions)
    from nnbench.history import record as recording
    from nnbench.show.progress import Bar

    data = study.load()
    cases = study.cases(data)
    parts = recording.plan(chosen, study, cases, together=together)
    tell_backend(study.machine, quiet=measured.output.quiet)
    tell_data(data)
    with waiting(f"checking out {len(chosen)} commits", quiet=measured.output.quiet):
        checked_out = recording.check_out(chosen)
    failed = 0
    for number, part in enumerate(parts, start=1):
        quiet = measured.output.quiet or len(parts) == 1
        note(f"part {number} of {len(parts)}: {measured.output.results / part.name}", quiet=quiet)
        run = measured.run(part, data, checked_out)
        failed |= status(run)
        if numbers and part.round == 0:
            with resumable(), Bar(0, "seeded trainings", quiet=measured.output.quiet) as bar:
                recording.add_digests(part, run.folder, cases, data, checked_out, bar.watch)
        say(str(run.folder))
    return failed


@app.command
def bisect(
    first: str, last: str = "HEAD", /, *, measured: Measured = Measured(), phase: str = "step"
) -> int:
    """Find the commit after FIRST, up to LAST, that changed a time: halves the range.

    A command that was interrupted goes on where it stopped when it is given again.

    Args:
        phase: What changed: step, epoch, cold, compile, trace, build, ...
    """
    one_of("phase", phase, PHASES)
    study = measured.of_commits()
    study.check()
    from nnbench.history import bisect as halving
    from nnbench.history import words

    chosen = halving.chosen(first, last, phase)
    tell_backend(study.machine, quiet=measured.output.quiet)
    data = study.load()
    tell_data(data)
    made: list[Run] = []

    def run(part: "recording.Part", checked_out: "Environments") -> "Run":
        made.append(measured.run(part, data, checked_out))
        return made[-1]

    measure = halving.measuring(study, study.cases(data), phase, run)
    tell = None if measured.output.as_json else lambda seen: say(words.measurement(seen))
    outcome = halving.search(chosen, phase, measure, tell)
    answer(halving.as_json(outcome), [words.outcome(outcome)], as_json=measured.output.as_json)
    return status(*made)
