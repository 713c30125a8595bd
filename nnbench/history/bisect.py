"""Finding the commit that changed a time, by measuring: the range's ends and its middle in turn.

Each step measures first, middle and last of what is left in one run, so that the three share
their rounds. The middle is like whichever end it is nearer to: its ratio to the geometric mean of
both ends, paired within blocks, must differ from 1 by the verdict of `comparison`. Where it does
not, more rounds are measured, up to `MOST_TRIES` times as many; then the range is the answer.
Every trial is on disk: the same command goes on where it stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nnbench.errors import UserError
from nnbench.history.commits import Commit
from nnbench.phases import COLD, STEP
from nnbench.stats import verdict
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.summary import Measured
from nnbench.stats.verdict import DIFFERENT, Comparison
from nnbench.store.runs import Run

MOST_TRIES = 3
DOUBT = 0.01

MeasureCommits = Callable[[Sequence[Commit], int], Run]
"""Measure these commits in turn; the number says which try it is."""


@dataclass(frozen=True)
class Step:
    """One measurement: the ends, the middle (None at first), and what was seen."""

    first: Commit
    last: Commit
    middle: Commit | None
    verdict: Comparison
    tries: int


@dataclass(frozen=True)
class Outcome:
    """Where the change is: after `first`, up to and with `last`; one commit when `found`.

    `change` is `last` against `first` as they were measured last; `reason` says why it ended.
    """

    first: Commit
    last: Commit
    commits: tuple[Commit, ...]
    change: Comparison
    reason: str
    steps: list[Step] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Whether one commit is left, and it differs."""
        return len(self.commits) == 1 and self.change.verdict == DIFFERENT


def search(
    commits: Sequence[Commit], phase: str, measure: MeasureCommits, tell: Callable[[Step], None]
) -> Outcome:
    """Halve `commits`, in order, until the one that changed `phase` is left.

    The first is taken as before the change. `tell` is called after each step.
    """
    steps: list[Step] = []
    low, high = 0, len(commits) - 1
    whole = _compared(commits[low], commits[high], None, phase, measure)
    steps.append(whole)
    tell(whole)
    while whole.verdict.verdict == DIFFERENT and high - low > 1:
        middle = (low + high) // 2
        step = _compared(commits[low], commits[high], commits[middle], phase, measure)
        steps.append(step)
        tell(step)
        if step.verdict.verdict != DIFFERENT:
            reason = f"{commits[middle].short} lies between the two, as far as can be told"
            return _outcome(commits, low, high, _change(steps), reason, steps)
        upwards = whole.verdict.ratio.value > 1
        # A middle that is already as slow as the last holds the change, or has it behind it.
        if (step.verdict.ratio.value > 1) == upwards:
            high = middle
        else:
            low = middle
    if whole.verdict.verdict != DIFFERENT:
        reason = "the two ends do not differ"
    elif len(steps) > 1:
        last = _compared(commits[low], commits[high], None, phase, measure)
        steps.append(last)
        tell(last)
        reason = "one commit is left"
    else:
        reason = "one commit is left"
    return _outcome(commits, low, high, _change(steps), reason, steps)


def _change(steps: Sequence[Step]) -> Comparison:
    return next(step.verdict for step in reversed(steps) if step.middle is None)


def _outcome(
    commits: Sequence[Commit],
    low: int,
    high: int,
    change: Comparison,
    reason: str,
    steps: list[Step],
) -> Outcome:
    left = tuple(commits[low + 1 : high + 1])
    return Outcome(commits[low], commits[high], left, change, reason, steps)


def _compared(
    first: Commit, last: Commit, middle: Commit | None, phase: str, measure: MeasureCommits
) -> Step:
    shown = [one for one in (first, middle, last) if one is not None]
    runs: list[Run] = []
    for number in range(MOST_TRIES):
        runs.append(measure(shown, number))
        judged = judge(runs, phase, first, last, middle)
        if judged.verdict != verdict.UNDECIDED:
            break
    return Step(first, last, middle, judged, len(runs))


def judge(
    runs: Sequence[Run], phase: str, first: Commit, last: Commit, middle: Commit | None
) -> Comparison:
    """Last against first; or the middle against the geometric mean of both."""
    values = pd.concat(
        [Measured.of(run).paired_values.assign(run=place) for place, run in enumerate(runs)]
    )
    values = values[values["phase"] == phase].assign(log=lambda table: np.log(table["seconds"]))
    wide = values.pivot_table(
        index=["run", "round", "case", "block"], columns="side", values="log"
    ).dropna()
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
    # What is asked is to which side, not how far: equivalence is no answer for a middle.
    margin = verdict.MARGIN if middle is None else 0.0
    return verdict.judge({label: ratio}, margin=margin, false_discoveries=DOUBT)[0]


def trials_for(phase: str) -> dict[str, Any]:
    """Which trials tell of a phase: what a specification needs, and nothing that does not."""
    if phase == STEP:
        return {"kinds": ()}
    return {"kinds": ("cold",) if phase == COLD else ("phases",), "sweeps": 0}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data."""
    ratio = outcome.change.ratio
    known = ratio.has_interval
    return {
        "found": outcome.found,
        "after": outcome.first.name,
        "commits": [one.name for one in outcome.commits],
        "subjects": [one.subject for one in outcome.commits],
        "verdict": outcome.change.verdict,
        "ratio": ratio.value,
        "low": ratio.low if known else None,
        "high": ratio.high if known else None,
        "reason": outcome.reason,
        "measurements": len(outcome.steps),
    }
