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
