"""A cost model and its answers in tables, and as plain data for scripts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnbench.costs import words
from nnbench.costs.advice import Advice, Candidate
from nnbench.costs.answers import Answers, Predicted, Question
from nnbench.costs.context import Context, Width
from nnbench.costs.prediction import CostModel, Prediction, is_known
from nnbench.costs.questions import FREE, Alternative, FreeWidth
from nnbench.costs.terms import A_STEP, AGAIN, AROUND_STEPS, FIRST_EPOCH, Term
from nnbench.costs.verification import Checked
from nnbench.phases import EPOCH, PHASES
from nnbench.show import units
from nnbench.show.intervals import BYTES, RATIO, SECONDS, cell, span
from nnbench.show.table import Cell, Table
from nnbench.stats.interval import Interval

MOST_SHOWN = 12
"""Candidates in a table; the deepest and the widest are always there."""

BEYOND = {FIRST_EPOCH: "first epoch, beyond all that"}
ORDER = (*PHASES, FIRST_EPOCH)

LARGE = {"s per FLOP": (1e9, "per GFLOP"), "s per byte": (1e9, "per GB")}


def coefficients(model: CostModel, label: str) -> Table:
    """A row for each phase and term that costs something, with its unit."""
    rows: list[list[Cell] | None] = []
    for phase in filter(model.phases.__contains__, ORDER):
        noticed = list(model.phases[phase].coefficients.items())
        if phase == EPOCH:
            # Its steps cost what a step does.
            noticed = [each for each in noticed if each[0] in AROUND_STEPS]
        for number, each in enumerate(noticed):
            rows.append([Cell("" if number else BEYOND.get(phase, phase)), *_cost(*each)])
        rows.append(None)
    return Table(
        f"What a network costs on {label}", ("phase", "term", "cost", "unit"), rows[:-1], texts=2
    )


def _cost(term: Term, found: Interval) -> list[Cell]:
    if term in (A_STEP, AGAIN):
        return [Cell(term.name), cell(found, RATIO), Cell(term.unit)]
    scale, unit = LARGE.get(term.unit, (1.0, term.unit.removeprefix("s ")))
    scaled = Interval(scale * found.value, scale * found.low, scale * found.high)
    return [Cell(term.name), cell(scaled, SECONDS), Cell("once" if unit == "s" else unit)]


def errors(model: CostModel) -> Table:
    """How far off the fitted phases are."""
    rows = []
    for phase in filter(model.phases.__contains__, ORDER):
        fitted = model.phases[phase]
        far_off = [units.share(fitted.left_out_error(share)) for share in (0.5, 0.95)]
        rows.append([Cell(text) for text in (phase, str(len(fitted.times_s)), *far_off)])
    columns = ("phase", "times", "median error", "95th percentile")
    return Table("How far off: each timing predicted from all others", columns, rows)


def model_as_json(model: CostModel, label: str, folder: Path, page: Path) -> dict[str, Any]:
    """A cost model as plain data, in seconds."""
    phases = {
        phase: {
            "times": len(fitted.times_s),
            "softness": fitted.softness,
            "coefficients": [
                {"term": term.name, "unit": term.unit, **vars(cost_s)}
                for term, cost_s in fitted.coefficients.items()
            ],
            "left_out_error_median": fitted.left_out_error(),
            "left_out_error_95th_percentile": fitted.left_out_error(0.95),
            "residuals": [
                {"case": one.case.key, "architecture": one.case.label, "relative": residual}
                for one, residual in zip(fitted.cases, fitted.residuals(), strict=True)
            ],
        }
        for phase, fitted in model.phases.items()
    }
    said = words.model_sentences(model)
    return {"context": label, "runs": folder, "phases": phases, "sentences": said, "page": page}


def prediction(one: Predicted) -> Table:
    """A training that was not timed: the whole, its parts, and its memory."""
    found = one.prediction
    batch = "full batch" if found.batch_rows == found.rows else f"batch {found.batch_rows}"
    times = {"whole training": found.total_s, "an epoch": found.epoch_s, "a step": found.step_s}
    rows: list[list[Cell] | None] = [
        [Cell(name), Cell(units.seconds(time.value)), Cell(span(time, SECONDS))]
        if is_known(time)
        else [Cell(name), Cell("not known well enough"), Cell("")]
        for name, time in times.items()
    ]
    memory = found.peak_host_bytes
    if memory is not None:
        held = Cell(units.data_size(memory.value))
        rows.append([Cell("peak memory"), held, Cell(span(memory, BYTES))])
    rows.append(None)
    for name, value_s in found.parts_s.items() if found.is_known else ():
        share = Cell(units.share(value_s / found.total_s.value))
        rows.append([Cell(f"of it {name}"), Cell(units.seconds(value_s)), share])
    return Table(
        f"{found.name} on {one.label}: {found.rows:,} rows, {batch}, {found.epochs:,} epochs",
        ("predicted", "", "95 % interval"),
        rows,
    )


def predicted_as_json(one: Predicted) -> dict[str, Any]:
    """A prediction as plain data, in seconds and bytes, with what it means."""
    return {
        "context": one.label,
        **vars(one.prediction),
        "known": one.prediction.is_known,
        "differs": one.differs,
        "not_counted": one.not_counted,
        "sentences": words.predicted(one),
        "calibrated": one.calibrated,
    }


def answers_shown(found: Answers) -> Iterator[str | Table]:
    """All answers as sentences and tables, in the order in which they are read."""
    context, network = found.context, found.about
    yield words.where(context)
    yield words.basis(context)
    if network is not None:
        label = network.prediction.name
        yield words.asked(network.prediction)
        if network.prediction.outside:
            yield words.outside(network.prediction)
        yield alternatives(f"As fast as {label}, by depth", network.as_fast, context)
        many = network.as_many_parameters
        yield alternatives(f"As many parameters as {label}", many, context)
        yield alternatives(f"As many FLOPs a step as {label}", network.as_many_flops, context)
        yield free_widths(network.free_width)
        if network.on_gpu is not None:
            yield words.on_gpu(label, network.on_gpu)
    if found.advice is not None:
        yield advice(found.advice, context, found.question)
        yield from words.advice_sentences(found.advice)
    if found.verified is not None:
        yield checked(found.verified)
        yield from words.checked_sentences(found.verified)
    if found.page is not None:
        yield str(found.page)


def alternatives(title: str, found: Sequence[Alternative], context: Context) -> Table:
    """A row a depth: the network, its counts, its times and its ratio to the asked one."""
    sought = any(one.width is not None for one in found)
    return Table(
        title,
        (
            *("network", "depth", "width", "weights", "FLOPs a step", "an epoch"),
            *(f"{context.epochs:,} epochs cold", "epoch ratio"),
        ),
        [
            [
                _network(one.prediction),
                Cell(f"{one.architecture.depth}"),
                _width(one.width) if one.width else Cell(f"{one.architecture.widths[0]:,}"),
                Cell(f"{one.parameters:,}"),
                Cell(units.flops(one.flops_per_step)),
                _time(one.prediction.epoch_s),
                _time(one.prediction.total_s),
                cell(one.epoch_ratio, RATIO) if is_known(one.epoch_ratio) else Cell("not known"),
            ]
            for one in found
        ],
        caption=("below a width: where it may lie; " if sought else "")
        + "* beyond the calibrated range",
    )


def _time(found: Interval) -> Cell:
    return cell(found, SECONDS) if is_known(found) else Cell("not known")


def _network(found: Prediction) -> Cell:
    return Cell(found.name + ("*" if found.outside else ""))


def _width(found: Width) -> Cell:
    if found.value is None:
        return Cell("none")
    low = "below" if found.low is None else f"{found.low:,}"
    high = f"{found.high:,}" + (" or more" if found.open_above else "")
    return Cell(f"{found.value:,}", f"{low}–{high}")


def free_widths(found: Sequence[FreeWidth]) -> Table:
    """A row a depth: where a step begins to cost more with the width."""
    dearer = f"free (up to {100 * (FREE - 1):.0f} % dearer) to"
    return Table(
        "Where width stops being free",
        ("depth", "narrowest: a step", dearer, "overhead rules to"),
        [
            [
                *(Cell(f"{one.depth}"), cell(one.narrowest_step_s, SECONDS)),
                *(_width(one.free_to_width), _width(one.overhead_rules_to_width)),
            ]
            for one in found
        ],
        caption="widths; below each: where it may lie",
    )


def advice(found: Advice, context: Context, question: Question) -> Table:
    """A row a candidate, the best first."""
    parameters, budget_s = question.parameters, question.budget_s
    asked = [f"about {parameters:,} parameters"] if parameters else []
    asked += [f"at most {units.seconds(budget_s)} an epoch"] if budget_s else []
    marks = {id(found.widest): "widest", id(found.deepest): "deepest"}
    best, others = found.candidates[:MOST_SHOWN], found.candidates[MOST_SHOWN:]
    shown = [*best, *(one for one in others if id(one) in marks)]
    left_out = len(found.candidates) - len(shown)
    return Table(
        f"Networks with {', '.join(asked)}",
        (
            *("network", "weights", "an epoch", f"{context.epochs:,} epochs cold"),
            *(("meets the budget",) if budget_s else ()),
            *("overhead", ""),
        ),
        [
            [
                _network(one.prediction),
                Cell(f"{one.parameters:,}"),
                _time(one.prediction.epoch_s),
                _time(one.prediction.total_s),
                *([Cell(str(one.meets_budget))] if budget_s else []),
                Cell(units.share(one.prediction.overhead_share)),
                Cell(marks.get(id(one), "")),
            ]
            for one in shown
        ],
        caption="* beyond the calibrated range"
        + (f"; {left_out} more in --json" if left_out else ""),
    )


def checked(found: Sequence[Checked]) -> Table:
    """Predicted beside measured."""
    first = found[0].name if found else ""
    return Table(
        "Predicted and measured",
        (
            *("network", "epoch predicted", "measured", "error", "in its interval"),
            *(f"predicted, {first} = 1", "measured"),
        ),
        [
            [
                Cell(one.name),
                cell(one.predicted_epoch_s, SECONDS),
                cell(one.measured_epoch_s, SECONDS),
                Cell(f"{100 * one.error:+.0f} %"),
                Cell("yes" if one.holds else "no"),
                cell(one.predicted_ratio, RATIO),
                cell(one.measured_ratio, RATIO),
            ]
            for one in found
        ],
        caption="measured ratios are paired within blocks",
    )


def answers_as_json(found: Answers) -> dict[str, Any]:
    """All answers as plain data, in seconds."""
    context, about, advised = found.context, found.about, found.advice
    told: dict[str, Any] = {
        "context": words.where(context),
        "rests_on": words.basis(context),
        "epochs": context.epochs,
    }
    if about is not None:
        told |= {
            "asked": about.prediction,
            "as_fast": [_flat(one) for one in about.as_fast],
            "as_many_parameters": [_flat(one) for one in about.as_many_parameters],
            "as_many_flops": [_flat(one) for one in about.as_many_flops],
            "free_width": about.free_width,
            "gpu": {"calibrated_epoch_ratio": about.on_gpu},
        }
    if advised is not None:
        candidates = [_flat(one) for one in advised.candidates]
        told["advice"] = {"candidates": candidates, "changes": advised.changes}
    rest = {"verified": found.verified, "page": found.page}
    return told | {name: value for name, value in rest.items() if value is not None}


def _flat(one: Alternative | Candidate) -> dict[str, Any]:
    every = {**vars(one), **vars(one.prediction)}
    return {name: value for name, value in every.items() if name != "prediction"}
