"""What a tuning says in sentences."""

import math

from nnbench.drift.metrics import Drift
from nnbench.show import units
from nnbench.show.intervals import RATIO, SECONDS, sentence
from nnbench.show.units import seconds
from nnbench.stats.verdict import MARGIN
from nnbench.tune.finding import FEW_LAUNCHES, Answer, Finding, Trained

KINDS = {True: "with the same training", False: "where the training may change"}


def sentences(found: Finding) -> list[str]:
    """The finding first: what to take; then what it changes, costs and holds."""
    told = []
    if found.same is None:
        nothing = "Nothing that was tried and keeps the training was found to be faster than now"
        told.append(f"{nothing} ({now(found)}).")
    if found.likely is not None:
        told.append(
            f"Likely, but not shown: {found.likely.name} takes "
            f"{sentence(found.likely.ratio, RATIO)} the time of now. A larger --budget may show it."
        )
    for one in found.answers:
        told += [_fastest(found, one), *_about(found, one)]
    return told


def now(found: Finding) -> str:
    """The present setting in words: `tensorflow, fit, batches of 32`."""
    case = found.present.case
    rows = "one batch of all rows" if case.training.batch_size is None else ""
    return f"{found.present.name}, {rows or f'batches of {case.batch_rows:,}'}"


def _fastest(found: Finding, one: Answer) -> str:
    mine, present = one.setting, found.present
    what = f"Fastest {KINDS[mine.keeps]}: {mine.name}"
    if one is found.changing and found.same is not None:
        what = f"Faster still, but it changes the training: {mine.name}"
    return (
        f"{what}: an epoch takes {sentence(mine.ratio, RATIO)} the time that it takes "
        f"now ({now(found)}), {seconds(mine.epoch_s.value)} instead of "
        f"{seconds(present.epoch_s.value)}."
    )


def _about(found: Finding, one: Answer) -> list[str]:
    told = [_once(found, one)]
    if one.alike:
        told.append(f"It cannot be distinguished from {'; '.join(one.alike)}.")
    told += [_drift(found, one.trained), _memory(found, one.trained)]
    return [text for text in told if text]


def _once(found: Finding, one: Answer) -> str:
    once, before = (sentence(each.once_s, SECONDS) for each in (one.setting, found.present))
    told = f"To build, trace and compile it takes {once} once, now {before}"
    if one.pays_from > 1:
        return f"{told}: it is ahead from epoch {one.pays_from:,} on."
    return f"{told}."


def _drift(found: Finding, trained: Trained) -> str:
    if trained.drift is None:
        return f"What it changes numerically is not known: {trained.problem}."
    told = f"After {found.epochs} epochs from the same seed and weights, {apart(trained.drift)}"
    again = found.again
    if again is None or again.drift is None:
        return f"{told}."
    if again.drift.bitwise:
        return f"{told}; as it is now, two trainings are equal in every bit."
    return f"{told}; of two trainings as it is now, {apart(again.drift)}."


def apart(drift: Drift) -> str:
    """How far two trainings are apart, in part of a sentence."""
    if drift.bitwise:
        return "weights and losses are equal in every bit"
    losses = _distance(drift.loss_difference)
    if not drift.comparable:
        return f"losses are {losses} apart at most, and weights have other shapes"
    return (
        f"losses are {losses} apart at most and weights {_distance(drift.relative_l2)} "
        f"(relative), {units.share(drift.disagreement)} of answers differ"
    )


def _distance(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else "not finitely"


def _memory(found: Finding, trained: Trained) -> str:
    mine, before = trained.peak_bytes, found.present_peak_bytes
    if mine is None or before is None:
        return ""
    size, ratio = units.data_size(mine), units.ratio(mine / before)
    return f"A new process holds {size} at its peak, {ratio} of now ({units.data_size(before)})."


def warnings(found: Finding) -> list[str]:
    """What limits the answer, what was left out and what failed."""
    told = []
    case = found.present.case
    if found.rows < case.trained_rows:
        told.append(
            f"An epoch takes long: the first {found.rows:,} of {case.trained_rows:,} rows were "
            "timed. What an epoch costs beside its steps weighs more in them than in all."
        )
    last = [one.ratio for one in found.settings if one.last and one is not found.present]
    few = min((ratio.launches for ratio in last), default=FEW_LAUNCHES)
    if few < FEW_LAUNCHES:
        many = "1 launch" if few == 1 else f"{few} launches"
        unsure = any(not one.setting.ratio.excludes_one for one in found.answers)
        turns = "; faster in every turn, but its interval includes 1" if unsure else ""
        told.append(f"What was timed to the end rests on {many}{turns}: a larger --budget helps.")
    if found.not_reached:
        told.append(f"{found.not_reached} single changes were not reached within the budget.")
    if any(one.alike for one in found.answers):
        within = units.share(MARGIN)
        told.append(f"Within {within} of the fastest the setting of fewest changes is told.")
    told += list(found.left_out)
    reasons: dict[str, list[str]] = {}
    for name, why in found.failed.items():
        reasons.setdefault(why.splitlines()[0], []).append(name)
    told += [f"Not timed: {'; '.join(names)}: {why}" for why, names in reasons.items()]
    return told
