"""Finding the commit that changed a time, by measuring: the range's ends and its middle in turn.

Each step measures first, middle and last of what is left in one run, so that the three share
their rounds. The middle is like whichever end it is nearer to: its ratio to the geometric mean of
both ends, paired within blocks, must differ from 1 by the verdict of `stats.verdict`. Where it
does not, more rounds are measured, up to `MOST_TRIES` times as many; then the range is the answer.
Every trial is on disk: the same command goes on where it stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnbench.errors import UserError
from nnbench.history import commits, record
from nnbench.history.commits import Commit
from nnbench.measure import decision
from nnbench.phases import PHASES
from nnbench.stats import verdict
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.summary import Measured
from nnbench.stats.verdict import DIFFERENT, Comparison
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.study import Study

MOST_TRIES = 3
DOUBT = 0.01

Measure = Callable[[Sequence[Commit], int], Run]
"""Measure these commits in turn; the number says which try it is."""


@dataclass(frozen=True)
class Outcome:
    """The change lies after `first`, up to and with `last`; `change` is its size, measured last."""

    first: Commit
    last: Commit
    commits: tuple[Commit, ...]
    change: Comparison
    reason: str
    measurements: int

    @property
    def found(self) -> bool:
        """Whether one commit is left, and it differs."""
        return len(self.commits) == 1 and self.change.verdict == DIFFERENT


def chosen(first: str, last: str, phase: str) -> list[Commit]:
    """The commits of a range, both ends included. Raises UserError for none and unknown phases."""
    if phase not in PHASES:
        raise UserError(f"unknown phase '{phase}': choose from {', '.join(PHASES)}")
    found = commits.chosen(Path(), [f"{first}..{last}"])
    if len(found) < 2:
        raise UserError(f"there are no commits after {first} up to {last}")
    return found


def measuring(study: Study, cases: Sequence[Case], phase: str, run: Callable[..., Run]) -> Measure:
    """How a study's cases are measured for a phase; `run` measures a part, given `checked_out`."""
    trials = decision.trials(phase)

    def measure(shown: Sequence[Commit], attempt: int) -> Run:
        # Another seed is another run: more rounds, with orders of their own.
        seed = study.effort.seed + attempt
        anew = replace(study, effort=replace(study.effort, seed=seed))
        (part,) = record.plan(shown, anew, cases, together=len(shown), **trials)
        return run(part, checked_out=record.check_out(shown))

    return measure


def search(
    commits: Sequence[Commit],
    phase: str,
    measure: Measure,
    tell: Callable[[Comparison], None] | None = None,
) -> Outcome:
    """Halve `commits` until the one that changed `phase` is left; the first is before that."""
    told = 0

    def compare(first: Commit, last: Commit, middle: Commit | None = None) -> Comparison:
        nonlocal told
        shown = [one for one in (first, middle, last) if one is not None]
        tries = [measure(shown, 0)]
        judged = judge(tries, phase, first, last, middle)
        while judged.verdict == verdict.UNDECIDED and len(tries) < MOST_TRIES:
            tries.append(measure(shown, len(tries)))
            judged = judge(tries, phase, first, last, middle)
        told += 1
        if tell is not None:
            tell(judged)
        return judged

    low, high = 0, len(commits) - 1
    change = compare(commits[low], commits[high])
    slower = change.ratio.value > 1
    reason = "one commit is left" if change.verdict == DIFFERENT else "the two ends do not differ"
    while change.verdict == DIFFERENT and high - low > 1:
        middle = (low + high) // 2
        step = compare(commits[low], commits[high], commits[middle])
        if step.verdict != DIFFERENT:
            reason = f"{commits[middle].short} lies between the two, as far as can be told"
            break
        # A middle that is already as slow as the last holds the change, or has it behind it.
        low, high = (low, middle) if (step.ratio.value > 1) == slower else (middle, high)
    else:
        if told > 1:
            change = compare(commits[low], commits[high])
    left = tuple(commits[low + 1 : high + 1])
    return Outcome(commits[low], commits[high], left, change, reason, told)


def judge(
    runs: Sequence[Run], phase: str, first: Commit, last: Commit, middle: Commit | None
) -> Comparison:
    """Last compared with first; or the middle with the geometric mean of both."""
    measured = [Measured.of(run).paired_values for run in runs]
    values = pd.concat([one.assign(run=number) for number, one in enumerate(measured)])
    values = values[values["phase"] == phase].assign(log=lambda table: np.log(table["seconds"]))
    names = ["run", "round", "case", "block"]
    wide = values.pivot_table(index=names, columns="side", values="log").dropna()
    if wide.empty or not {first.short, last.short} <= set(wide.columns):
        raise UserError(
            f"'{phase}' was not measured at {first.short} and {last.short}: this backend and path "
            "do not have it, or the training fails there"
        )
    before, after = wide[first.short], wide[last.short]
    logs = after - before if middle is None else wide[middle.short] - (before + after) / 2
    unit = [f"{run}/{number}" for run, number, _, _ in wide.index]
    ratio = nested_estimate(np.exp(logs), unit)
    label = f"{(middle or last).short} against {'both ends' if middle else first.short}"
    # What is asked is to which end, not how far: equivalence is no answer for a middle.
    margin = verdict.MARGIN if middle is None else 0.0
    return verdict.judge({label: ratio}, margin=margin, false_discoveries=DOUBT)[0]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON has it."""
    ratio = outcome.change.ratio
    return {
        "found": outcome.found,
        "after": outcome.first.name,
        "commits": [one.name for one in outcome.commits],
        "subjects": [one.subject for one in outcome.commits],
        "verdict": outcome.change.verdict,
        "ratio": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "reason": outcome.reason,
        "measurements": outcome.measurements,
    }
