"""A cost model and its answers in sentences."""

import math
from collections.abc import Sequence
from datetime import datetime

from nnbench.costs.advice import Advice
from nnbench.costs.answers import Predicted
from nnbench.costs.context import Context
from nnbench.costs.prediction import OVERHEAD, REST, STEPS, CostModel, Prediction, is_known
from nnbench.costs.terms import ACTIVATION, FLOPS, WEIGHT
from nnbench.costs.verification import Checked
from nnbench.phases import EPOCH, ONCE, STEP
from nnbench.show import units
from nnbench.show.intervals import RATIO, SECONDS, span
from nnbench.stats.interval import Interval

MOST_MINUTES = 60
LIKE_FAMILY = {
    "dense": "dense",
    "convolution": "conv",
    "separable": "separable",
    "recurrent": "lstm",
    "attention": "transformer",
    "normalisation": "transformer",
    "max pooling": "conv",
    "pooling": "conv",
    "embedding": "transformer",
    "elementwise": "residual",
}
"""A family whose networks have such layers."""

DOING = {
    **{phase: phase.replace("_", " ").capitalize() for phase in ONCE},
    STEPS: "Computing the steps",
    OVERHEAD: "What the framework does around the steps",
    REST: "The rest of the first epoch (such as compiling again for a smaller last batch)",
}


def where(context: Context) -> str:
    """What the answers hold for: `jax, cpu, fit; 1,000 rows, full batch`."""
    batch = "full batch" if context.batch_size is None else f"batches of {context.batch_size:,}"
    return f"{context.setting.label}; {context.rows:,} rows, {batch}"


def basis(context: Context) -> str:
    """What the answers rest on."""
    model = context.model.phases[EPOCH]
    cases = len({one.case.key for one in model.cases})
    return (
        f"From {len(model.times_s)} timings of {cases} networks here; an epoch left out of the fit "
        f"is predicted with a median error of {units.share(model.left_out_error())}. "
        "Intervals are of 95 %."
    )


def model_sentences(model: CostModel) -> list[str]:
    """What the steps' coefficients mean: rates, and where overhead turns to compute."""
    spans = [_span(name, *ends) for name, ends in model.ends.items() if ends[1] > 0]
    step = model.phases[STEP]
    costs_s = {term: cost_s.value for term, cost_s in step.coefficients.items()}
    rates = [
        f"{units.flops(1 / costs_s[term])}/s ({kind})"
        for kind, term in FLOPS.items()
        if term in costs_s
    ]
    told = [f"products compute at up to {', '.join(rates)}"] if rates else []
    for term in (WEIGHT, ACTIVATION):
        if term in costs_s:
            told.append(f"{term.name} move at {units.data_size(1 / costs_s[term])}/s")
    shape = (
        "overhead and compute add up"
        if step.softness < 1.2
        else "a step takes little more than the larger of overhead and compute"
        if step.softness > 3
        else "overhead and compute overlap in part"
    )
    softness = units.significant(step.softness)
    return [
        f"Steps: {'; '.join([*told, shape])} (softness {softness}).",
        f"Calibrated: {', '.join(spans)}; layers: {', '.join(sorted(model.kinds))}.",
    ]


def _span(axis: str, least: float, most: float) -> str:
    ends = [_count(axis, one) for one in (least, most)]
    return f"{axis} {' to '.join(dict.fromkeys(ends))}"


def _count(axis: str, value: float) -> str:
    if axis in ("products", "elementwise work"):
        return units.flops(value)
    if axis in ("activations", "weights"):
        return units.data_size(value)
    return f"{value:,.0f}"


def prediction_sentences(found: Prediction) -> list[str]:
    """What dominates, and whether the case lies in the calibrated range."""
    share = found.parts_s[found.dominant] / found.total_s.value
    said = []
    growth = (
        "a wider network would cost little more"
        if found.overhead_share > 0.5
        else "it grows with the size of the layers"
    )
    if found.is_known:
        said = [
            f"{DOING[found.dominant]} dominates: {units.share(share)} of the whole.",
            f"Of an epoch {units.share(found.overhead_share)} is paid whatever the layers' size: "
            f"{growth}.",
        ]
    if found.outside:
        said.append(
            f"Outside the calibrated range in {beyond(found)}: the further out, the less the "
            "interval can be trusted."
        )
    elif found.is_known:
        said.append("It lies within what was calibrated.")
    return said


