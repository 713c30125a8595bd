"""Measure how hard the shipped data are to learn; the tables in `README.md` come from here.

`python data/measure_data.py banknotes [ORIGINAL]` compares the stand-in with UCI's own file
(scikit-learn); `KERAS_BACKEND=jax python data/measure_data.py instagram` trains one hidden
layer of 6 ReLU cells with Keras.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from nnbench.workload import datasets

EPOCHS = (100, 500, 2000)
LONG_EPOCHS = (4500, 5000, 6000, 8000, 10000)


def banknotes(original: Path | None, seeds: int) -> None:
    """Losses of full-batch Adam on [6, 6], and the accuracy on the original when it is there."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    stand_in = str(Path(__file__).with_name("bank_note.csv"))
    data = {"stand-in": datasets.load(stand_in, label="is_fake")}
    if original:
        os.environ["NNBENCH_BANKNOTES"] = str(original)
        data["original"] = datasets.load("banknotes")
    for seed in range(seeds):
        for name, table in data.items():
            network = MLPClassifier(
                (6, 6),
                alpha=0,
                batch_size=table.rows,
                max_iter=EPOCHS[-1],
                n_iter_no_change=EPOCHS[-1],
                tol=0,
                random_state=seed,
            )
            network.fit(table.features, table.labels.ravel())
            losses = [f"{network.loss_curve_[epoch - 1]:.4f}" for epoch in EPOCHS]
            target = data.get("original")
            accuracy = (
                f"{100 * network.score(target.features, target.labels.ravel()):.1f} %"
                if target
                else ""
            )
            _line(seed, name, *losses, accuracy)


def instagram(seeds: int) -> None:
    """Mean squared errors along a full-batch training with Adam's default learning rate."""
    import keras

    table = datasets.load("instagram")
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        network = keras.Sequential(
            [keras.Input((table.width,)), keras.layers.Dense(6, "relu"), keras.layers.Dense(1)]
        )
        network.compile(optimizer="adam", loss="mean_squared_error")
        history = network.fit(
            table.features,
            table.labels,
            batch_size=table.rows,
            epochs=LONG_EPOCHS[-1],
            shuffle=False,
            verbose=0,
        )
        losses = np.asarray(history.history["loss"])
        _line(seed, *(f"{losses[epoch - 1]:.2f}" for epoch in LONG_EPOCHS))


def _line(*cells: object) -> None:
    sys.stdout.write("| " + " | ".join(map(str, cells)) + " |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("banknotes", "instagram"))
    parser.add_argument("original", type=Path, nargs="?", help="UCI's banknote file")
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args()
    if chosen.data == "banknotes":
        banknotes(chosen.original, chosen.seeds)
    else:
        instagram(chosen.seeds)
