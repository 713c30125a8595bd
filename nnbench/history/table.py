"""One table over commits: a row a benchmark, case, commit, host and environment.

    source, host, environment   who measured, where, with what: never mixed
    benchmark, case, version    what was measured; a new `version` begins a new history
    unit, value, low, high      95 % interval, NaN where the tool gives none
    log_error                   standard error of the logarithm of `value`
    samples, launches           what stands behind it
    interleaved, noisy          measured in turn with other commits; share of noisy blocks
    pace_s                      seconds for 1 GFLOP of a matrix product then: the machine's speed
    digest                      of what the training computed, where that was recorded
    commit, date, order         position in the repository's history, from 0

Runners whose names change are one host where a person says so (`same_host`): their CPU's model and
count must agree then, and of the environment what no machine decides.

Files that are damaged or foreign are named in `History.skipped`, and nothing is lost for them.
"""

import bisect
import json
import os
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnbench.errors import UserError
from nnbench.history import commits, pattern
from nnbench.history.commits import Commit
from nnbench.history.readers import Row, Skipped, asv, pytest_benchmark, runs
from nnbench.machine import whole_file
from nnbench.machine.git import GitError
from nnbench.show.plain import plain
from nnbench.show.text import encodable, no_formula

SERIES = ["source", "host", "environment", "benchmark", "case", "version", "unit"]
"""What rows must share to be one history."""

COLUMNS = [
    *SERIES,
    *("commit", "date", "order", "value", "low", "high", "log_error"),
    *("samples", "launches", "interleaved", "noisy", "pace_s", "digest"),
]
USUAL_FOLDERS = (".asv", ".benchmarks", "results")
LEFT_OUT = {".git", ".venv", "venv", "env", "node_modules", ".nnbench", "html", "__pycache__"}
NORMAL_95 = 1.96
LARGEST_LOG_ERROR = 10.0
"""Of a value that is known at all; a larger one is not known either."""


@dataclass(frozen=True)
class History:
    """The table; `pairs` (`runs.PAIR_COLUMNS`): blocks measured in turn; `known`: commits."""

    table: pd.DataFrame
    pairs: pd.DataFrame
    skipped: list[Skipped] = field(default_factory=list)
    known: dict[str, Commit] = field(default_factory=dict)

    def subject(self, commit: str) -> str:
        """The first line of a commit's message; empty where git is not there to tell it."""
        return self.known[commit].subject if commit in self.known else ""


def read(
    folders: Sequence[Path],
    repository: Path | None = None,
    revisions: str = "HEAD",
    same_host: Sequence[str] = (),
) -> History:
    """Read results in `repository`'s order, or by date. Raises UserError for what is not there.

    `folders` may be files, too. Hosts whose name has one of `same_host` (regular expressions)
    count as one, unless groups of it are unlike.
    """
    known = commits.known(repository, revisions) if repository else {}
    return _read(folders, known, [], same_host)


def read_chosen(
    folders: Sequence[Path] = (),
    match: Sequence[str] = (),
    repository: Path | None = None,
    revisions: str | None = None,
    same_host: Sequence[str] = (),
) -> History:
    """`choose` of `read` of these or the usual folders. Raises UserError if nothing is left.

    Without a repository and revisions it is that of the working directory, if that has one.
    """
    folders = folders or [Path(one) for one in USUAL_FOLDERS if Path(one).is_dir()]
    if not folders:
        usual = ", ".join(USUAL_FOLDERS)
        raise UserError(f"there is none of {usual} here: name folders with --in FOLDER")
    known, skipped = {}, []
    try:
        known = commits.known(repository or Path(), revisions or "HEAD")
    except GitError as failure:
        if repository is not None or revisions is not None:
            raise
        if not failure.absent:
            skipped.append(Skipped("the repository", f"{failure}: ordered by date"))
    found = choose(_read(folders, known, skipped, same_host), match)
    if found.table.empty:
        reasons = "".join(f"; {one.place}: {one.reason}" for one in found.skipped[:3])
        raise UserError(f"no results of commits in {', '.join(map(str, folders))}{reasons}")
    return found


