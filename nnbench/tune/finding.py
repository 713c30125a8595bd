"""What a tuning says, computed once: the fastest settings, how sure that is, what they change."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from nnbench.drift import trajectory
from nnbench.drift.metrics import Drift
from nnbench.errors import UserError
from nnbench.stats.estimate import Estimate
from nnbench.stats.verdict import MARGIN
from nnbench.tune import code, saved
from nnbench.tune import space as spaces
from nnbench.tune.halving import HALVED
from nnbench.tune.saved import Tuning
from nnbench.workload.case import Case

FEW_LAUNCHES = 3
"""An interval of fewer launches is very wide: Student's t of one degree of freedom is 12.7."""


@dataclass(frozen=True)
class Setting:
    """A setting that was timed.

    `ratio` is its time of an epoch over the present setting's, `epoch_s` that time, `once_s` what
    is paid once: build, trace, compile. `keeps` tells whether it trains as now, `last` whether it
    was timed to the end.
    """

    case: Case
    name: str
    changes: dict[str, spaces.Value]
    keeps: bool
    ratio: Estimate
    epoch_s: Estimate
    once_s: Estimate
    last: bool


@dataclass(frozen=True)
class Trained:
    """What a training of a setting came to: its drift from the present one, its peak of memory.

    `problem` says why there is no drift.
    """

    drift: Drift | None
    problem: str
    peak_bytes: int | None


@dataclass(frozen=True)
class Answer:
    """A setting to take.

    `alike` are others, timed to the end, that cannot be distinguished from it. `pays_from` is the
    epoch from which on it is ahead, 1 where it is at once. `code` is what to write.
    """

    setting: Setting
    trained: Trained
    alike: tuple[str, ...]
    pays_from: int
    code: str


@dataclass(frozen=True)
class Finding:
    """Everything that is told of a tuning; `settings` are sorted, the fastest first.

    `rows` of all were timed; `epochs` were trained for the drift; `again` is the present setting's
    drift from itself. `same` keeps the training, `changing` does not and is faster; None where
    nothing is. Where `same` is None, `likely` keeps the training and was the fastest so far, though
    its interval does not show that it is faster than now. So many single changes were `not_reached`
    within the budget.
    """

    tuning: Tuning
    present: Setting
    settings: Sequence[Setting]
    same: Answer | None
    likely: Setting | None
    changing: Answer | None
    again: Trained | None
    failed: dict[str, str]
    left_out: Sequence[str]
    not_reached: int
    rows: int
    epochs: int

    @classmethod
    def of(cls, tuning: Tuning) -> Self:
        """Raises UserError where too little was timed, or a file of it is damaged."""
        ranked = tuning.ranked
        if tuning.present not in ranked:
            raise UserError(f"{tuning.folder} holds no timing yet: give the same command again")
        settings = [_setting(tuning, case) for case in ranked]
        settings.sort(key=lambda one: one.ratio.value)
        present = next(one for one in settings if one.case == tuning.present)
        same, changing = _chosen(tuning)
        likely = likeliest(tuning)
        trainings = tuning.trainings(tuning.present.key)
        return cls(
            tuning=tuning,
            present=present,
            settings=settings,
            same=_answer(tuning, settings, same, None),
            likely=next((one for one in settings if one.case == likely), None),
            changing=_answer(tuning, settings, changing, same),
            again=_trained(tuning, tuning.present, repeat=1) if len(trainings) > 1 else None,
            failed={
                spaces.name(tuning.cases[key], tuning.present): why
                for key, why in tuning.failed.items()
                if key in tuning.cases
            },
            left_out=tuning.specification["left_out"],
            not_reached=len({*tuning.space.single_changes()} - tuning.tried),
            rows=tuning.rows,
            epochs=trainings[0]["epochs"] if trainings else tuning.epochs,
        )

    @property
    def answers(self) -> list[Answer]:
        """What to take: none, one or two."""
        return [one for one in (self.same, self.changing) if one is not None]

    @cached_property
    def present_peak_bytes(self) -> int | None:
        """The present setting's peak of memory."""
        return _peak_bytes(self.tuning.trainings(self.present.case.key))

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.tuning.folder


def named(tuning: Tuning) -> list[Case]:
    """The settings that are to be told: the fastest that trains as now, the fastest of all."""
    return [case for case in _chosen(tuning) if case is not None]


def likeliest(tuning: Tuning) -> Case | None:
    """What trains as now and was faster in the mean, where nothing was shown to be faster.

    It is the fastest of what was timed to the end, if by more than the margin; else None.
    """
    if _chosen(tuning)[0] is not None:
        return None
    same = [case for case in _last(tuning) if tuning.space.keeps_training(case)]
    value = {case: tuning.ratio(case.key).value for case in same if case != tuning.present}
    fastest = min(value, key=lambda case: value[case], default=None)
    return fastest if fastest is not None and value[fastest] * (1 + MARGIN) < 1 else None


