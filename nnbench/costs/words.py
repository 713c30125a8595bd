"""Answers of the cost model in tables, sentences and plain data."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nnbench.costs.advice import Advice
from nnbench.costs.context import Scene, Width
from nnbench.costs.prediction import Prediction
from nnbench.costs.questions import DEVICE_FLOPS_PER_S, FREE, Alternative, FreeWidth, GpuQuestion
from nnbench.costs.verification import Checked
from nnbench.phases import EPOCH
from nnbench.show import units
from nnbench.show.table import Cell, Table
from nnbench.stats.estimate import Estimate
from nnbench.stats.interval import Interval

MOST_SHOWN = 12
"""Candidates in a table; the deepest and the widest are always there."""


def time(found: Interval) -> Cell:
    """A time with its interval below."""
    return Cell(units.seconds(found.value), units.beside(found.value, found.low, found.high))


def ratio(found: Interval) -> Cell:
    """A ratio with its interval below."""
    below = f"{units.significant(found.low)}–{units.significant(found.high)}"
    return Cell(units.ratio(found.value), below)


def width(found: Width) -> Cell:
    """A width and between which ones it may lie."""
    if found.value is None:
        return Cell("none")
    low = "below" if found.low is None else f"{found.low:,}"
    high = f"{found.high:,}" + (" or more" if found.open_above else "")
    return Cell(f"{found.value:,}", f"{low}–{high}")


def place(scene: Scene) -> str:
    """Where and with what the answers hold, in words."""
    batch = "full batch" if scene.batch_size is None else f"batches of {scene.batch_size:,}"
    return f"{scene.place.label}; {scene.rows:,} rows, {batch}"


def basis(scene: Scene) -> str:
    """What the answers rest on."""
    model = scene.model.phases[EPOCH]
    cases = len({case.key for case in model.cases})
    return (
        f"From {len(model.times_s)} timings of {cases} networks here; an epoch left out of the fit "
        f"is predicted with a median error of {units.share(model.median_error)}. "
        "Intervals are of 95 %."
    )


def outside(prediction: Prediction) -> str:
    """A warning where a network lies beyond what was calibrated, else nothing."""
    if not prediction.outside:
        return ""
    return (
        f"{prediction.case.label} lies beyond the calibrated range in "
        f"{', '.join(prediction.outside)}: what is said of it is a guess."
    )


def asked(scene: Scene, prediction: Prediction) -> str:
    """What the model says of the asked network, in a sentence."""
    epoch, total = prediction.epoch_s, prediction.total_s
    return (
        f"{prediction.case.label}: an epoch takes {units.seconds(epoch.value)} "
        f"({units.seconds_range(epoch.low, epoch.high)}), {scene.epochs:,} epochs from nothing "
        f"{units.seconds(total.value)} ({units.seconds_range(total.low, total.high)}); "
        f"{units.share(prediction.overhead_share)} of an epoch is overhead."
    )


def alternatives(title: str, found: Sequence[Alternative], scene: Scene) -> Table:
    """A row a depth: the network, its counts, its times and its ratio to the asked one."""
    sought = any(one.width is not None for one in found)
    return Table(
        title,
        (
            *("network", "depth", "width", "weights", "FLOPs a step", "an epoch"),
            *(f"{scene.epochs:,} epochs cold", "epoch ratio"),
        ),
        [
            [
                Cell(one.architecture.label + ("*" if one.prediction.outside else "")),
                Cell(f"{one.architecture.depth}"),
                width(one.width) if one.width else Cell(f"{one.architecture.widths[0]:,}"),
                Cell(f"{one.parameters:,}"),
                Cell(units.flops(one.flops)),
                time(one.prediction.epoch_s),
                time(one.prediction.total_s),
                ratio(one.ratio),
            ]
            for one in found
        ],
        caption=("below a width: where it may lie; " if sought else "")
        + "* beyond the calibrated range",
    )


def free_widths(found: Sequence[FreeWidth]) -> Table:
    """A row a depth: where a step begins to cost more with the width."""
    percent = f"{FREE - 1:.0%}".replace("%", " %")
    return Table(
        "Where width stops being free",
        ("depth", "narrowest: a step", f"free (up to {percent} dearer) to", "overhead rules to"),
        [
            [Cell(f"{one.depth}"), time(one.narrowest_s), width(one.dearer), width(one.knee)]
            for one in found
        ],
        caption="widths; below each: where it may lie",
    )


def gpu_needs(found: GpuQuestion) -> Table:
    """A row an assumed overhead: the rate at which a GPU breaks even."""
    label = found.architecture.label
    return Table(
        f"What a GPU would need to win at the steps of {label}",
        (
            *("assumed overhead a layer", f"rate to break even at {label}"),
            f"wins at depth {found.architecture.depth} from width",
        ),
        [
            [
                Cell(units.seconds(one.overhead_s)),
                Cell("cannot: launches alone take longer") if one.rate is None else _rate(one.rate),
                Cell("none calibrated" if one.wins_from is None else f"{one.wins_from:,}"),
            ]
            for one in found.needs
        ],
        caption="arithmetic, not a measurement: (depth + 1) x overhead + FLOPs / rate; the last "
        f"column assumes {units.flops(DEVICE_FLOPS_PER_S)}/s",
    )


def _rate(found: Interval) -> Cell:
    high = "any" if math.isinf(found.high) else f"{units.flops(found.high)}/s"
    return Cell(f"{units.flops(found.value)}/s", f"{units.flops(found.low)}/s – {high}")


def gpu_sentence(found: GpuQuestion) -> str:
    """The break-even of a GPU in a sentence."""
    most = found.most_overhead_s
    return (
        f"A step of {found.architecture.label} takes {units.seconds(found.step_s.value)} here, "
        f"{units.share(found.overhead_share)} of it overhead: a GPU that computes in no time may "
        f"spend {units.seconds(most.value)} ({units.seconds_range(most.low, most.high)}) on each "
        "layer, forward, backward and update together, and not lose."
    )


def gpu_measured(here: Scene, there: Scene, label: str, ratio_: Interval) -> str:
    """A calibrated GPU's answer in a sentence; `ratio_` is its epoch / the epoch here."""
    verdict = "may win or lose" if ratio_.low <= 1 <= ratio_.high else "loses"
    verdict = "wins" if ratio_.high < 1 else verdict
    return (
        f"{there.place.device} is calibrated: its epoch of {label} takes "
        f"{units.ratio(ratio_.value)} ({units.ratio_range(ratio_.low, ratio_.high)}) as long as on "
        f"{here.place.device}: it {verdict}."
    )