def _read(
    folders: Sequence[Path],
    known: dict[str, Commit],
    skipped: list[Skipped],
    same_host: Sequence[str] = (),
) -> History:
    alike = [pattern(one) for one in same_host]
    rows: list[Row] = []
    pairs = [pd.DataFrame(columns=runs.PAIR_COLUMNS)]
    first: dict[tuple[str, ...], Path] = {}
    for path, siblings in _files(folders, skipped):
        found: Iterable[Row | Skipped] = ()
        blocks = pairs[0]
        if runs.is_result(path):
            found, blocks = runs.read(path)
        elif asv.is_result(path, siblings):
            found = asv.read(path)
        elif pytest_benchmark.is_result(path):
            found = pytest_benchmark.read(path)
        for one in found:
            if isinstance(one, Skipped):
                skipped.append(one)
            elif (before := first.setdefault(_measurement(one), path)) == path:
                # Pandas keeps no text that cannot be encoded.
                row = Row._make(encodable(v) if isinstance(v, str) else v for v in one)
                rows.append(of_a_kind(row, alike))
                if not row.cpu and any(one.search(row.host) for one in alike):
                    reason = "its CPU's model is not known: it is a host of its own"
                    skipped.append(Skipped(f"{row.source} on {row.host}", reason))
            else:
                # A copy of a file, or the same session saved another way.
                skipped.append(Skipped(str(path), f"holds what {before} holds"))
                blocks = pairs[0]
        if not blocks.empty:
            # A run's blocks are all of one host, as its rows are.
            pairs.append(blocks.assign(host=rows[-1].host, environment=rows[-1].environment))
    table = _table(rows, known, skipped)
    kept = pd.concat(pairs[1:] or pairs)
    kept = kept[kept["commit"].isin(table["commit"])].reset_index(drop=True)
    return History(table, kept, list(dict.fromkeys(skipped)), known)


def of_a_kind(row: Row, alike: Sequence[re.Pattern[str]]) -> Row:
    """The row as of the machines of its kind, where its host's name has one of these patterns."""
    match = next(filter(None, (one.search(row.host) for one in alike)), None)
    if match is None or not row.cpu:
        return row
    kind = " ".join(part or "" for part in match.groups()) or match.re.pattern
    return row._replace(host=f"{kind} ({row.cpu})", environment=row.software)


def _measurement(row: Row) -> tuple[str, ...]:
    names = (row.source, row.host, row.environment, row.benchmark, row.case)
    return *names, row.commit, row.session


def _files(folders: Sequence[Path], skipped: list[Skipped]) -> Iterator[tuple[Path, set[str]]]:
    """Every JSON file below `folders`, or that is named, once, and the names of all beside it."""
    seen: set[str] = set()

    def unread(failure: OSError) -> None:
        skipped.append(Skipped(str(failure.filename), failure.strerror or "cannot be read"))

    for folder in folders:
        if os.path.isfile(folder):  # noqa: PTH113 - a name may be too long
            real = os.path.realpath(folder)
            if real not in seen:
                seen.add(real)
                yield folder, {one.name for one in folder.absolute().parent.iterdir()}
            continue
        if not os.path.isdir(folder):  # noqa: PTH112 - a name may be too long
            mend = "name one with results of asv, pytest-benchmark or nnbench"
            raise UserError(f"{folder} is no folder: {mend}")
        for inside, inner, names in os.walk(folder, onerror=unread):
            inner[:] = sorted(name for name in inner if name not in LEFT_OUT)
            for name in sorted(name for name in names if name.endswith(".json")):
                path = Path(inside) / name
                real = os.path.realpath(path)
                if not os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
                    skipped.append(Skipped(str(path), "it is no file"))
                elif real not in seen:
                    seen.add(real)
                    yield path, set(names)


def _table(rows: list[Row], known: dict[str, Commit], skipped: list[Skipped]) -> pd.DataFrame:
    table = pd.DataFrame.from_records(rows, columns=list(Row._fields))
    table["date"] = pd.to_datetime(table["date"], utc=True)
    table["commit"] = table["commit"].map(_full_names(table["commit"].unique(), known))
    strange = ~table["commit"].isin(list(known))
    if known and len(table) and not strange.all():
        for name in table["commit"][strange].unique():
            skipped.append(Skipped(f"commit {name[:9]}", "it is not on this branch"))
        table = table[~strange]
    elif known and len(table):
        reason = "it holds none of the measured commits: ordered by date"
        skipped.append(Skipped("the repository", reason))
    order = list(known)
    if not len(table) or table["commit"].iloc[0] not in known:
        # Stable: commits of one moment stay in the order they were read in.
        dates = table.groupby("commit", sort=False)["date"].min().sort_values(kind="stable")
        order = list(dates.index)
    numbers = {name: number for number, name in enumerate(order)}
    table["log_error"] = table["log_error"].where(table["log_error"] < LARGEST_LOG_ERROR)
    table = _one_row_a_commit(table.assign(order=table["commit"].map(numbers)))
    table["low"] = table["value"] * np.exp(-NORMAL_95 * table["log_error"])
    table["high"] = table["value"] * np.exp(NORMAL_95 * table["log_error"])
    return table.sort_values([*SERIES, "order"])[COLUMNS].reset_index(drop=True)


