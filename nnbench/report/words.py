"""What a run says in sentences, and what to be careful about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nnbench.errors import first_line
from nnbench.machine.devices import VIRTUAL, are_virtual
from nnbench.phases import COLD, DATA, EPOCH, STEP
from nnbench.report.answer import NOTHING, shares, too_much
from nnbench.show import units
from nnbench.show.intervals import RATIO, SECONDS, sentence
from nnbench.stats.summary import CaseSummary
from nnbench.training.compiled.causes import same_compiler, unlike_fit
from nnbench.workload.networks import bracketed

if TYPE_CHECKING:
    from nnbench.report.contexts import PathRatio
    from nnbench.report.run_analysis import Crossing, Group
    from nnbench.report.trusted import Trust
    from nnbench.store.runs import Run

WIDE = 0.20
LARGE_REST = 0.10
"""Wider intervals to either side, and parts that miss the whole by more, are pointed out."""


def sentences(groups: Sequence[Group], paths: Sequence[PathRatio]) -> tuple[str, ...]:
    """The findings of a run, one backend and device at a time, most important first."""
    if not groups:
        return (NOTHING,)
    found: list[str] = []
    for group in groups:
        context = f"On {group.first.context}: " if len(groups) > 1 else ""
        found += [context + told for told in _group_sentences(group)]
    name = groups[0].name
    return (*found, *(_path(one, name(one.case)) for one in paths))


def warnings(run: Run, summaries: Sequence[CaseSummary]) -> tuple[str, ...]:
    """What to know before believing a run's figures."""
    of_cases = (text for one in summaries for text in _case_warnings(one, run.name(one.case)))
    return (*_run_warnings(run, summaries), *_wide_intervals(run, summaries), *of_cases)


def _wide_intervals(run: Run, summaries: Sequence[CaseSummary]) -> Iterator[str]:
    """Which figures are not known well, a sentence for each backend, device and path."""
    found: dict[str, dict[str, float]] = {}
    names: dict[str, list[str]] = {}
    for one in summaries:
        context = one.case.context
        wide = {
            phase: time.relative_half_width
            for phase, time in one.times.items()
            if phase in (COLD, EPOCH, STEP) and time.relative_half_width > WIDE
        }
        if wide:
            names.setdefault(context, []).append(run.name(one.case))
        for phase, width in wide.items():
            widest = found.setdefault(context, {})
            widest[phase] = max(width, widest.get(phase, 0.0))
    for context, widest in found.items():
        many = len(names[context]) > 1
        told = ", ".join(f"{phase} {units.within(width)}" for phase, width in widest.items())
        at_most = "up to " if many else ""
        yield (
            f"{_list([bracketed(one) for one in names[context]])} ({context}): wide intervals "
            f"({at_most}{told}). A quieter machine or --precision would narrow them."
        )


def trust(found: Trust) -> str:
    """How far a run's figures can be trusted, and why, in a line."""
    return f"Trust: {found.level} ({found.why})."


def _group_sentences(group: Group) -> Iterator[str]:
    several = len(group.summaries) > 1
    if several:
        yield from _comparison(group, COLD, f"a cold training of {group.first.cold_epochs} epochs")
    yield from _where_the_time_goes(group)
    yield from _waits(group)
    if several:
        yield from _comparison(group, STEP, "one step in the steady state")
        yield from _order(group)


def _path(one: PathRatio, name: str) -> str:
    case, compiler = one.case, same_compiler(one.case)
    alike = f"{compiler} compiles both. " if compiler else ""
    return (
        f"On {case.context}, an epoch of {name} takes {sentence(one.ratio, RATIO)} as long "
        f"with fit as on the compiled path. {alike}Possible causes, which this run does not "
        f"separate: {'; '.join(unlike_fit(case))}."
    )


def _comparison(group: Group, phase: str, what: str) -> Iterator[str]:
    """What a phase takes of each network; nothing where none has it, as in a launch cut short."""
    others = [
        (
            one.ratios[phase],
            f"{bracketed(group.name(one.case))} ({sentence(one.ratios[phase], RATIO)})",
        )
        for one in group.summaries[1:]
        if phase in one.ratios
    ]
    clear = sorted((ratio.value, told) for ratio, told in others if ratio.excludes_one)
    unclear = [told for ratio, told in others if not ratio.excludes_one]
    first, time = group.name(group.first), group.summaries[0].times.get(phase)
    parts = [] if time is None else [f"{first} takes {sentence(time, SECONDS)}"]
    for words, found in (
        ("slower are ", [told for value, told in reversed(clear) if value > 1]),
        ("faster are ", [told for value, told in clear if value <= 1]),
        (f"not distinguishable from {first}: ", unclear),
    ):
        if found:
            parts.append(words + _list(found))
    if parts:
        yield f"For {what}, " + "; ".join(parts) + "."


def _list(items: Sequence[str], most: int = 6) -> str:
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else items[0]


def _where_the_time_goes(group: Group) -> Iterator[str]:
    named = ((one.cold_parts, group.name(one.case)) for one in group.summaries)
    split = [(parts, name) for parts, name in named if parts is not None]
    split.sort(key=lambda pair: pair[0].cold_s)
    for parts, name in (split[-1], split[0]) if len(split) > 1 else split:
        told = [f"{share} % to {part}" for part, share in shares(parts)]
        whole = f"{units.seconds(parts.cold_s)} that {name} takes cold"
        yield f"The {whole} go {_list(told)}." if told else f"Of the {whole}, {too_much(parts)}."


