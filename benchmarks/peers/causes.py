"""What makes the compiled path faster than `fit`: each cause switched by itself.

    python -m benchmarks.peers.causes --launches 6

Between `fit` and the compiled path more changes than the loop around the steps: on TensorFlow the
compiler (XLA), on JAX the memory layout of narrow chains of Dense layers. In every launch, a
fresh process, an epoch is timed with each of them alone, all variants in turn; the ratios are
paired within launches, their 95 % intervals treat the launch as the unit. A factor of 1.00 changes
nothing; all factors of a line multiply to the last one.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from nnbench.show.intervals import RATIO, cell
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import note, print_table
from nnbench.stats.estimate import nested_estimate

FACTORS = {
    "tensorflow": {
        "loop instead of fit, no XLA": ("fit", "loop"),
        "XLA in the loop": ("loop", "compiled"),
        "(XLA within fit)": ("fit", "fit, XLA"),
        "fit / compiled": ("fit", "compiled"),
    },
    "jax": {
        "loop instead of fit, Keras' layout": ("fit", "loop"),
        "layout and options of narrow chains": ("loop", "compiled"),
        "fit / compiled": ("fit", "compiled"),
    },
    "torch": {"fit / compiled": ("fit", "compiled")},
}
ROUNDS = 9
SAMPLE_S = 0.15


def epoch_timer(train: Callable[[int], Any]) -> Callable[[], float]:
    """A function that times an epoch, averaged over as many as last `SAMPLE_S`, in seconds."""
    train(3)
    count = 1
    while (taken_s := seconds(train, count)) < SAMPLE_S:
        count = max(count + 1, int(1.2 * count * SAMPLE_S / taken_s))
    return lambda: seconds(train, count) / count


def seconds(train: Callable[[int], Any], epochs: int) -> float:
    """The seconds that so many epochs take."""
    began_s = perf_counter()
    train(epochs)
    return perf_counter() - began_s


def variants(backend: str, widths: list[int]) -> dict[str, Callable[[], float]]:
    """A timer of an epoch for each variant; `devices.start` has been called."""
    import importlib

    import keras

    from nnbench.training import compiled
    from nnbench.workload import datasets

    data = datasets.load("banknotes")

    def model(jit: Any) -> Any:
        built = keras.Sequential(
            [
                keras.Input((data.width,)),
                *(keras.layers.Dense(width, activation="relu") for width in widths),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        built.compile(optimizer="adam", loss="binary_crossentropy", jit_compile=jit)
        return built

    def fit(jit: Any) -> Callable[[], float]:
        mine = model(jit)
        return epoch_timer(
            lambda epochs: mine.fit(
                data.features, data.labels, epochs=epochs, batch_size=data.rows, verbose=0
            )
        )

    def loop(jit: Any = True if backend == "tensorflow" else "auto") -> Callable[[], float]:
        prepared = compiled.prepare(
            model("auto"), data.features, data.labels, batch_size=data.rows, jit_compile=jit
        )
        prepared.compile()
        return epoch_timer(prepared.run)

    found = {"fit": fit("auto"), "compiled": loop()}
    if backend == "tensorflow":
        found["fit, XLA"] = fit(True)
        found["loop"] = loop(False)
    elif backend == "jax":
        step: Any = importlib.import_module("nnbench.training.compiled.jax_step")
        step.lower = lambda model, batch, rows: model
        found["loop"] = loop()
    return found


def worker(backend: str, widths: list[int], seed: int) -> None:
    """Time all variants in turn and print the median of each."""
    from nnbench.machine import devices

    devices.mute_native_code()
    devices.start(backend)
    timers = variants(backend, widths)
    rng = np.random.default_rng(seed)
    taken_s: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(ROUNDS):
        for name in rng.permutation(list(timers)):
            taken_s[str(name)].append(timers[str(name)]())
    print(json.dumps({name: float(np.median(values)) for name, values in taken_s.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", default="tensorflow,jax,torch")
    parser.add_argument("--nets", default="6,6 6x5 64x2 100x2", help="architectures")
    parser.add_argument("--launches", type=int, default=6)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(**json.loads(options.worker))
        return
    from nnbench.workload.architecture import parse

    for backend in options.backends.split(","):
        rows = []
        for net in map(parse, options.nets.split()):
            launches = []
            for seed in range(options.launches):
                asked = {"backend": backend, "widths": list(net.widths), "seed": seed}
                command = [sys.executable, "-m", "benchmarks.peers.causes", "--worker"]
                answer = subprocess.run(
                    [*command, json.dumps(asked)], capture_output=True, text=True, check=True
                )
                launches.append(json.loads(answer.stdout.splitlines()[-1]))
                note(f"{backend} {net.label}: launch {seed + 1} of {options.launches}")
            ratios = [
                nested_estimate(
                    [one[slow] / one[fast] for one in launches], np.arange(len(launches))
                )
                for slow, fast in FACTORS[backend].values()
            ]
            rows.append([Cell(net.label), *(cell(ratio, RATIO) for ratio in ratios)])
        print_table(
            Table(
                f"{backend}: an epoch on the banknotes, full batch",
                ["network", *FACTORS[backend]],
                rows,
                f"95 % intervals below, from {options.launches} launches",
            )
        )


if __name__ == "__main__":
    main()