def _full_names(names: Iterable[str], known: dict[str, Commit]) -> dict[str, str]:
    """Tools write a commit's name in full or cut it; both are one commit."""
    ordered = sorted(known)
    found = {}
    for name in names:
        here = bisect.bisect_left(ordered, name)
        whole = [one for one in ordered[here : here + 2] if one.startswith(name)]
        found[name] = whole[0] if len(whole) == 1 else name
    return found


def _one_row_a_commit(table: pd.DataFrame) -> pd.DataFrame:
    """Measured several times: the centre of all; in turn with others where that was done."""
    key = [*SERIES, "commit"]
    # A commit that was measured both ways counts as it was measured best.
    if len(table):
        best = table.groupby(key, sort=False)["interleaved"].transform("max")
        table = table[table["interleaved"] == best]
    twice = table.duplicated(key, keep=False)
    if not twice.any():
        return table
    several = table[twice].assign(log=np.log(table["value"].where(table["value"] > 0)))
    groups = several.groupby(key, sort=False)
    whole = groups.agg(
        date=("date", "min"),
        order=("order", "first"),
        value=("value", "median"),
        middle=("log", "median"),
        spread=("log", "std"),
        rows=("log", "size"),
        samples=("samples", "sum"),
        launches=("launches", "sum"),
        interleaved=("interleaved", "first"),
        noisy=("noisy", "mean"),
        pace_s=("pace_s", "median"),
        digest=("digest", "max"),
    )
    positive = groups["log"].count() == whole["rows"]
    whole["value"] = np.exp(whole["middle"]).where(positive, whole["value"])
    # The standard error of a median is larger than a mean's by the root of pi / 2.
    whole["log_error"] = (1.2533 * whole["spread"] / np.sqrt(whole["rows"])).where(positive)
    digests = several[several["digest"] != ""].groupby(key, sort=False)["digest"].nunique()
    whole.loc[digests[digests > 1].index, "digest"] = "various"
    whole = whole.reset_index().drop(columns=["middle", "spread", "rows"])
    return pd.concat([table[~twice], whole], ignore_index=True)


def choose(history: History, words: Sequence[str]) -> History:
    """The part of a history whose benchmark or case has each of `words` (regular expressions)."""
    table, pairs = history.table, history.pairs
    for word in words:
        found = pattern(word)
        table = table[(table["benchmark"] + " " + table["case"]).map(found.search).notna()]
        pairs = pairs[(pairs["benchmark"] + " " + pairs["case"]).map(found.search).notna()]
    return replace(history, table=table, pairs=pairs)


def of_networks(history: History, host: str, labels: Sequence[str]) -> History:
    """The part of a history that was measured on a host, of networks with one of these labels."""
    either = "|".join(re.escape(label) for label in labels)
    # `6` is neither `6x2` nor `6,12`.
    found = choose(history, [rf"(?<![\w,])(?:{either})(?![\w]|,\w)"])
    table, pairs = found.table, found.pairs
    return replace(found, table=table[table["host"] == host], pairs=pairs[pairs["host"] == host])


def export(history: History, path: Path) -> None:
    """Write CSV, Parquet or JSON by the name's ending. Raises UserError where that cannot be."""
    match path.suffix:
        case ".csv":
            # Who opens it in a spreadsheet runs nothing that a benchmark's name says.
            words = history.table.select_dtypes(exclude=["number", "bool"])
            told = words.map(lambda one: no_formula(one) if isinstance(one, str) else one)
            whole_file.write(path, history.table.assign(**told).to_csv(index=False))
        case ".parquet":
            whole_file.write(path, history.table.to_parquet(index=False))
        case ".json":
            whole_file.write(path, json.dumps(plain(rows(history)), indent=1) + "\n")
        case _:
            raise UserError(f"{path} ends in none of .csv, .parquet, .json: name one of them")


def rows(history: History) -> list[dict[Hashable, Any]]:
    """The rows of the table as dictionaries."""
    return history.table.to_dict("records")
