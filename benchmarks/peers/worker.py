"""One peer in its own process: reads `{"net": [6, 6], "epochs": 100}` a line, answers seconds."""

import importlib
import json
import sys
from time import perf_counter

import numpy as np

from nnbench.workload import datasets


def main(entry: str, source: str) -> None:
    data = datasets.load(source)
    prepare = importlib.import_module(f"benchmarks.peers.entries.{entry}").prepare
    trained = {}
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        order = json.loads(line)
        widths = tuple(order["net"])
        if widths not in trained:
            np.random.seed(0)  # noqa: NPY002
            trained[widths] = prepare(data.features, data.labels, widths)
        begin = perf_counter()
        trained[widths](order["epochs"])
        answers.write(json.dumps(perf_counter() - begin) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
