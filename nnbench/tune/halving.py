"""Which settings are timed next: single changes, combinations of what won, then halving.

The settings that combine all factors are hundreds; each costs seconds to compile. So:

1. *Single changes*: the present setting on each backend and path, and every other single change.
2. *Combinations*: the fastest few so far, each with one change more, those first that are expected
   to be fastest: what a change was worth on that path multiplies. Twice, so that what wins joins
   what won: a greedy search with a beam, which finds the best where factors act on their own, and
   backend and path, which do not, are crossed in full.
3. *Halving*: the fastest are timed again in new processes, the slower half is dropped, and so on
   (successive halving: Karnin, Koren and Somekh, "Almost optimal exploration in multi-armed
   bandits", ICML 2013; Jamieson and Talwalkar, AISTATS 2016): most launches go to those that are
   hardest to distinguish. The rest of the budget goes to the last two of each kind.

Settings that keep the training and those that change it are ranked apart. The present setting is
timed in every rung: all others are ratios to it. What a rung consists of follows from the records
of those before it alone.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nnbench.tune import space as spaces
from nnbench.tune.space import Space, Value
from nnbench.workload.case import Case

SINGLE, COMBINED, HALVED = "single changes", "combinations", "halving"

WIDTH = 3
"""So many of the fastest are combined with further changes."""

SHARES = (0.3, 0.2, 0.12, 0.1, 0.08)
"""Of the budget, for the single changes and the two rungs of combinations."""

FIRST_KEPT, LAST_KEPT = 4, 2
"""Settings of each kind in the first rung of halving, and in the last ones."""

MOST_HALVINGS = 6
TURNS, LAST_TURNS = 3, 6
"""Times that each setting's turn comes in a rung."""

LEAST_TRIED = 3
HOPELESS = 2.0
"""A combination that is expected to take so many times the fastest is not tried."""

OVERRUN = 1.5
"""Once a rung has taken so many times what it was meant to, no further setting is prepared."""


@dataclass(frozen=True)
class Rung:
    """Settings that are timed together, each in so many turns.

    None is prepared once the tuning has taken `until_s` in all.
    """

    number: int
    stage: str
    cases: Sequence[Case]
    turns: int
    until_s: float


class Known(Protocol):
    """What the rule reads of a tuning so far."""

    @property
    def space(self) -> Space:
        """What can be tried."""

    @property
    def rungs(self) -> Sequence[Rung]:
        """The rungs so far."""

    @property
    def tried(self) -> set[Case]:
        """All settings that were prepared, whatever came of it."""

    @property
    def ranked(self) -> Mapping[Case, float]:
        """Every setting that was timed, with its ratio to the present one."""

    @property
    def spent_s(self) -> float:
        """What was spent so far."""

    @property
    def budget_s(self) -> float:
        """What may be spent."""

    @property
    def reserve_s(self) -> float:
        """What the last stage will take: the drift and the memory of what is named."""

    def cost_s(self, cases: Iterable[Case], turns: int) -> float:
        """What a rung of these settings takes, about."""


def next_rung(known: Known) -> Rung | None:
    """The rung that follows those so far; None where the search is over."""
    number = len(known.rungs)
    left_s = known.budget_s - known.reserve_s - known.spent_s
    if number == 0:
        return _first(known, left_s)
    if len(known.ranked) < 2:
        return None
    halvings = sum(rung.stage == HALVED for rung in known.rungs)
    if number < len(SHARES) and not halvings:
        share_s = min(SHARES[number] * known.budget_s, 0.6 * left_s)
        fastest = _fastest(known, 1)
        new = _affordable(known, combinations(known), [known.space.present, *fastest], share_s)
        if new:
            cases = [known.space.present, *fastest, *new]
            return Rung(number, COMBINED, cases, TURNS, known.spent_s + OVERRUN * share_s)
    return _halved(known, number, halvings, left_s)