def _setting(tuning: Tuning, case: Case) -> Setting:
    return Setting(
        case=case,
        name=spaces.name(case, tuning.present),
        changes=tuning.space.changes(case),
        keeps=tuning.space.keeps_training(case),
        ratio=tuning.ratio(case.key),
        epoch_s=tuning.epoch_s(case.key),
        once_s=tuning.once_s(case.key),
        last=case in _last(tuning),
    )


def _last(tuning: Tuning) -> list[Case]:
    """Settings that were timed to the end: in the last rung of halving, else in any."""
    halved = [rung for rung in tuning.rungs if rung.stage == HALVED]
    cases = halved[-1].cases if halved else list(tuning.ranked)
    return [case for case in cases if case in tuning.ranked]


def _chosen(tuning: Tuning) -> tuple[Case | None, Case | None]:
    """The fastest that keeps the training, and one that changes it and is faster still."""
    space = tuning.space
    last = [case for case in _last(tuning) if case != tuning.present]
    same = _fastest(tuning, [case for case in last if space.keeps_training(case)], None)
    others = [case for case in last if not space.keeps_training(case)]
    return same, _fastest(tuning, others, same)


def _fastest(tuning: Tuning, cases: Sequence[Case], than: Case | None) -> Case | None:
    """The fastest that is faster than now, and than another; of equal ones that of fewest changes.

    Equal are those whose ratio to the fastest is within the margin.
    """
    faster = [
        case
        for case in cases
        if all(
            _is_faster(tuning, case, other) for other in (tuning.present, than) if other is not None
        )
    ]
    if not faster:
        return None
    value = {case: tuning.ratio(case.key).value for case in faster}
    least = min(value.values())
    equal = [case for case in faster if value[case] <= (1 + MARGIN) * least]
    return min(equal, key=lambda case: (len(tuning.space.changes(case)), value[case]))


def _is_faster(tuning: Tuning, case: Case, than: Case) -> bool:
    """By its interval; or in every single turn, where an interval of few launches says nothing."""
    ratios = tuning.ratios(case.key, than.key)
    if not ratios:
        return False
    ratio = tuning.ratio(case.key, than.key)
    if ratio.has_interval and ratio.high < 1:
        return True
    return ratio.launches < FEW_LAUNCHES and max(ratios.values()) * (1 + MARGIN) < 1


def _answer(
    tuning: Tuning, settings: Sequence[Setting], case: Case | None, than: Case | None
) -> Answer | None:
    if case is None:
        return None
    mine = next(one for one in settings if one.case == case)
    alike = [
        one.name
        for one in settings
        if one.last and one.keeps == mine.keeps and one is not mine and one.case != than
        if one.case != tuning.present and not _differ(tuning, one.case, case)
    ]
    present = next(one for one in settings if one.case == tuning.present)
    pays_from = _pays_from(mine, present, tuning.present.trained_rows / tuning.rows)
    written = code.to_write(tuning.present, case)
    return Answer(mine, _trained(tuning, case), tuple(alike), pays_from, written)


def _pays_from(mine: Setting, present: Setting, epochs_in_one: float) -> int:
    """The epoch from which on it is ahead, where it is sure that more is paid once."""
    more_s = mine.once_s.value - present.once_s.value
    gained_s = epochs_in_one * (present.epoch_s.value - mine.epoch_s.value)
    is_sure = mine.once_s.low > present.once_s.high
    return max(1, math.ceil(more_s / gained_s)) if is_sure and gained_s > 0 else 1


def _differ(tuning: Tuning, case: Case, other: Case) -> bool:
    if not tuning.ratios(case.key, other.key):
        return True
    return tuning.ratio(case.key, other.key).excludes_one


def _peak_bytes(trainings: Sequence[dict[str, Any]]) -> int | None:
    known = [one for one in trainings if one.get("peak_host_bytes")]
    return known[0].get("peak_device_bytes") or known[0]["peak_host_bytes"] if known else None


def _trained(tuning: Tuning, case: Case, repeat: int = 0) -> Trained:
    """What came of its training, compared with the present setting's first."""
    mine = [one for one in tuning.trainings(case.key) if one["repeat"] == repeat]
    reference = [one for one in tuning.trainings(tuning.present.key) if one["repeat"] == 0]
    peak_bytes = _peak_bytes(mine)
    for one in (*reference[:1], *mine[:1]):
        if one["outcome"] != saved.OK:
            told = str(one.get("message") or one["outcome"])
            return Trained(None, told.splitlines()[0], peak_bytes)
    if not mine or not reference:
        return Trained(None, "it was not trained", peak_bytes)
    folder = tuning.folder / saved.TRAJECTORIES
    pair = (trajectory.read(folder / one["file"]) for one in (reference[0], mine[0]))
    return Trained(trajectory.drift(*pair), "", peak_bytes)
