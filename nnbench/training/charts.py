"""The picture of one training: the loss by epoch and, for a regression, its predictions."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nnbench.show.figures import save_figure
from nnbench.show.palette import SERIES_COLOURS
from nnbench.training.session import Session
from nnbench.workload.datasets import Dataset
from nnbench.workload.user_model import UserModel

Predictions = NDArray[np.float32] | None


def write(session: Session, data: Dataset, predictions: Predictions, path: Path) -> Path:
    """Save the loss and, for a regression, labels against `predictions` (rows, 1) as PNG."""
    regression = predictions is not None and data.task == "regression"
    figure = Figure(figsize=(10 if regression else 6, 4), layout="constrained")
    axes = figure.subplots(1, 2 if regression else 1, squeeze=False)[0]
    _loss(axes[0], session)
    if predictions is not None and regression:
        _predictions(axes[1], data, predictions)
    own = isinstance(session.architecture, UserModel)
    title = f"{session.architecture.label} on {session.data}"
    figure.suptitle(title if own else f"{title}, {session.training.optimizer}", fontsize=11)
    save_figure(figure, path, dpi=130)
    return path


def _loss(axis: Axes, session: Session) -> None:
    epochs = np.arange(1, len(session.losses) + 1)
    axis.plot(epochs, session.losses, color=SERIES_COLOURS[0], linewidth=1.5)
    if min(session.losses) > 0:
        axis.set_yscale("log")
    axis.set(xlabel="epoch", ylabel=session.loss_name)
    axis.set_title(f"loss, {session.losses[-1]:.4g} at the end", fontsize=10)
    axis.grid(alpha=0.3)


def _predictions(axis: Axes, data: Dataset, predictions: NDArray[np.float32]) -> None:
    labels, guesses = data.labels.ravel(), np.asarray(predictions).ravel()
    axis.scatter(labels, guesses, s=8, alpha=0.5, color=SERIES_COLOURS[2], linewidths=0)
    ends = [float(labels.min()), float(labels.max())]
    axis.plot(ends, ends, color="black", linewidth=1, linestyle="--", label="exact")
    axis.set(xlabel=data.label_name, ylabel=f"predicted {data.label_name}")
    error = float(np.sqrt(np.mean((labels - guesses) ** 2)))
    axis.set_title(f"predictions, root mean squared error {error:.3g}", fontsize=10)
    axis.legend(frameon=False)
    axis.grid(alpha=0.3)
