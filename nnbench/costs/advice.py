"""Which networks meet a budget of parameters and of time for an epoch; what to change if none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nnbench.costs.context import Context
from nnbench.costs.prediction import Prediction
from nnbench.costs.questions import FAR_OFF, nearest_width
from nnbench.show import units
from nnbench.stats.interval import Interval
from nnbench.workload.architecture import Architecture

VERDICTS = SURE, LIKELY, DOUBTFUL, MISSES = "yes", "likely", "doubtful", "no"
"""By where the budget lies: above the interval, above the value, below it, below the interval."""

FEWEST = 0.5
"""A network with fewer than half of the parameters asked for is not what was asked for."""


@dataclass(frozen=True)
class Candidate:
    """A network that was considered; `meets_budget` is a verdict, None without a budget of time."""

    architecture: Architecture
    parameters: int
    prediction: Prediction
    meets_budget: str | None


@dataclass(frozen=True)
class Advice:
    """Candidates, the best first; `changes` are sentences, there if none of them meets."""

    candidates: Sequence[Candidate]
    changes: Sequence[str]

    @property
    def meeting(self) -> list[Candidate]:
        """Those that meet what was asked for, more likely than not."""
        return [one for one in self.candidates if one.meets_budget in (None, SURE, LIKELY)]

    @property
    def deepest(self) -> Candidate | None:
        """The deepest that meets."""
        return max(self.meeting, key=lambda one: one.architecture.depth, default=None)

    @property
    def widest(self) -> Candidate | None:
        """The widest that meets."""
        return max(self.meeting, key=lambda one: one.architecture.widths[0], default=None)


def judge(epoch_s: Interval, budget_s: float) -> str:
    """Whether an epoch meets a budget, given its interval."""
    if epoch_s.high <= budget_s:
        return SURE
    if epoch_s.value <= budget_s:
        return LIKELY
    return DOUBTFUL if epoch_s.low <= budget_s else MISSES


def advise(
    context: Context,
    parameters: int | None,
    budget_s: float | None,
    others: Mapping[str, Context] | None = None,
) -> Advice:
    """Equal-width networks with about so many parameters, or each depth's widest in a budget."""
    if parameters is not None:
        found = _of_size(context, parameters, budget_s)
    else:
        assert budget_s is not None
        found = _that_meet(context, budget_s)
    rank = {name: number for number, name in enumerate((*VERDICTS, None))}
    ordered = sorted(found, key=lambda one: (rank[one.meets_budget], one.prediction.epoch_s.value))
    advice = Advice(ordered, ())
    if budget_s is None or advice.meeting:
        return advice
    return Advice(ordered, _changes(context, ordered, budget_s, others or {}))


def _candidate(context: Context, architecture: Architecture, budget_s: float | None) -> Candidate:
    prediction = context.predict(architecture)
    verdict = None if budget_s is None else judge(prediction.epoch_s, budget_s)
    return Candidate(architecture, context.parameters(architecture), prediction, verdict)


def _of_size(context: Context, parameters: int, budget_s: float | None) -> list[Candidate]:
    least, most = FEWEST * parameters, (1 + FAR_OFF) * parameters
    found = []
    for depth in range(1, context.deepest + 1):
        width = nearest_width(depth, parameters, context.parameters, context.widest)
        if width is None:
            continue
        one = Architecture((width,) * depth)
        if context.parameters(one) > most and width > 1:
            # Widths are whole numbers: where none comes near, the next below.
            one = Architecture((width - 1,) * depth)
        if least <= context.parameters(one) <= most and one.widths[0] >= context.narrowest:
            found.append(_candidate(context, one, budget_s))
    return found


def _that_meet(context: Context, budget_s: float) -> list[Candidate]:
    def meets(one: Architecture) -> bool:
        return context.predict(one).epoch_s.value <= budget_s

    found = []
    for depth in range(1, context.deepest + 1):
        width = context.widest_with(depth, meets)
        if width is not None:
            found.append(_candidate(context, Architecture((width,) * depth), budget_s))
    return found


def _changes(
    context: Context,
    candidates: Sequence[Candidate],
    budget_s: float,
    others: Mapping[str, Context],
) -> list[str]:
    told, wanted = [], Architecture((context.narrowest,))
    quickest = min(candidates, key=lambda one: one.prediction.epoch_s.value, default=None)
    smaller = max(_that_meet(context, budget_s), key=lambda one: one.parameters, default=None)
    if smaller is None:
        least_s = units.seconds(context.predict(wanted).epoch_s.value)
        lesser = (
            f"no network helps: even {wanted.label} takes {least_s} an epoch, more than "
            f"{units.seconds(budget_s)}"
        )
    else:
        lesser = (
            f"fewer parameters: {smaller.architecture.label} with {smaller.parameters:,} takes "
            f"{units.seconds(smaller.prediction.epoch_s.value)} an epoch"
        )
    if quickest is not None:
        wanted, epoch_s = quickest.architecture, quickest.prediction.epoch_s
        told.append(
            f"a budget of {units.seconds(epoch_s.value)} an epoch "
            f"({units.seconds(epoch_s.high)} to be sure): {wanted.label} is the quickest"
        )
    changed = {}
    if context.batch_size is not None:
        changed["larger batches: a full batch"] = replace(context, batch_size=None)
    rows = context.rows // 2
    while rows >= max(2.0, context.model.ends["rows in a batch"][0]):
        changed[f"fewer rows: {rows:,}"] = fewer = replace(context, rows=rows)
        if fewer.predict(wanted).epoch_s.value <= budget_s:
            break
        rows //= 2
    changed |= {f"another setting: {name}": other for name, other in others.items()}
    told.append(lesser)
    for what, there in changed.items():
        time_s = there.predict(wanted).epoch_s.value
        if time_s <= budget_s:
            told.append(f"{what} ({wanted.label} would take {units.seconds(time_s)} an epoch)")
    return told
