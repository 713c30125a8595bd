"""An attribution in words: sentences made from its numbers, as sure as their intervals allow."""

import math

from nnbench.costs.setting import Setting
from nnbench.explain.attribution import (
    GROUPS,
    OVERHEAD,
    REST,
    STEPS,
    TRACE_AND_COMPILE,
    Attribution,
)
from nnbench.explain.crossover import RowsFlip, are_alike, asks, more_layers
from nnbench.phases import BUILD, COLD, FIRST_STEP, PREPARE, STEP
from nnbench.show import units
from nnbench.stats.interval import Interval

DOING = {
    BUILD: "building {layers}",
    PREPARE: "preparing {layers}",
    TRACE_AND_COMPILE: "tracing and compiling {layers}",
    FIRST_STEP: "the first step",
    OVERHEAD: "what the framework does around the epochs",
    STEPS: "computing the steps",
    REST: "not explained by any part",
}
LARGE_REST = 0.25
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def tell(found: Attribution, rows: RowsFlip | None) -> list[str]:
    """All there is to say; `rows` is what a cost model says, None where there is none."""
    return [*sentences(found), *counts(found), *layers_against_units(found, rows)]


def sentences(found: Attribution) -> list[str]:
    """Why the second takes longer, or less, than the first."""
    said = [f"{_whole(found)}{_step(found)}."]
    if found.whole.excludes_zero:
        said += _other_way(found)
        rest = abs(found.shares[REST].value)
        if rest > LARGE_REST:
            said.append(
                f"The parts do not add up well: {units.share(rest)} of the difference is in none "
                "of them; more launches would tell."
            )
    if not found.whole.has_interval:
        said.append("One block has no interval: measure more launches before believing it.")
    return said


def _whole(found: Attribution) -> str:
    if not found.whole.excludes_zero:
        return (
            f"Cold, over {found.first_case.cold_epochs} epochs, {found.second} and {found.first} "
            f"cannot be distinguished ({_span(found.whole)})"
        )
    ratio = found.ratios.get(COLD)
    times = found.second_cold_s / found.first_cold_s if ratio is None else ratio.value
    takes = f"{found.second} takes {units.ratio(times)} as long as {found.first}{_beside(ratio)}"
    group = max((name for name in DOING if name != REST), key=lambda one: found.shares[one].value)
    share = found.shares[group]
    doing = DOING[group].format(layers=_layers(found))
    if share.value > 1.02:
        part = sum(found.parts[name].value for name in GROUPS.get(group, (group,)))
        return (
            f"{takes}: {doing} takes {units.seconds(abs(part))} {_more(part)}, "
            f"which is beyond the whole difference of {units.seconds(abs(found.whole.value))}"
        )
    sure = f" ({units.share(share.low)} to {units.share(share.high)})" if share.has_interval else ""
    return f"{takes}: {units.share(share.value)}{sure} of the difference is {doing}"


def _layers(found: Attribution) -> str:
    network, more = found.second_case.architecture, more_layers(found)
    if more == 0 or network is None:
        return "it"
    number = NUMBERS[abs(more)] if abs(more) < len(NUMBERS) else str(abs(more))
    several = "s" if abs(more) > 1 else ""
    return f"{number} {'more' if more > 0 else 'fewer'} {network.kind.layer}{several}"


def counts(found: Attribution) -> list[str]:
    """Parameters and FLOPs of both, as far as they are known, and what these leave out."""
    names = list(dict.fromkeys(found.names))
    told: list[str] = []
    left_out: list[str] = []
    for name, one in zip(names, found.counts, strict=False):
        least = "at least " if one.not_counted else ""
        parts = [] if one.parameters is None else [f"{one.parameters:,} parameters"]
        parts += [] if one.flops is None else [f"{least}{units.flops(one.flops)} a step"]
        told += [f"{name} has {' and '.join(parts)}"] if parts else []
        left_out += one.not_counted
    said = [f"{'; '.join(told)}."] if told else []
    if left_out:
        said.append(f"Not counted among the FLOPs: {', '.join(dict.fromkeys(left_out))}.")
    return said


def _other_way(found: Attribution) -> list[str]:
    back = ", ".join(
        f"{name} {units.seconds(abs(part.value))}"
        for name, part in found.parts.items()
        if name != REST and part.excludes_zero and part.value * found.whole.value < 0
    )
    way = "less" if found.whole.value > 0 else "more"
    return [f"The other way go: {back} {way}."] if back else []


