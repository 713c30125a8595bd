"""What is printed of an architecture and of one training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from nnbench.show import units
from nnbench.show.terminal import open_console
from nnbench.training.loss_curve import Verdict
from nnbench.training.session import Session
from nnbench.workload import counts
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import OUTPUT_ACTIVATION, Training
from nnbench.workload.datasets import Dataset


def describe(
    architecture: Architecture, training: Training, *, rows: int, features: int
) -> dict[str, Any]:
    """What follows from an architecture without any framework, as plain data."""
    output = OUTPUT_ACTIVATION[training.task]
    batch = min(training.batch_size or rows, rows)
    cost = counts.step_cost(
        architecture,
        features=features,
        rows=batch,
        activation=training.activation,
        output_activation=output,
        optimizer=training.optimizer,
        precision=training.precision,
    )
    layers = counts.layer_table(
        architecture, features, activation=training.activation, output_activation=output
    )
    return {
        "architecture": architecture.label,
        "features": features,
        "rows_per_step": batch,
        "layers": [asdict(layer) for layer in layers],
        "parameters": architecture.parameters(features),
        **asdict(cost),
        "flops": cost.flops,
        "optimizer": training.optimizer,
        "precision": training.precision,
    }


def print_architecture(shown: dict[str, Any]) -> None:
    """Print what `describe` found."""
    console = open_console()
    table = Table(title=f"network {shown['architecture']}", box=box.SIMPLE_HEAD)
    for name in ("layer (type)", "output shape", "activation"):
        table.add_column(name)
    table.add_column("parameters", justify="right")
    for layer in shown["layers"]:
        table.add_row(
            f"{layer['name']} ({layer['kind']})",
            f"(rows, {layer['cells']})",
            layer["activation"],
            f"{layer['parameters']:,}",
        )
    console.print(table)
    console.print(f"parameters       {shown['parameters']:,}, all trainable")
    console.print(
        f"FLOPs a step     {units.flops(shown['flops'])} on {shown['rows_per_step']:,} rows: "
        f"forward {units.flops(shown['forward_flops'])}, "
        f"backward {units.flops(shown['backward_flops'])}, "
        f"update ({shown['optimizer']}) {units.flops(shown['update_flops'])}"
    )
    console.print(f"weights          {units.data_size(shown['weight_bytes'])}")
    console.print(f"optimizer state  {units.data_size(shown['optimizer_bytes'])}")
    console.print(
        f"activations      {units.data_size(shown['activation_bytes'])} ({shown['precision']})"
    )


def print_weights(session: Session) -> None:
    """Initial and final weights, the first few values of each array."""
    console = open_console()
    for title, weights in (
        ("initial weights", session.initial_weights),
        ("final weights", session.final_weights),
    ):
        console.print(title)
        for position, values in enumerate(weights):
            kind = "kernel" if position % 2 == 0 else "bias"
            text = np.array2string(
                values, precision=4, threshold=100, edgeitems=3, max_line_width=100
            )
            console.print(f"layer {position // 2 + 1}, {kind} {values.shape}", style="dim")
            console.print(text, markup=False)


def print_training(
    session: Session, verdict: Verdict, predictions: NDArray[np.float32], data: Dataset
) -> None:
    """How a training ended: loss, quality on its own data, verdict.

    `predictions` has one value for each of the data's rows.
    """
    console = open_console()
    console.print(
        f"loss ({session.training.loss}): {session.losses[0]:.4g} after the first epoch, "
        f"{session.losses[-1]:.4g} after {len(session.losses)}"
    )
    if data.task == "classification" and np.isfinite(session.losses[-1]):
        accuracy = float(np.mean((predictions >= 0.5) == (data.labels >= 0.5)))
        console.print(f"accuracy on the training data: {accuracy:.2%} of {data.rows:,} rows")
    console.print(verdict.text, markup=False)


def training_as_json(session: Session, verdict: Verdict, chart: Path) -> dict[str, Any]:
    """A training as plain data."""
    return {
        "architecture": session.architecture.label,
        "training": asdict(session.training),
        "data": session.data,
        "seed": session.seed,
        "epochs": len(session.losses),
        "losses": [value if np.isfinite(value) else None for value in session.losses],
        "verdict": verdict.kind,
        "text": verdict.text,
        "chart": str(chart),
    }
