"""`nnbench data`: list, show, fetch."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli import COMMANDS, new_app
from nnbench.cli.options import AsJson, Data
from nnbench.show.table import Cell, Table, text_table
from nnbench.show.terminal import answer, say

MOST_COLUMNS = 100

app = new_app("data", COMMANDS["data"])


@dataclass(frozen=True)
class Columns(Data):
    """The options of data that is named by an argument."""

    data: Annotated[str, Parameter(parse=False)] = ""


@app.command(name="list")
def list_(*, as_json: AsJson = False) -> None:
    """The data sets that have a name, and where each lies."""
    from nnbench.workload import datasets

    found = datasets.available()
    rows = []
    for one in found:
        counts = ("-" if count is None else f"{count:,}" for count in (one.rows, one.features))
        rows.append((one.name, one.task, *counts, one.origin, one.problem or one.source))
    columns = ("name", "task", "rows", "features", "copy in use", "what it is")
    answer(found, [text_table("", columns, rows)], as_json=as_json)


@app.command
def show(data: str, /, *, columns: Columns = Columns(), as_json: AsJson = False) -> None:
    """What is in a data set: columns, ranges, classes, first rows.

    Args:
        data: A name from `data list`, a table's or npz file's path, or data.py:load.
    """
    from nnbench.workload import datasets, tasks
    from nnbench.workload.datasets.words import listed

    found = datasets.describe(replace(columns, data=data).load())
    rows = [
        (one.name, one.role, *(f"{x:.4g}" for x in (one.mean, one.sd, one.minimum, one.maximum)))
        for role in ("feature", "label", "weight")
        for one in [one for one in found.columns if one.role == role][:MOST_COLUMNS]
    ]
    names = ("column", "role", "mean", "deviation", "least", "greatest")
    columns_shown = Table("", names, [[Cell(text) for text in row] for row in rows], texts=2)
    lines = []
    several = tasks.kind(found.task) == tasks.MULTILABEL
    if (more := len(found.columns) - len(rows)) > 0:
        lines.append(f"and {more:,} more columns (--json shows all)")
    if found.class_counts is not None:
        named = [one.name for one in found.columns if one.role == "label"]
        if len(named) != len(found.class_counts):
            named = list(map(str, found.class_counts))
        pairs = zip(named, found.class_counts.values(), strict=True)
        counts = listed([f"{count:,} of {one}" for one, count in pairs], 20)
        lines.append(f"rows {'with each label' if several else 'of each class'}: {counts}")
    for number, row in enumerate(found.first_rows, start=1):
        lines.append(f"row {number}: " + listed([f"{value:.4g}" for value in row], MOST_COLUMNS))
    about = [f"{found.name}: {found.task}, {found.rows:,} rows", found.source]
    if found.first_batch is not None:
        about.append(f"all below is of its first batch, {found.first_batch:,} rows")
    shown = [about, columns_shown, *lines, f"digest {found.digest[:12]}"]
    answer(found, shown, as_json=as_json)


@app.command
def fetch(*, from_file: Path | None = None, forget: bool = False) -> None:
    """Fetch the original banknote data, and use it from then on in place of the stand-in.

    Args:
        from_file: A copy that you have downloaded already.
        forget: Drop the fetched original; use the shipped data.
    """
    from nnbench.workload import datasets

    if forget:
        say("dropped" if datasets.forget() else "nothing was fetched")
    else:
        say(str(datasets.fetch(from_file=from_file)))