def _first(known: Known, left_s: float) -> Rung:
    present, *others = known.space.single_changes()
    share_s = min(SHARES[0] * known.budget_s, 0.6 * left_s)
    chosen = _affordable(known, others, [present], share_s, least=LEAST_TRIED - 1)
    return Rung(0, SINGLE, [present, *chosen], TURNS, known.spent_s + OVERRUN * share_s)


def _halved(known: Known, number: int, halvings: int, left_s: float) -> Rung | None:
    if halvings >= MOST_HALVINGS:
        return None
    most = max(LAST_KEPT, FIRST_KEPT >> halvings)
    for kept in range(most, 0, -1):
        cases = [known.space.present, *_fastest(known, kept)]
        # At least one: what was chosen by a launch is not told by that launch alone.
        if known.cost_s(cases, LAST_TURNS) <= left_s or (kept == 1 and not halvings):
            return Rung(number, HALVED, cases, LAST_TURNS, math.inf)
    return None


def _fastest(known: Known, count: int) -> list[Case]:
    """The fastest of each kind, so many, but for the present setting."""
    space, ratios = known.space, known.ranked
    others = [case for case in sorted(ratios, key=lambda one: ratios[one]) if case != space.present]
    same = [case for case in others if space.keeps_training(case)]
    changing = [case for case in others if not space.keeps_training(case)]
    return [*same[:count], *changing[:count]]


def combinations(known: Known) -> list[Case]:
    """Untried changes of the fastest settings, the one first that is expected to be fastest.

    Those that keep the training and those that change it take turns.
    """
    space, ratios = known.space, known.ranked
    expected: dict[Case, float] = {}
    for parent in _fastest(known, WIDTH):
        for factor, other, made in space.moves(parent):
            if made not in known.tried and not _is_lost(known, made):
                ratio = ratios[parent] * effect(known, parent, factor, other)
                expected[made] = min(ratio, expected.get(made, math.inf))
    # What changes the training is worth naming only where it is faster than what keeps it.
    least = {True: min(ratio for case, ratio in ratios.items() if space.keeps_training(case))}
    least[False] = min(ratios.values())
    order = sorted(expected, key=lambda one: expected[one])
    sides = [
        [
            case
            for case in order
            if space.keeps_training(case) is kept and expected[case] <= HOPELESS * least[kept]
        ]
        for kept in (True, False)
    ]
    turns = itertools.zip_longest(*sides)
    return [case for turn in turns for case in turn if case is not None]


def _is_lost(known: Known, case: Case) -> bool:
    """Whether nothing ended well that was tried on this backend and path."""
    tried = [one for one in known.tried if (one.backend, one.path) == (case.backend, case.path)]
    return bool(tried) and not any(one in known.ranked for one in tried)


def effect(known: Known, parent: Case, factor: str, other: Value) -> float:
    """What a change was worth so far on the parent's path: the geometric mean of its ratios.

    Of those on its backend; else half as much, in logarithms, as on the others; 1 where there are
    none.
    """
    space = known.space
    here: list[float] = []
    elsewhere: list[float] = []
    for case, ratio in known.ranked.items():
        if case.path != parent.path or spaces.value(case, factor) == other:
            continue
        made = space.changed(case, factor, other)
        if made is not None and made != case and made in known.ranked:
            worth = math.log(known.ranked[made] / ratio)
            (here if case.backend == parent.backend else elsewhere).append(worth)
    if here:
        return math.exp(np.mean(here))
    return math.exp(np.mean(elsewhere) / 2) if elsewhere else 1.0


def _affordable(
    known: Known, wanted: Sequence[Case], fixed: Sequence[Case], share_s: float, *, least: int = 0
) -> list[Case]:
    """The first of those wanted that can be timed with those that are fixed, in this time.

    Where these are fewer than `least`, also those that cost least: mostly no further process.
    """
    chosen: list[Case] = []
    for case in wanted:
        if known.cost_s([*fixed, *chosen, case], TURNS) <= share_s:
            chosen.append(case)
    while len(chosen) < min(least, len(wanted)):
        others = [case for case in wanted if case not in chosen]
        chosen.append(min(others, key=lambda one: known.cost_s([*fixed, *chosen, one], TURNS)))
    return chosen
