"""Which networks to time, and in what order: spread evenly, family by family."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from nnbench.costs.prediction import CostModel
from nnbench.costs.setting import Setting, guessed_epoch_s
from nnbench.costs.spaces import SPACES, between
from nnbench.phases import ONCE
from nnbench.store.runs import Run
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case

CANDIDATES = 512

EPOCH_LIMIT_S, SHAPED_LIMIT_S = 1.0, 0.4
"""No case is timed whose epoch is guessed to take longer: on a table, and on all else."""

EVEN = 0.4
"""Of mini-batches so many divide an epoch, and leave no smaller last one to compile for."""

MEASURED = 0.5
"""So many networks measure something besides their loss, as most people's do."""

SWEEPS = {"fit": 3, "compiled": 0}
"""On the compiled path a step is an epoch divided by its steps: there is nothing to sweep."""

MOST_PER_RUN = 24
TRIAL_S = {"tensorflow": 0.8, "jax": 0.8, "torch": 0.3}
"""What is paid once for a network of few layers."""


def candidates(
    setting: Setting, families: Sequence[str] = ("dense",), count: int = CANDIDATES, seed: int = 0
) -> list[Case]:
    """Affordable cases, evenly over the logs of a family's ranges (see `spaces`), by turns.

    The same seed gives the same cases (a scrambled Sobol sequence, Owen 1998).
    """
    each = -(-count // len(families))
    found = [_of_family(setting, family, each, seed) for family in families]
    mixed = [case for turn in itertools.zip_longest(*found) for case in turn if case]
    return mixed[:count]


def _of_family(setting: Setting, family: str, count: int, seed: int) -> list[Case]:
    space = SPACES[family]
    # Twice as many, for those left out; Sobol sequences come in powers of two.
    enough = int(np.ceil(np.log2(2 * count)))
    points = stats.qmc.Sobol(10, rng=np.random.default_rng(seed)).random_base2(enough)
    found: dict[str, Case] = {}
    for depth, width, rows, batch, size, channel, knob, kind, even, measured in points:
        share = (batch - space.full) / (1 - space.full)
        chosen = space.settings[int(knob * len(space.settings))]
        widths = (between(space.widths, width, space.each),) * between(space.depths, depth)
        batch_rows = None if share < 0 else between(space.batches, share)
        row_count = between(space.rows, rows)
        if batch_rows and even < EVEN:
            row_count = batch_rows * max(2, round(row_count / batch_rows))
        recipe = space.recipe(
            space.takes[int(kind * len(space.takes))],
            row_count,
            between(space.sizes, size),
            between(space.channels, channel),
        )
        case = setting.case(
            Architecture(widths, family, chosen),
            row_count,
            batch_rows,
            recipe,
            measured=measured < MEASURED,
        )
        if guessed_epoch_s(case) <= (EPOCH_LIMIT_S if recipe is None else SHAPED_LIMIT_S):
            found.setdefault(case.key, case)
    return list(found.values())[:count]


def slowdown(made: Sequence[Run]) -> float:
    """How much longer trials of these runs took than was guessed; 1 where none is known."""
    shares = []
    for run in made:
        walls_s = run.trials.column("wall_s")
        shares += [
            float(walls_s[rows].sum()) / guessed_trial_s(run.cases[key])
            for key, rows in run.trials.rows_by("case").items()
        ]
    return float(np.median(shares)) if shares else 1.0


def next_cases(cases: Sequence[Case], slower: float, budget_s: float, least: int = 1) -> list[Case]:
    """The first of these that fit in so many seconds, `least` at least; see `slowdown`."""
    chosen: list[Case] = []
    spent_s = 0.0
    for case in cases:
        spent_s += slower * guessed_trial_s(case)
        if len(chosen) >= least and (spent_s > budget_s or len(chosen) >= MOST_PER_RUN):
            break
        chosen.append(case)
    return chosen


def cheap_first(cases: Sequence[Case], among: int = 40) -> list[Case]:
    """The same, the first of them by turns of families and the cheapest of each family first."""
    by_family: dict[str, list[Case]] = {}
    for case in sorted(cases[:among], key=guessed_trial_s):
        family = case.architecture.family if case.architecture else ""
        by_family.setdefault(family, []).append(case)
    turns = itertools.zip_longest(*by_family.values())
    return [*(case for turn in turns for case in turn if case), *cases[among:]]


def guessed_trial_s(case: Case) -> float:
    """What timing a case may take, before anything is known of this machine."""
    layers = case.architecture.depth if case.architecture else 1
    once_s = TRIAL_S[case.backend] * (1 if case.is_dense_chain else 1 + 0.3 * layers)
    epoch_s = guessed_epoch_s(case)
    epochs = case.cold_epochs if case.path == "fit" else 13
    return once_s + epochs * max(epoch_s, 0.012)


def timing_s(model: CostModel, case: Case) -> float:
    """What timing a case will take: its network is built to warm up, trained, and stepped."""
    told = model.predict(case, case.cold_epochs)
    once_s = sum(told.parts_s.get(phase, 0.0) for phase in ONCE)
    if case.path == "compiled":
        # Each sample lasts a while even where the epoch is short (see `measure.trial`).
        return once_s + 13 * max(told.epoch_s.value, 0.012)
    return told.total_s.value + once_s / 2 + 5 * SWEEPS["fit"] * max(told.step_s.value, 0.012)
