"""`nnbench show`, `nnbench devices` and `nnbench doctor`: looking before measuring."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nnbench.cli.options import (
    NOTEBOOK,
    Activation,
    Architectures,
    AsJson,
    AsTask,
    Batch,
    Data,
    Dtype,
    Features,
    Label,
    Optimizer,
    Quiet,
    load,
    say,
    training_of,
    waiting,
)
from nnbench.errors import UserError


def show(
    architectures: Architectures = None,
    data: Data = "banknotes",
    features: Features = None,
    label: Label = None,
    as_task: AsTask = None,
    optimizer: Optimizer = "adam",
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    batch: Batch = "full",
    as_json: AsJson = False,
) -> None:
    """Layers, parameters, FLOPs and bytes of architectures, by arithmetic alone."""
    from nnbench.training.tables import describe, print_architecture
    from nnbench.workload import architecture as arch

    loaded = load(data, features, label, as_task, False)
    training = training_of(loaded, optimizer, None, activation, dtype, batch, "auto")
    shown = [
        describe(one, training, rows=loaded.rows, features=loaded.width)
        for one in arch.parse_many(architectures or NOTEBOOK)
    ]
    if as_json:
        say(json.dumps(shown, indent=1))
        return
    for one in shown:
        print_architecture(one)


def devices_command(as_json: AsJson = False) -> None:
    """What each backend can train on here."""
    from nnbench.doctor.tables import print_survey, survey_as_json
    from nnbench.machine import devices

    with waiting("asking every backend for its devices"):
        found = devices.survey()
    if as_json:
        say(json.dumps(survey_as_json(found), indent=1))
        return
    print_survey(found)


def doctor(
    backend: Annotated[
        str | None, typer.Option(help="Backend for the noise floor; default: the quickest.")
    ] = None,
    launches: Annotated[int, typer.Option(help="Launches of each side of the noise floor.")] = 5,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure the noise floor.")
    ] = True,
    results: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("results"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What makes timings noisy here, what precision can be had, and what to change."""
    from nnbench import doctor as examination
    from nnbench.doctor.tables import print_diagnosis
    from nnbench.machine import devices
    from nnbench.show.progress import Bar

    chosen = backend or devices.quickest_installed()
    devices.check_installed(chosen)
    if launches < 2:
        raise UserError("a noise floor needs at least two launches of each side")
    findings = examination.examine(results)
    floor = None
    if measure:
        with Bar(0, "trials", quiet=quiet) as bar:
            floor = examination.noise_floor(
                chosen,
                lambda state: bar.show(state.done, state.now, state.total),
                launches=launches,
            )
    if as_json:
        say(json.dumps(examination.as_json(findings, floor), indent=1))
        return
    print_diagnosis(findings, floor)
