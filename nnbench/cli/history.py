"""`nnbench history` and its commands."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnbench.cli.options import (
    AsJson,
    Batch,
    Data,
    Models,
    Quiet,
    Threads,
    TrainingPath,
    cases_of,
    load,
    say,
    training_of,
    waiting,
)
from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.history.check import Check
    from nnbench.history.table import History
    from nnbench.store.runs import Run

PLACES = (".asv", ".benchmarks", "results")

app = typer.Typer(
    help="Training time over commits: read asv, pytest-benchmark and runs; alarms; bisecting.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--in",
        metavar="FOLDER",
        help="Where results lie, again for more than one.",
        show_default="those there are of .asv, .benchmarks, results",
    ),
]
Match = Annotated[
    list[str] | None,
    typer.Option(help="Regular expression that benchmark or case must have; again for more."),
]
Repository = Annotated[
    Path, typer.Option("--repository", help="The git repository that orders the commits.")
]
Branch = Annotated[str, typer.Option(help="Whose commits count.")]
Least = Annotated[str, typer.Option(help="The smallest change worth an alarm.")]
FalseAlarms = Annotated[
    str, typer.Option("--false-alarms", help="Share of false ones among alarms, at most.")
]
Remarks = Annotated[
    Path,
    typer.Option("--annotations", help="File of remarks on commits."),
]
REMARKS = Path("nnbench-history.json")
Architecture = Annotated[
    str | None, typer.Option("--architectures", help="What to train, such as 6,6 or 6x5.")
]
Backend = Annotated[
    str | None, typer.Option(help="tensorflow, jax or torch; default: the quickest to start.")
]
Device = Annotated[str, typer.Option(help="cpu, gpu or gpu:1.")]
Results = Annotated[Path, typer.Option(help="Folder for runs.")]


@app.callback(invoke_without_command=True)
def history(
    context: typer.Context,
    folders: Folders = None,
    match: Match = None,
    repository: Repository = Path(),
    branch: Branch = "HEAD",
    as_json: AsJson = False,
) -> None:
    """All measurements over commits in one table, a line a benchmark, case and host."""
    if context.invoked_subcommand is not None:
        return
    found = _read(folders, match, repository, branch)
    if as_json:
        from nnbench.history import table

        say(json.dumps(table.as_json(found.table)))
        return
    from nnbench.history.tables import print_history

    print_history(found)


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="NAME.csv, NAME.parquet or NAME.json.")],
    folders: Folders = None,
    match: Match = None,
    repository: Repository = Path(),
    branch: Branch = "HEAD",
) -> None:
    """Write the table: one row a benchmark, case, commit, host and environment."""
    from nnbench.history import table
    from nnbench.history.tables import print_skipped

    found = _read(folders, match, repository, branch)
    table.export(found, file)
    print_skipped(found.skipped)
    say(f"{file}: {len(found.table)} rows")


@app.command("check")
def check(
    folders: Folders = None,
    match: Match = None,
    repository: Repository = Path(),
    branch: Branch = "HEAD",
    since: Annotated[
        str | None, typer.Option(help="Only changes that may lie after this commit.")
    ] = None,
    least: Least = "3%",
    false_alarms: FalseAlarms = "1%",
    markdown: Annotated[
        Path | None, typer.Option(help="Also write a summary for a pull request comment.")
    ] = None,
    annotations: Remarks = REMARKS,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on unconfirmed changes, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Which commits made training slower, or changed its numbers.

    Exit status: 0 without an alarm, 1 with one, 2 for a mistake.
    """
    from nnbench.history import check as checking
    from nnbench.history.alarms import UNCONFIRMED
    from nnbench.history.tables import print_check

    done = _checked(folders, match, repository, branch, since, least, false_alarms, annotations)
    if markdown is not None:
        try:
            markdown.write_text(checking.markdown(done), encoding="utf-8")
        except OSError as failure:
            raise UserError(f"{markdown} cannot be written: {failure.strerror}") from failure
    if as_json:
        say(checking.dumps(done))
    else:
        print_check(done)
    doubtful = any(
        one.alarm.kind == UNCONFIRMED and one.alarm.slower and not one.acknowledged
        for one in done.found
    )
    if done.alarms or (strict and doubtful):
        raise typer.Exit(1)


