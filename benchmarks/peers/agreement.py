"""How far 300 epochs of `compiled` are from `fit`, and of `fit` on one backend from another.

    python -m benchmarks.peers.agreement

Prints the largest relative difference of the loss within 30 and within 300 epochs, from equal
initial weights: banknotes, full batch, Adam.
"""

import functools
import json
import os
import subprocess
import sys

import numpy as np

from nnbench.machine import devices
from nnbench.machine.devices import BACKENDS
from nnbench.workload import architecture, datasets, keras_model
from nnbench.workload.case import Training

NETS = ("6x2", "6x5", "100x2")
EPOCHS = (30, 300)


def main() -> None:
    losses = {}
    for backend in BACKENDS:
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.peers.agreement", backend],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **devices.environment(backend, "cpu", 1)},
        )
        losses[backend] = json.loads(answer.stdout.splitlines()[-1])
    for net in NETS:
        for backend in BACKENDS:
            fitted = losses[backend][net]["fit"]
            _say(f"{net} {backend}: compiled and fit", losses[backend][net]["compiled"], fitted)
        for one, other in (BACKENDS[:2], BACKENDS[1:], (BACKENDS[0], BACKENDS[2])):
            _say(
                f"{net} fit: {one} and {other}", losses[one][net]["fit"], losses[other][net]["fit"]
            )


def _say(what: str, one: list[float], other: list[float]) -> None:
    apart = np.abs(np.array(one) / np.array(other) - 1)
    found = ", ".join(f"{apart[:count].max():.1e} in {count}" for count in EPOCHS)
    print(f"{what:42} {found}")


def _train_here(backend: str) -> dict[str, dict[str, list[float]]]:
    devices.start(backend, "cpu", 1)
    from nnbench.training.compiled.fast_fit import fast_fit

    data = datasets.load("banknotes")
    x, y, epochs = data.features, data.labels, EPOCHS[-1]
    results = {}
    for net in NETS:
        results[net] = {}
        for path, train in (
            ("fit", lambda model, *a, **k: model.fit(*a, **k)),
            ("compiled", functools.partial(fast_fit, jit_compile=True)),
        ):
            model = keras_model.build(architecture.parse(net), Training(), data.shape)
            model.set_weights(_weights(model))
            history = train(model, x, y, epochs=epochs, batch_size=len(x), shuffle=False, verbose=0)
            results[net][path] = history.history["loss"]
    return results


def _weights(model: object) -> list[np.ndarray]:
    numbers = np.random.default_rng(0)
    shapes = [weights.shape for weights in model.get_weights()]  # type: ignore[attr-defined]
    return [numbers.normal(size=s) * np.sqrt(2 / sum(s)) * (len(s) > 1) for s in shapes]


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(_train_here(sys.argv[1])))
    else:
        main()
