"""An attribution in words: sentences made from its numbers, as sure as their intervals allow."""

import math
from collections.abc import Callable
from pathlib import Path

from nnbench.costs.calibration import Place, load_if_any
from nnbench.explain.attribution import (
    GROUPS,
    OVERHEAD,
    REST,
    STEPS,
    TRACE_AND_COMPILE,
    Attribution,
    Part,
)
from nnbench.explain.crossover import RowsFlip, rows_flip
from nnbench.phases import BUILD, COLD, FIRST_STEP, PREPARE, STEP
from nnbench.show import units
from nnbench.stats.estimate import Estimate

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


def tell(found: Attribution, results: Path) -> list[str]:
    """All there is to say, with what the cost model of this place, if there is one, knows."""
    if not asks(found):
        return [*sentences(found), *layers_against_cells(found, None, "")]
    place = Place.of(found.first_case)
    model = load_if_any(results, place)
    epochs = found.first_case.cold_epochs
    rows = rows_flip(model, found.first_case, found.second_case, epochs) if model else None
    again = f"nnbench calibrate {place.options}"
    return [*sentences(found), *layers_against_cells(found, rows, again)]


def sentences(found: Attribution) -> list[str]:
    """Why the second takes longer, or less, than the first."""
    said = [f"{_whole(found)}{_step(found)}."]
    if found.whole.is_told:
        said += _against(found)
    if found.whole.is_told and abs(found.shares[REST][0]) > LARGE_REST:
        said.append(
            f"The parts do not add up well: {units.share(abs(found.shares[REST][0]))} of the "
            "difference is in none of them; more launches would tell."
        )
    if not found.whole.has_interval:
        said.append("One block has no interval: measure more launches before believing it.")
    return said


def _whole(found: Attribution) -> str:
    ratio = found.ratios.get(COLD)
    if not found.whole.is_told:
        return (
            f"Cold, over {_epochs(found)}, {found.second} and {found.first} are not told apart "
            f"({_span(found.whole)})"
        )
    times = found.second_cold_s / found.first_cold_s if ratio is None else ratio.value
    interval = _ratio_interval(ratio)
    takes = f"{found.second} takes {units.ratio(times)} as long as {found.first}{interval}"
    group = _largest(found)
    share, low, high = found.shares[group]
    doing = DOING[group].format(layers=_layers(found))
    if share > 1.02:
        part = sum(found.part(name).value_s for name in GROUPS.get(group, (group,)))
        return (
            f"{takes}: {doing} takes {units.seconds(abs(part))} {_more(part)}, "
            f"which is beyond the whole difference of {units.seconds(abs(found.whole.value_s))}"
        )
    sure = f" ({units.share(low)} to {units.share(high)})" if math.isfinite(low) else ""
    return f"{takes}: {units.share(share)}{sure} of the difference is {doing}"


def _layers(found: Attribution) -> str:
    first, second = found.first_case.architecture, found.second_case.architecture
    more = (second.depth if second else 0) - (first.depth if first else 0)
    if more == 0:
        return "it"
    number = NUMBERS[abs(more)] if abs(more) < len(NUMBERS) else str(abs(more))
    return f"{number} {'more' if more > 0 else 'fewer'} layer{'s' if abs(more) > 1 else ''}"


def _largest(found: Attribution) -> str:
    names = [name for name in DOING if name != REST]
    return max(names, key=lambda name: found.shares[name][0])


def _against(found: Attribution) -> list[str]:
    """Parts that take back some of the difference, where they are told."""
    back = [
        each
        for each in found.parts
        if each.name != REST and each.is_told and each.value_s * found.whole.value_s < 0
    ]
    if not back:
        return []
    told = ", ".join(f"{each.name} {units.seconds(abs(each.value_s))}" for each in back)
    way = "less" if found.whole.value_s > 0 else "more"
    return [f"The other way go: {told} {way}."]


def _step(found: Attribution) -> str:
    ratio = found.ratios.get(STEP)
    if ratio is None:
        return ""
    if not ratio.excludes_one:
        return "; per step the two are not told apart"
    if ratio.value < 1:
        return f"; per step it is {units.ratio(1 / ratio.value)} faster{_turned(ratio)}"
    return f"; per step it is {units.ratio(ratio.value)} slower{_ratio_interval(ratio)}"


def _turned(ratio: Estimate) -> str:
    return f" ({units.ratio_range(1 / ratio.high, 1 / ratio.low)})"


