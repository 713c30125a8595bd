"""One peer in its own process: what it is ready for, then for each number of epochs s and loss."""

import importlib
import json
import sys
from time import perf_counter

import numpy as np

from benchmarks.peers import task


def main(entry: str, net: str, source: str, once: str) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr

    def say(**answer: object) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        np.random.seed(0)  # noqa: NPY002
        given = task.load(net, source, once=once == "once")
        prepared = importlib.import_module(f"benchmarks.peers.entries.{entry}").prepare(given)
        say(parameters=prepared.parameters, how=prepared.how)
        for line in sys.stdin:
            begin = perf_counter()
            loss = prepared.train(int(line))
            say(taken_s=perf_counter() - begin, loss=loss)
    except Exception as failure:
        say(problem=" ".join(f"{type(failure).__name__}: {failure}".split())[:200])
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
