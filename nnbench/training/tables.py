"""What is printed of an architecture and of one training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import open_console, print_table, say
from nnbench.training.loss_curve import Verdict
from nnbench.training.session import Session
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Training
from nnbench.workload.counts import NetworkCount, dense
from nnbench.workload.datasets import Dataset
from nnbench.workload.families import TABLE

WAYS = ("forward_flops", "backward_flops")


def counted(architecture: Architecture, training: Training, data: Dataset) -> NetworkCount:
    """The counts of one step; Keras builds the network unless it is a chain of Dense layers."""
    rows = min(training.batch_size or data.rows, data.rows)
    if architecture.family == "dense" and data.kind == TABLE:
        return dense.count(
            architecture,
            features=data.width,
            rows=rows,
            outputs=tasks.outputs(training.task),
            activation=training.activation,
            output_activation=tasks.output_activation(training.task),
            optimizer=training.optimizer,
            precision=training.precision,
        )
    from nnbench.workload import keras_model
    from nnbench.workload.counts import built

    model = keras_model.build(architecture, training, data.shape, data.vocabulary)
    return built.count(model, data.features[:rows])


def describe(network: str, found: NetworkCount, training: Training) -> dict[str, Any]:
    """Counts of a network of this name as plain data."""
    return {
        "architecture": network,
        "rows_per_step": found.rows,
        "layers": [
            {
                **vars(one),
                "cells": one.output[-1] if one.output else None,
                "forward_flops": one.forward_flops,
                "backward_flops": one.backward_flops,
            }
            for one in found.layers
        ],
        "parameters": found.parameters,
        "trainable": found.trainable,
        "forward_flops": found.forward_flops,
        "backward_flops": found.backward_flops,
        "update_flops": found.update_flops,
        "flops": found.flops,
        "weight_bytes": found.weight_bytes,
        "optimizer_bytes": found.optimizer_bytes,
        "activation_bytes": found.activation_bytes,
        "not_counted": found.uncounted,
        "optimizer": training.optimizer,
        "precision": training.precision,
    }


def print_network(shown: dict[str, Any]) -> None:
    """Print what `describe` found."""
    rows = [
        (
            f"{one['name']} ({one['kind']})",
            _shape(one["output"]),
            one["activation"],
            f"{one['parameters']:,}",
            *(units.flops(one[way]) if one["counted"] else "not counted" for way in WAYS),
        )
        for one in shown["layers"]
    ]
    columns = ("layer (type)", "output shape", "activation", "parameters", "forward", "backward")
    cells = [[Cell(text) for text in row] for row in rows]
    print_table(Table(f"network {shown['architecture']}", columns, cells, texts=3))
    update = shown["update_flops"]
    frozen = shown["parameters"] - shown["trainable"]
    say(
        f"parameters       {shown['parameters']:,}, "
        + (f"{frozen:,} of them not trained" if frozen else "all trainable"),
        f"FLOPs a step     {units.flops(shown['flops'])} on {shown['rows_per_step']:,} rows: "
        f"forward {units.flops(shown['forward_flops'])}, "
        f"backward {units.flops(shown['backward_flops'])}, "
        f"update ({shown['optimizer']}) {'?' if update is None else units.flops(update)}",
        f"weights          {units.data_size(shown['weight_bytes'])}",
        f"optimizer state  {units.data_size(shown['optimizer_bytes'])}",
        f"activations      {units.data_size(shown['activation_bytes'])} ({shown['precision']})",
    )
    if shown["not_counted"]:
        say(f"not counted      {', '.join(shown['not_counted'])}")


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(['rows', *map(str, shape[1:])])})" if shape else ""


def print_weights(session: Session) -> None:
    """Initial and final weights, the first few values of each array."""
    console = open_console()
    shown = {"initial weights": session.initial_weights, "final weights": session.final_weights}
    with np.printoptions(precision=4, threshold=100, edgeitems=3, linewidth=100):
        for title, weights in shown.items():
            console.print(title)
            for position, values in enumerate(weights):
                kind = "kernel" if position % 2 == 0 else "bias"
                console.print(f"layer {position // 2 + 1}, {kind} {values.shape}", style="dim")
                console.print(str(values))


def print_training(
    session: Session, verdict: Verdict, predictions: NDArray[np.float32], data: Dataset
) -> None:
    """How a training ended: loss, how good `predictions` (rows, outputs) are, verdict."""
    say(
        f"loss ({session.training.loss}): {session.losses[0]:.4g} after the first epoch, "
        f"{session.losses[-1]:.4g} after {len(session.losses)}"
    )
    if tasks.kind(data.task) != tasks.REGRESSION and np.isfinite(session.losses[-1]):
        say(f"accuracy on the training data: {_accuracy(predictions, data)}")
    say(verdict.text)


def _accuracy(predictions: NDArray[np.float32], data: Dataset) -> str:
    """The share of rows, or of all labels of several a row, that is told right."""
    labels, kind = data.labels, tasks.kind(data.task)
    if kind == tasks.MULTILABEL:
        share = float(np.mean((predictions >= 0.5) == labels))
        return f"{share:.2%} of all labels, {labels.shape[1]} in each of {data.rows:,} rows"
    labels = labels.argmax(axis=1) if kind == tasks.ONE_HOT else labels.ravel()
    single = predictions.shape[1] == 1
    found = predictions[:, 0] >= 0.5 if single else predictions.argmax(axis=1)
    return f"{float(np.mean(found == labels)):.2%} of {data.rows:,} rows"


def as_json(session: Session, verdict: Verdict, chart: Path) -> dict[str, Any]:
    """A training, for `show.plain`."""
    return {
        "architecture": session.architecture.label,
        "training": session.training,
        "data": session.data,
        "seed": session.seed,
        "epochs": len(session.losses),
        "losses": session.losses,
        "verdict": verdict.kind,
        "text": verdict.text,
        "chart": chart,
    }
