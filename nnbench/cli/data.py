"""`nnbench data`: list, show, fetch."""

from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.options import AsJson, AsTask, Features, Label, Standardise, load, say

app = typer.Typer(help="Data sets: what is there, what is in them, fetching the original.")


@app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """The data sets that have a name, and where each lies."""
    from nnbench.cli.data_tables import print_datasets
    from nnbench.workload import datasets

    print_datasets(datasets.available(), as_json=as_json)


@app.command("show")
def data_show(
    data: Annotated[str, typer.Argument(help="A name from `data list`, or a CSV's path.")],
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    standardise: Standardise = False,
    as_json: AsJson = False,
) -> None:
    """What is in a data set: columns, ranges, classes, first rows."""
    from nnbench.cli.data_tables import print_dataset
    from nnbench.workload import datasets

    loaded = load(data, features, label, as_task, standardise)
    print_dataset(loaded, datasets.describe(loaded), as_json=as_json)


@app.command("fetch")
def data_fetch(
    from_file: Annotated[
        Path | None, typer.Option(help="A copy that you have downloaded already.")
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop the fetched original; use the shipped data.")
    ] = False,
) -> None:
    """Fetch the original banknote data, and use it from then on in place of the stand-in."""
    from nnbench.workload import datasets

    if forget:
        say("dropped" if datasets.forget() else "nothing was fetched")
        return
    say(str(datasets.fetch(from_file=from_file)))
