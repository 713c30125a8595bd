import numpy as np

from benchmarks.peers.entries import _keras
from benchmarks.peers.task import Prepared


def prepare(task):
    _keras.start("tensorflow")
    model = _keras.model(task)
    numbers = np.random.default_rng(0)

    def train(epochs):
        for _ in range(epochs):
            # What it returns is the mean loss since then.
            model.reset_metrics()
            for rows in task.batches(numbers):
                loss = model.train_on_batch(task.x[rows], task.y[rows])
        return float(loss)

    return Prepared(train, _keras.parameters(model))