def advice(found: Advice, scene: Scene, title: str) -> Table:
    """A row a candidate, the best first."""
    marks = {
        id(one): mark
        for one, mark in ((found.widest, "widest"), (found.deepest, "deepest"))
        if one is not None
    }
    budget = any(one.verdict for one in found.candidates)
    shown = [
        one
        for place_, one in enumerate(found.candidates)
        if place_ < MOST_SHOWN or id(one) in marks
    ]
    left_out = len(found.candidates) - len(shown)
    return Table(
        title,
        (
            *("network", "weights", "an epoch", f"{scene.epochs:,} epochs cold"),
            *(("meets the budget",) if budget else ()),
            *("overhead", ""),
        ),
        [
            [
                Cell(one.architecture.label + ("*" if one.prediction.outside else "")),
                Cell(f"{one.parameters:,}"),
                time(one.prediction.epoch_s),
                time(one.prediction.total_s),
                *([Cell(str(one.verdict))] if budget else []),
                Cell(units.share(one.prediction.overhead_share)),
                Cell(marks.get(id(one), "")),
            ]
            for one in shown
        ],
        caption="* beyond the calibrated range"
        + (f"; {left_out} more in --json" if left_out else ""),
    )


def advice_sentences(found: Advice) -> list[str]:
    """What to take, or what to change."""
    if not found.candidates:
        return ["No network of the calibrated range is near what was asked for.", *found.changes]
    if not found.meeting:
        return ["None meets the budget. What would:", *(f"- {one}" for one in found.changes)]
    first, deepest, widest = found.meeting[0], found.deepest, found.widest
    assert deepest is not None
    assert widest is not None
    told = [
        f"Quickest: {first.architecture.label}, "
        f"{units.seconds(first.prediction.epoch_s.value)} an epoch."
    ]
    if len(found.meeting) > 1:
        told[0] += f" Deepest: {deepest.architecture.label}; widest: {widest.architecture.label}."
    return told


def checked(found: Sequence[Checked]) -> Table:
    """Predicted beside measured."""
    first = found[0].prediction.case.label if found else ""
    return Table(
        "Predicted and measured",
        (
            *("network", "epoch predicted", "measured", "error", "in its interval"),
            *(f"predicted, {first} = 1", "measured"),
        ),
        [
            [
                Cell(one.prediction.case.label),
                time(one.prediction.epoch_s),
                _estimate(one.epoch_s.value, one.epoch_s.low, one.epoch_s.high),
                Cell(f"{100 * one.error:+.0f} %"),
                Cell("yes" if one.holds else "no"),
                ratio(one.ratio) if one.ratio else Cell("–"),
                _ratio_estimate(one.measured_ratio) if one.measured_ratio else Cell("–"),
            ]
            for one in found
        ],
        caption="measured ratios are paired within blocks",
    )


