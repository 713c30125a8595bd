"""A wide layer among narrow ones, in every position and on both paths; `test_layers.py` runs it.

Only cuts are timed, by the functions that workers use, and compared within sweeps.
"""

from dataclasses import replace

import numpy as np

from nnbench.measure import trial
from nnbench.workload.study import Study

ROWS, SWEEPS = 2000, 5


def shares(network, path):
    """Of each layer, the least over sweeps of what each cut takes."""
    data = f"synthetic:rows={ROWS},features=32"
    study = Study.of([network], backend="jax", path=path, data=data)
    loaded = study.load()
    (whole,) = study.cases(loaded)
    whole = replace(whole, cold_epochs=2)
    count = network.count(",") + 2
    pieces = [whole, *(replace(whole, piece=f"cut:{number}") for number in range(count + 1))]
    timers = [trial.StepTimer(one, loaded.training_data) for one in pieces]
    turns = [[min(one.measure()["samples_s"]["step"]) for one in timers] for _ in range(SWEEPS)]
    step, *cuts = np.array(turns).min(axis=0)
    return np.diff(cuts) / step


for path in ("fit", "compiled"):
    for position in range(3):
        widths = ["32"] * 3
        widths[position] = "1024"
        found = shares(",".join(widths), path)
        # Its neighbour takes in what it makes, and as many weights: both are the planted ones.
        planted = found[position : position + 2].sum()
        assert planted > 0.6, (path, position, found)
        assert planted > 3 * (found.sum() - planted), (path, position, found)
    equal = shares("256,256,256", path)[1:3]
    assert 0.5 < equal[0] / equal[1] < 2, (path, equal)