@app.command("chart")
def chart(
    folder: Annotated[Path, typer.Argument(help="Where the page and its charts go.")] = Path(
        "results"
    ),
    folders: Folders = None,
    match: Match = None,
    repository: Repository = Path(),
    branch: Branch = "HEAD",
    least: Least = "3%",
    false_alarms: FalseAlarms = "1%",
    annotations: Remarks = REMARKS,
) -> None:
    """Write history.html: every benchmark over commits, with intervals and alarms."""
    from nnbench.history import annotations as remarks
    from nnbench.history import page

    done = _checked(folders, match, repository, branch, None, least, false_alarms, annotations)
    say(str(page.write(done, folder, remarks.read(annotations))))


@app.command("annotate")
def annotate(
    commit: Annotated[str, typer.Argument(help="The commit.")],
    text: Annotated[str, typer.Argument(help="What is known of it.")],
    match: Annotated[
        str, typer.Option(help="Only for benchmarks and cases with this regular expression.")
    ] = "",
    repository: Repository = Path(),
    annotations: Remarks = REMARKS,
) -> None:
    """Remark on a commit: its alarms count as acknowledged, and charts show it."""
    from nnbench.history import annotations as remarks
    from nnbench.history import commits

    name = commits.resolve(repository, commit)
    remarks.add(annotations, remarks.Annotation(name, text, match))
    say(f"{annotations}: {name[:9]} {text}")


