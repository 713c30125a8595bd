"""`nnbench calibrate`, and the data that calibrate, predict and advise are asked about."""

import shlex
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Data, Machine, Output, Training, options, tell_backend, tell_data
from nnbench.cli.session import begin_index, indexed, resumable, status, tell_failures
from nnbench.errors import UserError
from nnbench.show.terminal import print_json, print_sentences, print_table, say, skipped, waiting
from nnbench.workload import quantities
from nnbench.workload.case import one_of
from nnbench.workload.families import FAMILIES

EPOCHS = 100
USUAL = ("dense", "conv", "lstm", "transformer")
"""Families that between them do each kind of work."""


@options("Data")
@dataclass(frozen=True)
class ShapedData(Data):
    """A data set of which only the shape counts."""

    data: str | None = None
    "Data whose shape counts, such as a CSV."
    features: str | None = None
    "Number of feature columns; or your CSV's, with commas."


@dataclass(frozen=True)
class TimedTraining(Training):
    """Epochs and batches are what a calibration chooses."""

    epochs: Annotated[int, Parameter(parse=False)] = EPOCHS
    batch: Annotated[str, Parameter(parse=False)] = "full"


def calibrate(
    *network: Annotated[str, Parameter(show=False)],
    budget: str = "3min",
    families: str = ",".join(USUAL),
    data: ShapedData = ShapedData(),
    training: TimedTraining = TimedTraining(),
    machine: Machine = Machine(),
    output: Output = Output(),
) -> int:
    """Fit what a network costs here, from trainings that this command chooses and times.

    The networks are chosen by the command, within the families: none is named. Ends with the path
    of a page: coefficients, residuals, maps over depth and width, roofline. Given again, it goes on
    where it stopped and adds to what is there.

    Args:
        budget: Time for each backend and path together, such as 3min.
        families: Kinds of networks that are timed: what of others is like them is predicted, too.
    """
    if network:
        raise UserError(
            "calibrate chooses its networks by itself, within --families: name none; "
            f"{network[0]} is timed by nnbench run {shlex.quote(network[0])}"
        )
    budget_s = quantities.parse_seconds(budget)
    named = _families(families)
    from nnbench.costs.setting import settings, shape_of

    told, failed, shape = [], 0, shape_of(data)
    machine.check_one_device("calibrate")
    chosen = settings(machine, training, shape)
    from nnbench.costs import calibration, page, saved, tables, words
    from nnbench.costs.context import Context
    from nnbench.show.progress import Bar

    tell_backend(machine, quiet=output.quiet)
    tell_data(shape)
    for setting in chosen:
        with resumable(), Bar(round(budget_s), "s", quiet=output.quiet) as bar:

            def show(spent_s: float, note: str, bar: Bar = bar, label: str = setting.label) -> None:
                # A network that has begun is waited for, and as many as a model needs.
                over = " (beyond the budget)" if spent_s > budget_s + 1 else ""
                bar.show(round(spent_s), f"{label}: {note}{over}", round(max(spent_s, budget_s)))

            made = calibration.calibrate(output.results, setting, budget_s, show, named)
        skipped(made.skipped)
        tell_failures(*made.measured)
        failed |= status(*made.measured)
        model = made.model
        folder = saved.folder_of(output.results, setting)
        with waiting("drawing"):
            begin_index(output)
            written = indexed(page.write(folder, Context(model, setting, shape.rows, None, EPOCHS)))
        told.append(tables.model_as_json(model, setting.label, folder, written))
        if not output.as_json:
            print_table(tables.coefficients(model, setting.label))
            print_table(tables.errors(model))
            print_sentences(words.model_sentences(model))
            say(str(written))
    if output.as_json:
        print_json(told)
    return failed


def _families(text: str) -> list[str]:
    """The families that are named, each once. Raises UserError for an unknown one."""
    found = [name.strip() for name in text.split(",")]
    for name in found:
        one_of("family", name, tuple(FAMILIES))
    return list(dict.fromkeys(found))
