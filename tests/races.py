"""Races made of given curves, through the real files."""

import itertools

import numpy as np
from runs import FINGERPRINT, case

from nnbench.store import runs

ONCE_S = 0.5

NETWORKS = {"6,6": (0.001, 0.1, 20, 0), "100,100": (0.005, 0.01, 10, 0), "2": (0.0009, 0.5, 20, 0)}


def make_race(folder, networks, *, seeds=6, epochs=200, logs=None, **options):
    """Write and read a run of curves.

    `networks` maps an architecture to (seconds an epoch, loss it falls to, epochs of its fall,
    seeds that never fall); `logs` maps losses to what is logged besides.
    """
    cases = {text: case(text, backend="jax", cold_epochs=epochs, **options) for text in networks}
    wanted = {
        "cases": [one.to_json() for one in cases.values()],
        "launches": seeds,
        "blocks": 1,
        "seed": 0,
        "limit_s": 10.0,
        "precision": None,
        "budget_s": None,
        "sides": [""],
        "kinds": ["curve"],
        "sweeps": 0,
    }
    path = runs.create(folder, "race", wanted, FINGERPRINT)
    writer = runs.Writer(path)
    trial = itertools.count()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for text, one in cases.items():
            epoch_s, floor, fall, stuck = networks[text]
            speed = float(np.exp(rng.normal(0, 0.03)))
            losses = floor + (0.7 - floor) * np.exp(-np.arange(epochs) * speed / fall)
            if seed < stuck:
                losses = np.full(epochs, 0.7)
            ended_s = ONCE_S + speed * epoch_s * np.arange(1, epochs + 1)
            writer.append(
                {
                    "kind": "trial",
                    "trial": next(trial),
                    "launch": seed,
                    "round": seed,
                    "side": "",
                    "block": 0,
                    "trial_kind": "curve",
                    "sweep": 0,
                    "case": one.key,
                    "outcome": "ok",
                    "began": "2026-01-01T00:00:00+00:00",
                    "wall_s": 1.0,
                    "samples_s": {},
                    "seed": seed,
                    "losses": losses.tolist(),
                    **({"logs": logs(losses)} if logs else {}),
                    "ended_s": ended_s.tolist(),
                }
            )
    writer.close()
    return runs.read(path)
