"""What is printed of data sets."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.table import Table
from rich.text import Text

from nnbench.show.terminal import open_console
from nnbench.workload.datasets import Dataset, DatasetInfo, Description


def print_datasets(found: Sequence[DatasetInfo], *, as_json: bool) -> None:
    """The data sets that have a name."""
    if as_json:
        plain = [{**asdict(one), "path": one.path and str(one.path)} for one in found]
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("name", "task", "rows", "features", "copy in use", "what it is"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(
            one.name,
            one.task,
            "-" if one.rows is None else f"{one.rows:,}",
            "-" if one.features is None else str(one.features),
            one.origin,
            Text(one.problem or one.source),
        )
    open_console().print(table)


def print_dataset(data: Dataset, description: Description, *, as_json: bool) -> None:
    """Columns, ranges, classes and first rows of a data set."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(description), indent=1) + "\n")
        return
    console = open_console()
    console.print(
        f"{description.name}: {description.task}, {description.rows:,} rows", markup=False
    )
    console.print(description.source, markup=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("column")
    table.add_column("role")
    for name in ("mean", "deviation", "least", "greatest"):
        table.add_column(name, justify="right")
    for column in description.columns:
        figures = (column.mean, column.sd, column.minimum, column.maximum)
        table.add_row(Text(column.name), column.role, *(f"{figure:.4g}" for figure in figures))
    console.print(table)
    if description.class_counts is not None:
        counts = ", ".join(f"{count:,} of {c}" for c, count in description.class_counts.items())
        console.print(f"rows of each class: {counts}")
    for number, row in enumerate(description.first_rows, start=1):
        console.print(f"row {number}: " + ", ".join(f"{value:.4g}" for value in row))
    console.print(f"digest {data.digest[:12]}", style="dim")