def _ratio_interval(ratio: Estimate | None) -> str:
    if ratio is None or not ratio.has_interval:
        return ""
    return f" ({units.ratio_range(ratio.low, ratio.high)})"


def _span(part: Part) -> str:
    if not part.has_interval:
        return f"{units.seconds(part.value_s)} {_more(part.value_s)}, without an interval"
    low, high = units.seconds(part.low_s), units.seconds(part.high_s)
    return f"the difference lies between {low} and {high}"


def _more(value_s: float) -> str:
    return "more" if value_s > 0 else "less"


def _epochs(found: Attribution) -> str:
    return f"{found.first_case.cold_epochs} epochs"


def layers_against_cells(found: Attribution, rows: RowsFlip | None, calibrate: str) -> list[str]:
    """The answer to "do layers cost more than cells?" here, and where it turns round.

    `rows` is what a cost model says; None where there is none, and `calibrate` then says what to
    run. Empty where the question does not apply: the same network on both sides.
    """
    first, second = found.first_case, found.second_case
    if first == second or first.architecture is None or second.architecture is None:
        return []
    place = f"{first.place}, {_epochs(found)}, {first.rows:,} rows"
    if not asks(found):
        return [
            f"Whether layers cost more than cells, {found.first} and {found.second} cannot tell: "
            "it takes one network with more layers and another with more weights."
        ]
    second_is_deeper = second.architecture.depth > first.architecture.depth
    deeper, wider = (found.second, found.first) if second_is_deeper else (found.first, found.second)
    excess_s = found.whole.value_s if second_is_deeper else -found.whole.value_s
    if found.whole.is_told:
        answer = (
            f"yes, the deeper {deeper} takes {units.seconds(excess_s)} longer than the wider "
            f"{wider}"
            if excess_s > 0
            else f"no, the deeper {deeper} takes {units.seconds(-excess_s)} less than the wider "
            f"{wider}"
        )
    else:
        answer = f"{deeper} and {wider} are not told apart"
    said = [f"Do layers cost more than cells? On {place}: {answer}."]
    said.append(_epochs_flip(found, second_is_deeper, deeper, wider))
    said.append(_rows_flip(found, rows, calibrate))
    return said


def asks(found: Attribution) -> bool:
    """Whether one of the two has more layers and the other more weights."""
    first, second = found.first_case, found.second_case
    if first.architecture is None or second.architecture is None:
        return False
    layers = second.architecture.depth - first.architecture.depth
    weights = (second.parameters or 0) - (first.parameters or 0)
    return layers * weights < 0


def _epochs_flip(found: Attribution, second_is_deeper: bool, deeper: str, wider: str) -> str:
    flip = found.epochs_flip
    slope_s = found.epoch.value_s if second_is_deeper else -found.epoch.value_s
    if not found.epoch.is_told:
        return (
            "At how many epochs that turns round is not told: their epochs differ by less than "
            "the interval."
        )
    if flip.value is None:
        longer = deeper if slope_s > 0 else wider
        return f"However many epochs: {longer} takes longer, and more so with each."
    before, after = (deeper, wider) if slope_s < 0 else (wider, deeper)
    return (
        f"With the number of epochs that turns round at {_count(flip.value)}"
        f"{_interval(flip.low, flip.high)}: below, {before} takes longer, above, {after}."
    )


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _interval(low: float, high: float, show: Callable[[float], str] = _count) -> str:
    if math.isnan(low):
        return ""
    if math.isinf(low):
        return " (or never)"
    return f" ({show(low)} or more)" if math.isinf(high) else f" ({show(low)} to {show(high)})"


def _rows_flip(found: Attribution, rows: RowsFlip | None, calibrate: str) -> str:
    if rows is None:
        return f"At how many rows it turns round: run `{calibrate}`, then this again."
    span = f"between {rows.least:,} and {rows.most:,} rows"
    if rows.value is None:
        longer = found.second if rows.second_longer_at_least else found.first
        return f"By the cost model {longer} takes longer at any number of rows {span}."
    below = found.second if rows.second_longer_at_least else found.first
    above = found.first if rows.second_longer_at_least else found.second
    low = "fewer" if rows.low is None else f"{rows.low:,}"
    high = "more" if rows.high is None else f"{rows.high:,}"
    return (
        f"By the cost model it turns round at {rows.value:,} rows ({low} to {high}; asked {span}): "
        f"below, {below} takes longer, above, {above}."
    )
