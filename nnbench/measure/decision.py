"""When is a comparison decided? Looks at a run of two sides while it goes on, from its records.

Looks lie a third more launches apart each. What each may spend of the false alarms hangs on the
clock alone, so that it is known before the data are: all looks together the square of the share of
the budget that was gone. Most is left for the end so, where the data say most (Kim and DeMets,
"Design and analysis of group sequential tests based on the type I error spending rate function",
Biometrika 74, 1987).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nnbench.phases import COLD, EPOCH, PHASES, STEP
from nnbench.stats import verdict
from nnbench.stats.blocks import Blocks
from nnbench.stats.estimate import Estimate
from nnbench.stats.verdict import UNDECIDED, Comparison, Look
from nnbench.store.runs import Run

FIRST_PHASES = (STEP, EPOCH, COLD)
"""What a training takes, before what it is made of; judged where no phase is asked for."""

ALL = "all"

SWEEPS_OF_STEPS = 150
"""At most, where steps alone are timed: their turns are short (`measure.trial`)."""

KINDS_OF = {"cold": {COLD}, "phases": set(PHASES) - {COLD, STEP}}
"""The phases that a trial of each kind times."""


def phases(asked: str | None) -> tuple[str, ...]:
    """The phases to judge, those that matter first; `asked` names some with commas, or all."""
    ordered = dict.fromkeys((*FIRST_PHASES, *PHASES))
    named = ordered if asked == ALL else asked.split(",") if asked else FIRST_PHASES
    return tuple(phase for phase in ordered if phase in named)


def trials(asked: str | None) -> dict[str, Any]:
    """The trials that time no more than what is asked for, as a run's specification has them."""
    if not asked or asked == ALL:
        return {}
    judged = set(phases(asked))
    kinds = [kind for kind, known in KINDS_OF.items() if judged & known]
    if STEP not in judged:
        return {"kinds": kinds, "sweeps": 0}
    return {"kinds": kinds} if kinds else {"kinds": kinds, "sweeps": SWEEPS_OF_STEPS}


def ratios(
    run: Run, judged: Sequence[str], blocks: Blocks | None = None, before: int | None = None
) -> dict[str, Estimate]:
    """Second side / first by case and phase, `judged` phases only, in their order."""
    blocks = blocks or Blocks.of(run)
    first, second = run.specification["sides"]
    of_cases = [
        (case, blocks.between_sides(case, first, second, before)) for case in run.cases.values()
    ]
    return {
        f"{run.label(case)} {phase}": found[phase]
        for phase in judged
        for case, found in of_cases
        if phase in found
    }


def judge(run: Run, judged: Sequence[str], margin: float) -> list[Comparison]:
    """Judge a run of two sides by all looks at it, and the last by what no look has spent.

    The rest is for a run that its clock has ended: one that was decided has no use for it.
    """
    looks = _looks(run, judged)
    if not looks:
        return []
    found = verdict.judge_looks(looks, margin=margin)
    if all(one.verdict != UNDECIDED for one in found):
        return found
    rest = 1.0 - sum(look.share for look in looks[:-1])
    return verdict.judge_looks([*looks[:-1], replace(looks[-1], share=rest)], margin=margin)


def is_decided(run: Run, number: int) -> bool:
    """Whether a run that ends when it is decided ends before round `number`."""
    wanted = run.specification.get("decide")
    if not wanted or number not in look_rounds(number):
        return False
    looks = _looks(run, wanted["phases"])
    found = verdict.judge_looks(looks, margin=wanted["margin"]) if looks else []
    return bool(found) and all(one.verdict != UNDECIDED for one in found)


def look_rounds(most: int) -> list[int]:
    """After how many rounds a run is looked at: 4, 5, 6, 8, 10, 13, ..."""
    found, number = [], verdict.LEAST_LAUNCHES
    while number <= most:
        found.append(number)
        number = max(number + 1, int(verdict.LOOK_AGAIN * number))
    return found


def spendable(gone: float) -> float:
    """The share of the false alarms that may be spent once this share of the budget is gone."""
    return gone**2


def _looks(run: Run, judged: Sequence[str]) -> list[Look]:
    blocks = Blocks.of(run)
    done = 1 + max((unit.round for unit in blocks.units), default=-1)
    watched = run.specification.get("decide") is not None
    rounds = [*(look_rounds(done - 1) if watched else []), *([done] if done else [])]
    spent = [spendable(_share_spent(run, number)) for number in rounds]
    shares = [after - before for before, after in zip([0.0, *spent], spent, strict=False)]
    if not watched:
        shares = [1.0] * len(rounds)
    found = [
        Look(share, ratios(run, judged, blocks, before), before)
        for share, before in zip(shares, rounds, strict=True)
    ]
    return [look for look in found if look.ratios]


def _share_spent(run: Run, number: int) -> float:
    """Of its budget, or else of its launches, what a run has spent before a round."""
    wanted = run.specification
    if wanted["budget_s"] is None:
        return min(1.0, number / float(wanted["launches"]))
    return min(1.0, seconds_spent(run.before_round(number)) / float(wanted["budget_s"]))


def seconds_spent(run: Run) -> float:
    """Seconds that trials and launches took by a run's records; sides start at the same time."""
    starting_s: dict[tuple[Any, ...], dict[str, float]] = {}
    for record in run.launches:
        together = tuple(record[name] for name in ("round", "backend", "device", "threads"))
        sides = starting_s.setdefault(together, {})
        one_s = record["import_s"] + record["first_use_s"]
        sides[record["side"]] = sides.get(record["side"], 0.0) + one_s
    starts_s = sum(max(sides.values()) for sides in starting_s.values())
    return float(starts_s + run.trials.spent_s)