def predicted(found: Predicted) -> list[str]:
    """All that is said of a prediction: first how long it takes, or that this is not known."""
    one = found.prediction
    known = is_known(one.epoch_s) and one.is_known
    said = [asked(one) if known else not_known(one, found.spent_s, found.options)]
    said += prediction_sentences(one)
    if found.differs:
        said.append(f"Nothing like it was timed in: {'; '.join(found.differs)}.")
    if found.not_counted:
        said.append(f"Not counted, so that it takes longer: {'; '.join(found.not_counted)}.")
    return [*said, age(found.calibrated)]


def beyond(found: Prediction) -> str:
    """What of a network lies beyond what was calibrated, and how far."""
    return "; ".join(
        f"{one.axis} ({_count(one.axis, one.value)}; "
        + (f"calibrated: {_span('', one.least, one.most).strip()})" if one.most else "none timed)")
        for one in found.outside
    )


def not_known(found: Prediction, spent_s: float, options: str) -> str:
    """What to do where an interval is too wide to be an answer; the calibration took `spent_s`."""
    lacking = [one.axis.removesuffix(" layers") for one in found.outside if not one.most]
    families = sorted({LIKE_FAMILY[kind] for kind in lacking if kind in LIKE_FAMILY})
    named = f" --families {','.join(families)}" if families else ""
    # Where what is not known of the coefficients is the smaller part, as long again is a try.
    times = 1.0 if math.isinf(found.more_data) else found.more_data - 1
    minutes = max(1, math.ceil(min(times * spent_s / 60, MOST_MINUTES)))
    return (
        f"{found.name} is not known well enough; calibrate {minutes} more "
        f"{'minute' if minutes == 1 else 'minutes'} (nnbench calibrate {options}{named} "
        f"--budget {minutes}min), or time it by nnbench run."
    )


def age(calibrated: datetime) -> str:
    """How old what is told is, and what to do about it."""
    return (
        f"Calibrated {units.ago(calibrated)}; nnbench calibrate adds what the machine is like now."
    )


def asked(found: Prediction) -> str:
    """What the model says of the asked network."""
    epoch, total = found.epoch_s, found.total_s
    if not (is_known(epoch) and is_known(total)):
        return f"{found.name} is not known well enough: calibrate more."
    return (
        f"{found.name}: an epoch takes {units.seconds(epoch.value)} "
        f"({span(epoch, SECONDS)}), {found.epochs:,} epochs from nothing "
        f"{units.seconds(total.value)} ({span(total, SECONDS)}); "
        f"{units.share(found.overhead_share)} of an epoch is overhead."
    )


def outside(found: Prediction) -> str:
    """A warning of a network beyond what was calibrated."""
    return (
        f"{found.name} lies beyond the calibrated range in "
        f"{beyond(found)}: what is said of it is a guess."
    )


def on_gpu(label: str, ratio: Interval) -> str:
    """A calibrated GPU's answer; `ratio` is its epoch / the epoch on the CPU."""
    verdict = "may win or lose" if not ratio.excludes_one else "wins" if ratio.high < 1 else "loses"
    return (
        f"gpu is calibrated: its epoch of {label} takes {units.ratio(ratio.value)} "
        f"({span(ratio, RATIO)}) as long as on cpu: it {verdict}."
    )


def advice_sentences(found: Advice) -> list[str]:
    """What to take, or what to change."""
    if not found.candidates:
        return ["No network of the calibrated range is near what was asked for.", *found.changes]
    first, deepest, widest = next(iter(found.meeting), None), found.deepest, found.widest
    if first is None or deepest is None or widest is None:
        return ["None meets the budget. What would:", *(f"- {one}" for one in found.changes)]
    epoch_s = units.seconds(first.prediction.epoch_s.value)
    told = f"Quickest: {first.architecture.label}, {epoch_s} an epoch."
    if len(found.meeting) > 1:
        told += f" Deepest: {deepest.architecture.label}; widest: {widest.architecture.label}."
    return [told]


def checked_sentences(found: Sequence[Checked]) -> list[str]:
    """Where the predictions held, and where they failed."""
    failed = [one for one in found if not one.holds]
    told = [f"{len(found) - len(failed)} of {len(found)} measured epochs lie in their intervals."]
    for one in failed:
        direction = "slower" if one.error < 0 else "faster"
        told.append(
            f"{one.name} failed: {units.seconds(one.measured_epoch_s.value)} measured, "
            f"{direction} than the predicted {span(one.predicted_epoch_s, SECONDS)}."
        )
    return told
