"""Cost models made of given costs, for tests that need no timing."""

import numpy as np

from nnbench.costs.context import Context
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.setting import Setting
from nnbench.workload.architecture import Architecture

LAYER_S, FLOPS_PER_S, AROUND_S = 20e-6, 1e11, 100e-6
"""Of the made machine: overhead a layer, rate, and what is paid around each epoch."""


def times_s(case, factor=1.0):
    layers = case.architecture.depth + 1
    cost = case.step_cost
    step = LAYER_S * layers + (cost.forward_flops + cost.backward_flops) / FLOPS_PER_S
    times = {
        "build": 0.002 + 0.001 * layers,
        "prepare": 0.01 + 0.001 * layers,
        "trace": 0.03 + 0.015 * layers,
        "compile": 0.1 + 0.02 * layers,
        "first_step": 2 * step,
        "step": step,
        "epoch": case.steps_per_epoch * step + AROUND_S,
    }
    return {phase: factor * time for phase, time in times.items()}


def own_factor(case, own):
    """What each width has of its own, on a machine that does not compute all alike."""
    width = case.architecture.widths[0]
    return float(np.exp(own * np.random.default_rng(width).normal()))


def context(
    setting=None, *, rows=1000, batch_size=None, epochs=100, slower=1.0, noise=0.02, own=0.0, seed=0
):
    """On the made machine; `slower` multiplies all its times, `own` is in `own_factor`."""
    where = setting or Setting("jax", path="fit")
    rng = np.random.default_rng(seed)
    cases = [
        where.case(
            Architecture((round(2 ** rng.uniform(1, 9)),) * round(24 ** rng.uniform(0, 1))),
            int(rng.choice([500, 1000, 4000])),
            None if rng.uniform() < 0.6 else int(rng.choice([64, 256])),
        )
        for _ in range(36)
    ]
    # The corners, so that the calibrated range is known.
    cases += [
        where.case(Architecture((width,) * depth), rows_, batch)
        for width in (2, 512)
        for depth in (1, 24)
        for rows_, batch in ((500, None), (4000, None), (1000, 64))
    ]
    factors = np.exp(rng.normal(0, noise, len(cases)))
    observed = [
        Observed(case, times_s(case, slower * own_factor(case, own) * float(factor)))
        for case, factor in zip(cases, factors, strict=True)
    ]
    return Context(CostModel.fit(observed), where, rows, batch_size, epochs)
