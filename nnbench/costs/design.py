"""Which architectures to time: first cases spread out, then those that teach the model most."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from nnbench.costs.prediction import CostModel
from nnbench.costs.setting import Setting, guessed_epoch_s
from nnbench.costs.terms import FIRST_EPOCH, position
from nnbench.phases import ONCE
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case

DEPTHS, WIDTHS, ROWS = (1, 24), (2, 1024), (500, 20_000)
BATCHES = (32, 512)
"""The calibrated space: from the first to the second, and the full batch."""

FULL_BATCHES = 0.4
"""Share of the candidates that train on the full batch."""

CANDIDATES = 512

EPOCH_LIMIT_S = 1.0
"""No case is timed whose epoch is guessed to take longer."""

SWEEPS = {"fit": 3, "compiled": 0}
"""On the compiled path a step is an epoch divided by its steps: there is nothing to sweep."""

FIRST = 10
LEAST_PER_RUN, MOST_PER_RUN = 3, 16

LEAST_TIMING_S = 0.3
"""What timing any network costs besides its own work."""


def candidates(setting: Setting, count: int = CANDIDATES, seed: int = 0) -> list[Case]:
    """Cases with affordable epochs, evenly over the logs of depth, width, rows and batch size.

    The same seed gives the same cases (a scrambled Sobol sequence, Owen 1998).
    """
    # Twice as many, for those left out; Sobol sequences come in powers of two.
    enough = int(np.ceil(np.log2(2 * count)))
    points = stats.qmc.Sobol(4, rng=np.random.default_rng(seed)).random_base2(enough)
    found: dict[str, Case] = {}
    for depth, width, rows, batch in points:
        full = batch < FULL_BATCHES
        share = (batch - FULL_BATCHES) / (1 - FULL_BATCHES)
        case = setting.case(
            Architecture((_between(WIDTHS, width),) * _between(DEPTHS, depth)),
            _between(ROWS, rows),
            None if full else _between(BATCHES, share),
        )
        if guessed_epoch_s(case) <= EPOCH_LIMIT_S:
            found.setdefault(case.key, case)
    return list(found.values())[:count]


def _between(ends: tuple[int, int], share: float) -> int:
    return int(ends[0] * (ends[1] / ends[0]) ** share + 0.5)


def quick(cases: Sequence[Case]) -> list[Case]:
    """The half of them that costs least: enough to fit a first model to."""
    return sorted(cases, key=guessed_epoch_s)[: len(cases) // 2]


def spread_out(cases: Sequence[Case], count: int, taken: Sequence[Case] = ()) -> list[Case]:
    """Cases, each as far as possible from `taken` (or a corner) and those before it (maximin)."""
    positions = np.array([position(case) for case in [*cases, *taken]])
    low, high = positions[: len(cases)].min(axis=0), positions[: len(cases)].max(axis=0)
    scaled = (positions - low) / np.maximum(high - low, 1e-9)
    mine, others = scaled[: len(cases)], scaled[len(cases) :]
    chosen = [] if taken else [int(np.argmin(np.linalg.norm(mine, axis=1)))]
    fixed = others if taken else mine[chosen]
    nearest = np.min(np.linalg.norm(mine[:, None] - fixed[None], axis=2), axis=1)
    while len(chosen) < min(count, len(cases)):
        best = int(np.argmax(nearest))
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(mine - mine[best], axis=1))
    return [cases[index] for index in chosen]


def most_informative(model: CostModel, cases: Sequence[Case], seconds: float) -> list[Case]:
    """Cases with the largest expected variance reduction per second of timing, within `seconds`.

    The variance is that of all predictions by what is unknown of the coefficients, each case chosen
    as if those before it were timed. Source: Cohn, "Neural network exploration using optimal
    experiment design" (1996), the criterion of integrated variance.
    """
    timed = {one.case.key for one in model.observed}
    cases = [case for case in cases if case.key not in timed]
    costs_s = np.array([timing_s(model, case) for case in cases])
    # Of a first epoch coefficients are only what comes on top: most of it is other phases'.
    phases = [phase for name, phase in model.phases.items() if name != FIRST_EPOCH]
    unknown = [(phase.unknown(cases), phase.scatter.single**2) for phase in phases]
    chosen: list[int] = []
    while len(chosen) < MOST_PER_RUN:
        gains = np.zeros(len(cases))
        for covariance, noise in unknown:
            gains += np.sum(covariance**2, axis=0) / (np.diag(covariance) + noise)
        gains[chosen] = 0.0
        best = int(np.argmax(gains / (LEAST_TIMING_S + costs_s)))
        if len(chosen) >= LEAST_PER_RUN and costs_s[[*chosen, best]].sum() > seconds:
            break
        chosen.append(best)
        for covariance, noise in unknown:
            column = covariance[:, best].copy()
            covariance -= np.outer(column, column) / (column[best] + noise)
    return [cases[index] for index in chosen]


def timing_s(model: CostModel, case: Case) -> float:
    """What timing a case will take: its network is built to warm up, trained, and stepped."""
    told = model.predict(case, case.cold_epochs)
    once_s = sum(told.parts_s.get(phase, 0.0) for phase in ONCE)
    if case.path == "compiled":
        # Each sample lasts a while even where the epoch is short (see `measure.trial`).
        return once_s + 13 * max(told.epoch_s.value, 0.012)
    return told.total_s.value + once_s / 2 + 5 * SWEEPS["fit"] * max(told.step_s.value, 0.012)