def _step(found: Attribution) -> str:
    ratio = found.ratios.get(STEP)
    if ratio is None:
        return ""
    if not ratio.excludes_one:
        return "; per step the two cannot be distinguished"
    if ratio.value < 1:
        turned = Interval(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
        return f"; per step it is {units.ratio(turned.value)} faster{_beside(turned)}"
    return f"; per step it is {units.ratio(ratio.value)} slower{_beside(ratio)}"


def _beside(ratio: Interval | None) -> str:
    if ratio is None or not ratio.has_interval:
        return ""
    return f" ({units.ratio_range(ratio.low, ratio.high)})"


def _span(part: Interval) -> str:
    if not part.has_interval:
        return f"{units.seconds(part.value)} {_more(part.value)}, without an interval"
    return f"the difference lies between {units.seconds(part.low)} and {units.seconds(part.high)}"


def _more(value_s: float) -> str:
    return "more" if value_s > 0 else "less"


def layers_against_units(found: Attribution, rows: RowsFlip | None) -> list[str]:
    """Whether layers cost more than units, and where that turns; empty for one network alone."""
    first, second = found.first_case, found.second_case
    if first == second or second.architecture is None or not are_alike(found):
        return []
    family = second.architecture.kind
    question = f"{family.layer}s cost more than {family.unit}"
    if not asks(found):
        return [
            f"Whether {question}, {found.first} and {found.second} cannot tell: "
            f"it takes one network with more {family.layer}s and another with more weights."
        ]
    sign = 1 if more_layers(found) > 0 else -1
    deeper, wider = (found.second, found.first)[::sign]
    excess_s = sign * found.whole.value
    if not found.whole.excludes_zero:
        answer = f"{deeper} and {wider} cannot be distinguished"
    else:
        yes, way = ("yes", "longer") if excess_s > 0 else ("no", "less")
        answer = (
            f"{yes}, the deeper {deeper} takes {units.seconds(abs(excess_s))} {way} than the "
            f"wider {wider}"
        )
    where = f"{first.context}, {first.cold_epochs} epochs, {first.rows:,} rows"
    return [
        f"Do {question}? On {where}: {answer}.",
        _epochs_flip(found, sign * found.epoch.value, deeper, wider),
        # The cost model, which knows of other numbers of rows, is of chains of Dense layers.
        *([_rows_flip(found, rows)] if first.is_dense_chain else []),
    ]


def _epochs_flip(found: Attribution, excess_s: float, deeper: str, wider: str) -> str:
    flip = found.epochs_flip
    if not found.epoch.excludes_zero:
        return (
            "At how many epochs that turns round is not told: their epochs differ by less than "
            "the interval."
        )
    before, after = (deeper, wider) if excess_s < 0 else (wider, deeper)
    if math.isinf(flip.value):
        return f"However many epochs: {after} takes longer, and more so with each."
    if math.isnan(flip.low):
        span = ""
    elif math.isinf(flip.low):
        span = " (or never)"
    else:
        high = "or more" if math.isinf(flip.high) else f"to {flip.high:,.0f}"
        span = f" ({flip.low:,.0f} {high})"
    return (
        f"With the number of epochs that turns round at {flip.value:,.0f}{span}: below, {before} "
        f"takes longer, above, {after}."
    )


def _rows_flip(found: Attribution, flip: RowsFlip | None) -> str:
    if flip is None:
        calibrate = f"nnbench calibrate {Setting.of(found.first_case).options}"
        return f"At how many rows it turns round: run `{calibrate}`, then this again."
    span = f"between {flip.least:,} and {flip.most:,} rows"
    below, above = (found.second, found.first)[:: 1 if flip.second_longer_at_least else -1]
    if flip.rows is None:
        return f"By the cost model {below} takes longer at any number of rows {span}."
    low = f"{flip.rows.low:,}" if flip.rows.low > 0 else "fewer"
    high = "more" if math.isinf(flip.rows.high) else f"{flip.rows.high:,}"
    return (
        f"By the cost model it turns round at {flip.rows.value:,} rows ({low} to {high}; asked "
        f"{span}): below, {below} takes longer, above, {above}."
    )