def _waits(group: Group) -> Iterator[str]:
    """Of data that make their batches as they are trained on: what of an epoch that takes."""
    for one in group.summaries:
        if {DATA, EPOCH} <= one.times.keys():
            waits_s, epoch_s = one.times[DATA].value, one.times[EPOCH].value
            yield (
                f"Of an epoch of {group.name(one.case)}, {units.seconds(epoch_s)}, fit waits "
                f"{units.seconds(waits_s)} for its batches: {units.share(waits_s / epoch_s)}."
            )


def _order(group: Group) -> Iterator[str]:
    told = [
        _against_first(group, summary)
        for summary in group.summaries[1:]
        if {COLD, STEP} <= summary.ratios.keys() and summary.ratios[STEP].excludes_one
    ]
    told += [_crossing(group, group.crossing)] if group.crossing else []
    yield from filter(None, told)
    ordered = (one.ratios.get(COLD) for one in group.summaries[1:])
    if not any(told) and all(ratio is not None and ratio.excludes_one for ratio in ordered):
        yield "Cold and in the steady state, the networks come in the same order."


def _against_first(group: Group, summary: CaseSummary) -> str:
    cold, step = summary.ratios[COLD], summary.ratios[STEP]
    mine, base = group.name(summary.case), group.name(summary.baseline)
    if not cold.excludes_one:
        return (
            f"A step of {mine} costs {'more' if step.value > 1 else 'less'} than one of {base} "
            f"({sentence(step, RATIO)}), which a cold training of {summary.case.cold_epochs} "
            "epochs does not show."
        )
    if (cold.value > 1) == (step.value > 1):
        return ""
    now, then = ("slower", "faster") if cold.value > 1 else ("faster", "slower")
    return (
        f"{mine} is {now} than {base} cold ({sentence(cold, RATIO)}) but {then} per step "
        f"({sentence(step, RATIO)}): what is paid once, and around each epoch, is not what a step "
        "costs."
    )


def _crossing(group: Group, found: Crossing) -> str:
    slow, fast = found.slow_start, found.fast_start
    flip = (
        "Their whole epochs are too alike to say after how many of them it would catch up: "
        "the overhead around each epoch hides the difference."
        if found.epochs is None
        else f"From about {found.epochs:,.0f} epochs on it is ahead in all."
    )
    return (
        f"{_with_weights(group, slow)} takes {sentence(found.ratios[COLD], RATIO)} as long cold as "
        f"{_with_weights(group, fast)}, and yet its step takes only "
        f"{sentence(found.ratios[STEP], RATIO)} as long. {flip}"
    )


def _with_weights(group: Group, one: CaseSummary) -> str:
    """A network, and how many weights it has where that was counted."""
    counted = "" if one.parameters is None else f" ({one.parameters:,} weights)"
    return f"{group.name(one.case)}{counted}"


def _run_warnings(run: Run, summaries: Sequence[CaseSummary]) -> Iterator[str]:
    yield from run.damage
    if any(are_virtual(one.case.device) for one in summaries):
        yield VIRTUAL
    if fewer := run.specification.get("fewer"):
        yield f"{fewer}."
    sides = run.specification["sides"]
    if len(sides) > 1:
        kind = "commits" if run.specification.get("commits") else "sides"
        yield (
            f"{len(sides)} {kind} were measured in turn ({_list(sides)}): "
            "these figures are of all of them together."
        )
    alike: dict[tuple[str, str], list[str]] = {}
    for trial in run.failures():
        which = run.name(run.cases[trial["case"]]), trial["outcome"]
        alike.setdefault(which, []).append(first_line(trial.get("message") or ""))
    for (label, outcome), reasons in alike.items():
        detail = f" ({reasons[0]})" if reasons[0] else ""
        yield (
            f"{len(reasons)} trials of {label} ended with outcome {outcome}{detail}; "
            "they are not in the figures."
        )
    launches = min((time.launches for one in summaries for time in one.times.values()), default=0)
    if launches == 1:
        yield (
            "All figures come from one launch: how much they would differ in another process "
            "is not known, and intervals are too narrow. Use --launches 5 or more."
        )
    elif launches == 2:
        yield "2 launches give rough intervals; use 5 or more."
    workers = {one.case.worker for one in summaries}
    if len(workers) > 1 and {one.case.training.jit for one in summaries} == {"auto"}:
        yield (
            "jit_compile is auto, which is XLA on some backends and devices and not on "
            "others: a difference between them is partly one of compilers. Pin it with --jit."
        )


def _case_warnings(summary: CaseSummary, name: str) -> Iterator[str]:
    case, parts = summary.case, summary.cold_parts
    label = f"{name} ({case.context})"
    if parts is not None and abs(parts.rest_s) > LARGE_REST * parts.cold_s:
        yield (
            f"{label}: the parts add up to {units.share(abs(parts.rest_s) / parts.cold_s)} "
            f"{'less' if parts.rest_s > 0 else 'more'} than the cold training timed as a whole."
        )
    if case.backend == "jax" and (left := case.rows % case.batch_rows):
        yield (
            f"{label}: the last batch of an epoch has {left} rows instead of {case.batch_rows}; "
            "JAX compiles it separately, which is in the rest."
        )