@app.command("record")
def record(
    revisions: Annotated[
        list[str], typer.Argument(metavar="FIRST..LAST|COMMIT...", help="Both ends included.")
    ],
    architectures: Architecture = None,
    model: Models = None,
    data: Data = "banknotes",
    backend: Backend = None,
    device: Device = "cpu",
    threads: Threads = None,
    path: TrainingPath = "fit",
    epochs: Annotated[int, typer.Option(help="Epochs of a cold training.")] = 30,
    batch: Batch = "full",
    launches: Annotated[int, typer.Option(help="Fresh processes of each commit.")] = 5,
    blocks: Annotated[int, typer.Option(help="Times each case's turn comes in a launch.")] = 1,
    together: Annotated[
        int | None,
        typer.Option(help="Commits side by side at most.", show_default="what memory allows, 12"),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers/--no-numbers", help="Also look for other results.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of the order of measurement.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds after which a trial is given up.")] = 120.0,
    results: Results = Path("results"),
    quiet: Quiet = False,
) -> None:
    """Measure commits in turn, so that alarms on them can be trusted.

    A command that was interrupted goes on where it stopped when it is given again.
    """
    from nnbench.cli.session import execute
    from nnbench.history import commits
    from nnbench.history import record as recording
    from nnbench.show.progress import Bar

    chosen = commits.chosen(Path(), revisions)
    loaded = load(data, None, None, None, False)
    cases, specify = _specifying(
        architectures,
        model,
        loaded,
        backend,
        device,
        threads,
        path,
        epochs,
        batch,
        blocks,
        seed,
        limit,
    )
    parts = recording.plan(
        chosen,
        specify,
        launches=launches,
        together=together or recording.together_at_most(),
        seed=seed,
    )
    places = recording.check_out(chosen)
    for number, part in enumerate(parts):
        folder = recording.folder_of(results, part)
        if len(parts) > 1 and not quiet:
            sys.stderr.write(f"part {number + 1} of {len(parts)}: {folder}\n")
        execute(
            folder, loaded, {side: places[name] for side, name in part.commits.items()}, quiet=quiet
        )
        if numbers and part.round == 0:
            with Bar(0, "seeded trainings", quiet=quiet) as bar:
                recording.digests(
                    part,
                    folder,
                    cases,
                    loaded,
                    places,
                    lambda state: bar.show(state.done, state.now, state.total),
                )
        say(str(folder))


@app.command("bisect")
def bisect(
    first: Annotated[str, typer.Argument(help="A commit before the change.")],
    last: Annotated[str, typer.Argument(help="A commit after it.")] = "HEAD",
    architectures: Architecture = None,
    model: Models = None,
    phase: Annotated[
        str, typer.Option(help="What changed: step, epoch, cold, compile, trace, build, ...")
    ] = "step",
    data: Data = "banknotes",
    backend: Backend = None,
    device: Device = "cpu",
    threads: Threads = None,
    path: TrainingPath = "fit",
    epochs: Annotated[int, typer.Option(help="Epochs of a cold training.")] = 30,
    batch: Batch = "full",
    launches: Annotated[int, typer.Option(help="Rounds of each step, before more are needed.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the order of measurement.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds after which a trial is given up.")] = 120.0,
    results: Results = Path("results"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the commit that changed a time: halves the range, measuring its ends along.

    A command that was interrupted goes on where it stopped when it is given again.
    """
    from nnbench.cli.session import execute
    from nnbench.history import bisect as halving
    from nnbench.history import commits
    from nnbench.history import record as recording
    from nnbench.history.tables import outcome_text, step_text
    from nnbench.phases import PHASES

    if phase not in PHASES:
        raise UserError(f"unknown phase '{phase}': choose from {', '.join(PHASES)}")
    chosen = commits.chosen(Path(), [f"{first}..{last}"])
    if len(chosen) < 2:
        raise UserError(f"there are no commits after {first} up to {last}")
    loaded = load(data, None, None, None, False)
    _, specify = _specifying(
        architectures,
        model,
        loaded,
        backend,
        device,
        threads,
        path,
        epochs,
        batch,
        1,
        seed,
        limit,
        halving.trials_for(phase),
    )

    def measure(shown: Any, attempt: int) -> Any:
        places = recording.check_out(shown)
        # Another seed is another run: more rounds, with orders of their own.
        plans = recording.plan(
            shown,
            lambda names, rounds: {**specify(names, rounds), "seed": seed + attempt},
            launches=launches,
            together=len(shown),
        )
        folder = recording.folder_of(results, plans[0])
        sides = {side: places[name] for side, name in plans[0].commits.items()}
        return execute(folder, loaded, sides, quiet=quiet)

    def tell(step: halving.Step) -> None:
        if not as_json:
            say(step_text(step))

    outcome = halving.search(chosen, phase, measure, tell)
    if as_json:
        say(json.dumps(halving.as_json(outcome)))
        return
    say(outcome_text(outcome))


def _read(
    folders: list[Path] | None, match: list[str] | None, repository: Path, branch: str
) -> "History":
    from nnbench.history import table

    chosen = folders or [Path(name) for name in PLACES if Path(name).is_dir()]
    if not chosen:
        raise UserError(f"there is none of {', '.join(PLACES)} here: name folders with --in FOLDER")
    with waiting("reading results"):
        inside = table.repository_at(repository)
        found = table.choose(table.read(chosen, inside, branch), match or [])
    if found.table.empty:
        reasons = "".join(f"; {one.place}: {one.reason}" for one in found.skipped[:3])
        raise UserError(
            f"no results of commits in {', '.join(str(one) for one in chosen)}{reasons}"
        )
    return found


def check_networks(run: "Run", folders: list[Path]) -> "Check":
    """Look for changes in what was measured over commits of a run's networks, on its host."""
    from nnbench.history import annotations as remarks
    from nnbench.history import check as checking
    from nnbench.history import table

    found = _read(folders, None, Path(), "HEAD")
    host = str(run.fingerprint["host"])
    labels = sorted({case.label for case in run.cases.values()})
    part = table.of_networks(found, host, labels)
    if part.table.empty:
        raise UserError(
            f"nothing in {', '.join(str(one) for one in folders)} was measured on {host} of "
            f"{', '.join(labels)}: leave --history out, or record it with nnbench history record"
        )
    return checking.run(part, remarks.read(REMARKS))


def _checked(
    folders: list[Path] | None,
    match: list[str] | None,
    repository: Path,
    branch: str,
    since: str | None,
    least: str,
    false_alarms: str,
    annotations: Path,
) -> "Check":
    from nnbench.history import annotations as remarks
    from nnbench.history import check as checking
    from nnbench.history import commits
    from nnbench.workload import quantities

    found = _read(folders, match, repository, branch)
    with waiting("looking for changes"):
        return checking.run(
            found,
            remarks.read(annotations),
            false_alarms=quantities.parse_share(false_alarms),
            least=quantities.parse_share(least),
            since=commits.resolve(repository, since) if since else None,
        )


def _specifying(
    architectures: str | None,
    model: list[str] | None,
    loaded: Any,
    backend: str | None,
    device: str,
    threads: int | None,
    path: str,
    epochs: int,
    batch: str,
    blocks: int,
    seed: int,
    limit: float,
    trials: dict[str, Any] | None = None,
) -> Any:
    """The cases, and a function that specifies a run of them from its sides and rounds."""
    from nnbench.machine import devices
    from nnbench.measure import run as measuring

    networks = [architectures] if architectures else [] if model else ["6,6"]
    training = training_of(loaded, "adam", None, "relu", "float32", batch, "auto")
    cases = cases_of(
        networks,
        loaded,
        training,
        backend or devices.quickest_installed(),
        device,
        threads,
        path,
        epochs,
        model or [],
    )

    def specify(sides: list[str], rounds: int) -> dict[str, Any]:
        return measuring.specification(
            cases,
            launches=rounds,
            blocks=blocks,
            seed=seed,
            limit_s=limit,
            sides=sides,
            models=model or [],
            **(trials or {}),
        )

    return cases, specify
