"""A wide layer among narrow ones, in every position and on both paths; `test_layers.py` runs it.

Only cuts are timed, by the functions that workers use, and compared within sweeps.
"""

from dataclasses import replace

import numpy as np

from nnbench.measure import trial
from nnbench.workload.study import Study

ROWS, SWEEPS, MOST = 2000, 5, 4
"""Networks are made anew, so many times at most, where a noisy machine hides what is there."""


def hold(network, path, holds):
    """Whether `holds` of each layer's share: the least of what each cut takes, over all sweeps."""
    data = f"synthetic:rows={ROWS},features=32"
    study = Study.of([network], backend="jax", path=path, data=data)
    loaded = study.load()
    (whole,) = study.cases(loaded)
    whole = replace(whole, cold_epochs=2)
    count = network.count(",") + 2
    pieces = [whole, *(replace(whole, piece=f"cut:{number}") for number in range(count + 1))]
    turns = []
    for _ in range(MOST):
        # A program has a speed of its own for as long as it lives, for a reason not measured.
        timers = [trial.StepTimer(one, loaded.training_data) for one in pieces]
        turns += [
            [min(one.measure()["samples_s"]["step"]) for one in timers] for _ in range(SWEEPS)
        ]
        step, *cuts = np.array(turns).min(axis=0)
        found = np.diff(cuts) / step
        if holds(found):
            return
    raise AssertionError((network, path, found))


def is_found(found, position):
    # Its neighbour takes in what it makes, and as many weights: both are the planted ones.
    planted = found[position : position + 2].sum()
    return planted > 0.6 and planted > 3 * (found.sum() - planted)


for path in ("fit", "compiled"):
    for position in range(3):
        widths = ["32"] * 3
        widths[position] = "1024"
        hold(",".join(widths), path, lambda found, position=position: is_found(found, position))
    hold("256,256,256", path, lambda found: 0.5 < found[1] / found[2] < 2)