def _estimate(value: float, low: float, high: float) -> Cell:
    below = units.beside(value, low, high) if math.isfinite(low) else ""
    return Cell(units.seconds(value), below)


def _ratio_estimate(found: Estimate) -> Cell:
    if not found.has_interval:
        return Cell(units.ratio(found.value))
    return ratio(Interval(found.value, found.low, found.high))


def checked_sentences(found: Sequence[Checked]) -> list[str]:
    """Where the predictions held, and where they failed."""
    failed = [one for one in found if not one.holds]
    told = [f"{len(found) - len(failed)} of {len(found)} measured epochs lie in their intervals."]
    for one in failed:
        epoch = one.prediction.epoch_s
        direction = "slower" if one.epoch_s.value > epoch.high else "faster"
        told.append(
            f"{one.prediction.case.label} failed: {units.seconds(one.epoch_s.value)} measured, "
            f"{direction} than the predicted {units.seconds_range(epoch.low, epoch.high)}."
        )
    return told


def alternatives_as_json(found: Sequence[Alternative]) -> list[dict[str, Any]]:
    """Alternatives as plain data, seconds throughout."""
    return [
        {
            "architecture": one.architecture.label,
            "parameters": one.parameters,
            "flops_per_step": one.flops,
            **prediction_as_json(one.prediction),
            "epoch_ratio": asdict(one.ratio),
            "width": asdict(one.width) if one.width else None,
        }
        for one in found
    ]


def prediction_as_json(found: Prediction) -> dict[str, Any]:
    """What an answer says of a network's time."""
    return {
        "epoch_s": asdict(found.epoch_s),
        "step_s": asdict(found.step_s),
        "total_s": asdict(found.total_s),
        "overhead_share": found.overhead_share,
        "outside": list(found.outside),
    }


def free_widths_as_json(found: Sequence[FreeWidth]) -> list[dict[str, Any]]:
    """Where width stops being free, as plain data."""
    return [
        {
            "depth": one.depth,
            "narrowest_step_s": asdict(one.narrowest_s),
            "free_to_width": asdict(one.dearer),
            "overhead_rules_to_width": asdict(one.knee),
        }
        for one in found
    ]


def gpu_as_json(found: GpuQuestion) -> dict[str, Any]:
    """A GPU's break-even as plain data; null for an infinite rate."""
    return {
        "step_s": asdict(found.step_s),
        "overhead_share": found.overhead_share,
        "flops_per_step": found.flops,
        "most_overhead_per_layer_s": asdict(found.most_overhead_s),
        "assumed_flops_per_s": DEVICE_FLOPS_PER_S,
        "needs": [
            {
                "assumed_overhead_per_layer_s": one.overhead_s,
                "rate_flops_per_s": one.rate
                and {
                    name: value if math.isfinite(value) else None
                    for name, value in asdict(one.rate).items()
                },
                "wins_from_width": one.wins_from,
            }
            for one in found.needs
        ],
    }


def advice_as_json(found: Advice) -> dict[str, Any]:
    """Advice as plain data."""
    return {
        "candidates": [
            {
                "architecture": one.architecture.label,
                "parameters": one.parameters,
                "meets_budget": one.verdict,
                **prediction_as_json(one.prediction),
            }
            for one in found.candidates
        ],
        "changes": list(found.changes),
    }


def checked_as_json(found: Sequence[Checked]) -> list[dict[str, Any]]:
    """Predicted and measured as plain data; null for a missing interval."""

    def plain(estimate: Any) -> dict[str, Any]:
        return {
            name: value if math.isfinite(value) else None
            for name in ("value", "low", "high")
            for value in [getattr(estimate, name)]
        }

    return [
        {
            "architecture": one.prediction.case.label,
            "predicted_epoch_s": asdict(one.prediction.epoch_s),
            "measured_epoch_s": plain(one.epoch_s),
            "error": one.error,
            "holds": one.holds,
            "predicted_ratio": asdict(one.ratio) if one.ratio else None,
            "measured_ratio": plain(one.measured_ratio) if one.measured_ratio else None,
        }
        for one in found
    ]
