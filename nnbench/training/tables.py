"""What is printed of an architecture and of one training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import open_console, print_table, say
from nnbench.training.loss_curve import Verdict
from nnbench.training.session import Session
from nnbench.workload import counts, tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Training
from nnbench.workload.datasets import Dataset


def describe(architecture: Architecture, training: Training, data: Dataset) -> dict[str, Any]:
    """What follows from an architecture without any framework, as plain data."""
    features, rows = data.width, min(training.batch_size or data.rows, data.rows)
    output = tasks.output_activation(training.task)
    activations = {"activation": training.activation, "output_activation": output}
    outputs = tasks.outputs(training.task)
    kept = {"optimizer": training.optimizer, "precision": training.precision}
    cost = counts.step_cost(
        architecture, features=features, rows=rows, outputs=outputs, **kept, **activations
    )
    return {
        "architecture": architecture.label,
        "features": features,
        "rows_per_step": rows,
        "layers": counts.layer_table(architecture, features, outputs, **activations),
        "parameters": architecture.parameters(features, outputs),
        **asdict(cost),
        "flops": cost.flops,
        **kept,
    }


def print_architecture(shown: dict[str, Any]) -> None:
    """Print what `describe` found."""
    rows = [
        (f"{one.name} ({one.kind})", f"(rows, {one.cells})", one.activation, f"{one.parameters:,}")
        for one in shown["layers"]
    ]
    columns = ("layer (type)", "output shape", "activation", "parameters")
    cells = [[Cell(text) for text in row] for row in rows]
    print_table(Table(f"network {shown['architecture']}", columns, cells, texts=3))
    flops = {name: units.flops(shown[name]) for name in shown if name.endswith("flops")}
    say(
        f"parameters       {shown['parameters']:,}, all trainable",
        f"FLOPs a step     {flops['flops']} on {shown['rows_per_step']:,} rows: "
        f"forward {flops['forward_flops']}, backward {flops['backward_flops']}, "
        f"update ({shown['optimizer']}) {flops['update_flops']}",
        f"weights          {units.data_size(shown['weight_bytes'])}",
        f"optimizer state  {units.data_size(shown['optimizer_bytes'])}",
        f"activations      {units.data_size(shown['activation_bytes'])} ({shown['precision']})",
    )


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
    if tasks.classes(data.task) and np.isfinite(session.losses[-1]):
        single = predictions.shape[1] == 1
        found = predictions[:, 0] >= 0.5 if single else predictions.argmax(axis=1)
        accuracy = float(np.mean(found == data.labels.ravel()))
        say(f"accuracy on the training data: {accuracy:.2%} of {data.rows:,} rows")
    say(verdict.text)


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
