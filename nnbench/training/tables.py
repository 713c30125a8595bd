"""What is printed of an architecture and of one training."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import open_console, print_table, say
from nnbench.training.loss_curve import Verdict
from nnbench.training.session import Session
from nnbench.workload import tasks
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training
from nnbench.workload.counts import NetworkCount, dense
from nnbench.workload.datasets import Dataset
from nnbench.workload.families import TABLE
from nnbench.workload.user_code import reason

WIDE, NARROW = 100, 70
"""Columns of a terminal from which a layer's type and bytes stand in columns of their own, and
under which FLOPs go without their unit."""

MOST_NAMED = 4


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


def counted_own(case: Case, data: Dataset) -> NetworkCount:
    """The counts of a step of a person's own model. Raises UserError where it cannot be called."""
    from nnbench.workload import keras_model
    from nnbench.workload.counts import built

    model = keras_model.for_case(case)
    inputs = data.training_data.first(case.batch_rows).x
    try:
        keras_model.make_weights(model, inputs)
        return built.count(model, inputs)
    except Exception as failure:
        raise UserError(f"{case.model} cannot be counted: {reason(failure)}") from failure


def describe(case: Case, found: NetworkCount, training: Training | None = None) -> dict[str, Any]:
    """Counts of a case's network as plain data; without a training, of a person's own."""
    return {
        "name": case.name,
        "architecture": case.label,
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
        "optimizer": training.optimizer if training else found.optimizer,
        "precision": training.precision if training else found.precision,
    }


def print_network(shown: dict[str, Any]) -> None:
    """Print what `describe` found, as wide as the terminal is."""
    print_table(_layers(shown, open_console().width))
    update = shown["update_flops"]
    frozen = shown["parameters"] - shown["trainable"]
    say(
        f"parameters       {shown['parameters']:,}, "
        + (f"{frozen:,} of them not trained" if frozen else "all trainable"),
        f"FLOPs a step     {units.flops(shown['flops'])}",
        f"  of the update  {'?' if update is None else units.flops(update)} ({shown['optimizer']})",
        f"weights          {units.data_size(shown['weight_bytes'])}",
        f"optimizer state  {units.data_size(shown['optimizer_bytes'])}",
        f"activations      {units.data_size(shown['activation_bytes'])} ({shown['precision']})",
    )
    for line in _not_counted(shown):
        say(f"not counted      {line}")


def _layers(shown: dict[str, Any], width: int) -> Table:
    """A line for each layer, and the sums."""
    is_wide, texts = width >= WIDE, 3 if width >= WIDE else 2

    def flops(value: int) -> str:
        text = units.flops(value)
        return text if width >= NARROW else text.removesuffix("FLOP").rstrip()

    def figures(of: dict[str, Any], *, counted: bool = True) -> list[str]:
        ways = (of["forward_flops"], of["backward_flops"])
        shown_ways = [flops(one) if counted else "?" for one in ways]
        held = [units.data_size(of["activation_bytes"])] if is_wide else []
        return [f"{of['parameters']:,}", *shown_ways, *held]

    rows: list[Sequence[Cell] | None] = []
    for one in shown["layers"]:
        told = [one["kind"]] if is_wide or not _says_kind(one["name"], one["kind"]) else []
        told += [one["activation"]] if one["activation"] not in {"", "linear"} else []
        name = [one["name"], ", ".join(told)] if is_wide else [_with(one["name"], told)]
        output = _shape(one["output"], shown["rows_per_step"])
        rows.append(_cells([*name, output, *figures(one, counted=one["counted"])]))
    rows += [None, _cells(["total", *[""] * (texts - 1), *figures(shown)])]
    return Table(
        f"network {_called(shown)}, {shown['rows_per_step']:,} rows a step",
        [
            "layer",
            *(["type"] if is_wide else []),
            "output",
            *("parameters", "forward", "backward"),
            *(["activations"] if is_wide else []),
        ],
        rows,
        "output: shape of one row; forward, backward: FLOPs of a step",
        texts=texts,
        bold=frozenset({len(rows) - 1}),
    )


def _called(shown: dict[str, Any]) -> str:
    name, label = shown["name"], shown["architecture"]
    return name if name == label else f"{name} ({label})"


def _cells(texts: Sequence[str]) -> list[Cell]:
    return [Cell(text) for text in texts]


def _says_kind(name: str, kind: str) -> bool:
    """Whether a layer's name tells its kind, as those do that Keras gives."""
    return kind.lower() in name.rpartition("/")[2].replace("_", "").lower()


def _with(name: str, told: Sequence[str]) -> str:
    return f"{name} ({', '.join(told)})" if told else name


def _shape(shape: Sequence[int], rows: int) -> str:
    """Of one row: `28×28×32`; whole in brackets where it has not the step's rows."""
    if not shape:
        return ""
    if shape[0] != rows:
        return f"({'×'.join(map(str, shape))})"
    return "×".join(map(str, shape[1:])) or "1"


def _not_counted(shown: dict[str, Any]) -> Iterator[str]:
    """What no rule counts, by kind: `Lambda (what its function computes): double, half`."""
    groups: dict[str, list[str]] = {}
    for one in shown["layers"]:
        if one["missing"]:
            groups.setdefault(f"{one['kind']} ({one['missing']})", []).append(one["name"])
    for kind, names in groups.items():
        rest = len(names) - MOST_NAMED
        told = [*names[:MOST_NAMED], *([f"{rest} more"] if rest > 0 else [])]
        yield f"{kind}: {', '.join(told)}"
    if shown["update_flops"] is None:
        yield f"the update by {shown['optimizer']}"


def print_weights(session: Session, names: Sequence[str]) -> None:
    """Initial and final weights, the first few values of each array."""
    console = open_console()
    shown = {"initial weights": session.initial_weights, "final weights": session.final_weights}
    with np.printoptions(precision=4, threshold=100, edgeitems=3, linewidth=100):
        for title, weights in shown.items():
            console.print(title)
            for name, values in zip(names, weights, strict=True):
                console.print(f"{name} {values.shape}", style="dim")
                console.print(str(values))


def print_training(
    session: Session, verdict: Verdict, predictions: NDArray[np.float32] | None, data: Dataset
) -> None:
    """How a training ended: loss, how good `predictions` (rows, outputs) are, if any, verdict."""
    say(
        f"{session.loss_name}: {session.losses[0]:.4g} after the first epoch, "
        f"{session.losses[-1]:.4g} after {len(session.losses)}"
    )
    told = tasks.kind(data.task) not in (tasks.REGRESSION, tasks.OWN)
    if told and predictions is not None and np.isfinite(session.losses[-1]):
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
        "name": session.architecture.name,
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
