"""The picture of one training: the loss by epoch and, for a regression, its predictions.

`python -m nnbench.training.charts FOLDER` is the process in which `nnbench train` draws meanwhile.
"""

import gc
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nnbench.show.figures import log_numbers_axis, save_figure
from nnbench.show.palette import SERIES_COLOURS
from nnbench.training.session import PICTURE, Session, read
from nnbench.workload import networks, tasks
from nnbench.workload.datasets import Dataset
from nnbench.workload.user_model import UserModel

Predictions = NDArray[np.float32] | None


def write(
    session: Session, folder: Path, data: Dataset | None = None, predictions: Predictions = None
) -> Path:
    """Save the loss as PNG and, for a regression, its data's labels against `predictions`.

    These have the shape (rows, outputs).
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    if data is None or predictions is None or tasks.kind(data.task) != tasks.REGRESSION:
        _loss(figure.subplots(), session)
    else:
        figure.set_size_inches(10, 4)
        left, right = figure.subplots(1, 2)
        _loss(left, session)
        _predictions(right, data, predictions)
    own = isinstance(session.architecture, UserModel)
    title = f"{session.architecture.name} on {session.data}"
    figure.suptitle(title if own else f"{title}, {session.training.optimizer}", fontsize=11)
    path = folder / PICTURE
    save_figure(figure, path, dpi=130)
    return path


def main() -> None:
    """Draw the training that was saved in the folder named, once a line says as what network."""
    folder = Path(sys.argv[1])
    if typed := sys.stdin.readline().strip():
        write(replace(read(folder), architecture=networks.parse_one(typed)), folder)
    # Python would search all that was imported for garbage as it ends: a tenth of a second, for
    # which the training waits.
    gc.freeze()


def _loss(axis: Axes, session: Session) -> None:
    epochs = np.arange(1, len(session.losses) + 1)
    axis.plot(epochs, session.losses, color=SERIES_COLOURS[0], linewidth=1.5)
    if min(session.losses) > 0:
        axis.set_yscale("log")
        log_numbers_axis(axis.yaxis)
    axis.set(xlabel="epoch", ylabel=session.loss_name)
    axis.set_title(f"loss, {session.losses[-1]:.4g} at the end", fontsize=10)
    axis.grid(alpha=0.3)


def _predictions(axis: Axes, data: Dataset, predictions: NDArray[np.float32]) -> None:
    labels = np.asarray(data.labels, dtype=np.float64).reshape(data.rows, -1)
    guesses = np.asarray(predictions).reshape(data.rows, -1)
    count = labels.shape[1]
    shown = 1 if count == 1 else min(count, len(SERIES_COLOURS))
    names = data.label_names or [f"{data.label_name} {place}" for place in range(1, count + 1)]
    for place in range(shown):
        axis.scatter(
            labels[:, place],
            guesses[:, place],
            s=8,
            alpha=0.5,
            linewidths=0,
            color=SERIES_COLOURS[place if count > 1 else 2],
            label=names[place] if count > 1 else None,
        )
    ends = [float(labels[:, :shown].min()), float(labels[:, :shown].max())]
    axis.plot(ends, ends, color="black", linewidth=1, linestyle="--", label="exact")
    name = data.label_name if count == 1 else "label"
    axis.set(xlabel=name, ylabel=f"predicted {name}")
    error = float(np.sqrt(np.mean((labels - guesses) ** 2)))
    of = "" if count == 1 else f" of {count} outputs"
    first = f"\n(the first {shown} are drawn)" if shown < count else ""
    axis.set_title(f"predictions, root mean squared error{of} {error:.3g}{first}", fontsize=10)
    axis.legend(frameon=False)
    axis.grid(alpha=0.3)


if __name__ == "__main__":
    main()
