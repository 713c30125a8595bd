"""What a run says in sentences, and what to be careful about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE, ColdParts
from nnbench.show import units
from nnbench.show.intervals import RATIO, SECONDS, sentence
from nnbench.stats.summary import CaseSummary
from nnbench.training.compiled.causes import same_compiler, unlike_fit

if TYPE_CHECKING:
    from nnbench.report.run_analysis import Crossing, Group, PathRatio
    from nnbench.store.runs import Run

WIDE = 0.20
"""Intervals of more than 20 % to either side are pointed out."""

LARGE_REST = 0.10
"""Parts that miss the separately timed whole by more than 10 % are pointed out."""

FEW_LAUNCHES = 3


@dataclass(frozen=True)
class Caution:
    """Something to know before believing a figure; `text` is a sentence for a person."""

    kind: str
    text: str


@dataclass(frozen=True)
class Story:
    """The findings of a run, most important first, and the warnings that go with them."""

    sentences: tuple[str, ...]
    warnings: tuple[Caution, ...]


def tell(run: Run, groups: Sequence[Group], paths: Sequence[PathRatio]) -> Story:
    """Put a run into words, one backend and device at a time."""
    sentences: list[str] = []
    for group in groups:
        context = f"On {group.first.context}: " if len(groups) > 1 else ""
        sentences += [context + told for told in _group_sentences(group)]
    sentences += [_path(one) for one in paths]
    if not groups:
        sentences = ["Nothing was measured to the end, so there is nothing to compare."]
    summaries = [summary for group in groups for summary in group.summaries]
    cautions = [*_run_cautions(run, summaries)]
    for summary in summaries:
        cautions += _case_cautions(summary)
    return Story(tuple(sentences), tuple(cautions))


def _group_sentences(group: Group) -> Iterator[str]:
    several = len(group.summaries) > 1
    if several:
        yield _comparison(group, COLD, f"a cold training of {group.first.cold_epochs} epochs")
    yield from _where_the_time_goes(group.summaries)
    if several:
        yield _comparison(group, STEP, "one step in the steady state")
        yield from _order(group)


def _path(one: PathRatio) -> str:
    """What `fit` takes beside the compiled path, and what that may come from."""
    case = one.case
    compiler = same_compiler(case)
    alike = f"{compiler} compiles both. " if compiler else ""
    return (
        f"On {case.context}, an epoch of {case.label} takes {sentence(one.ratio, RATIO)} as long "
        f"with fit as on the compiled path. {alike}Possible causes, which this run does not "
        f"separate: {'; '.join(unlike_fit(case))}."
    )


def _comparison(group: Group, phase: str, what: str) -> str:
    """Every network against the first, by the paired ratios and their intervals."""
    slower: list[tuple[float, str]] = []
    faster: list[tuple[float, str]] = []
    unclear: list[tuple[float, str]] = []
    for summary in group.summaries[1:]:
        ratio = summary.ratios.get(phase)
        if ratio is None:
            continue
        told = ratio.value, f"{summary.case.label} ({sentence(ratio, RATIO)})"
        fitting = slower if ratio.value > 1 else faster
        (fitting if ratio.excludes_one else unclear).append(told)
    first, time = group.first.label, group.summaries[0].times.get(phase)
    parts = [] if time is None else [f"{first} takes {sentence(time, SECONDS)}"]
    for words, found in (
        ("slower are ", sorted(slower, reverse=True)),
        ("faster are ", sorted(faster)),
        (f"not told apart from {first}: ", unclear),
    ):
        if found:
            parts.append(words + _list([told for _, told in found]))
    return f"For {what}, " + "; ".join(parts) + "."


def _list(items: Sequence[str], most: int = 6) -> str:
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else items[0]


def _where_the_time_goes(summaries: Sequence[CaseSummary]) -> Iterator[str]:
    """The largest parts of the cold training of the slowest and the fastest network."""
    split = [(parts, one.case.label) for one in summaries if (parts := one.cold_parts) is not None]
    split.sort(key=lambda pair: pair[0].cold_s)
    for parts, label in (split[-1], split[0]) if len(split) > 1 else split:
        largest = [(name, part) for name, part in shares(parts) if part >= 0.01]
        told = _list([f"{units.share(part)} to {name}" for name, part in largest])
        yield f"The {units.seconds(parts.cold_s)} that {label} takes cold go {told}."


def shares(parts: ColdParts) -> list[tuple[str, float]]:
    """The parts of a cold training in words, as fractions of it, largest first."""
    getting_ready = parts.once_s.get(TRACE, 0.0) + parts.once_s.get(COMPILE, 0.0)
    named = {
        "tracing and compiling": getting_ready,
        "building, preparing and the first step": sum(parts.once_s.values()) - getting_ready,
        "the framework's overhead around each epoch": parts.overhead_s,
        "the steps themselves": parts.steps_s,
    }
    fractions = [(name, value_s / parts.cold_s) for name, value_s in named.items()]
    return sorted(fractions, key=lambda pair: -pair[1])


def _order(group: Group) -> Iterator[str]:
    """Whether cold and steady state order the networks alike, and where the order flips."""
    told = [
        _against_first(summary)
        for summary in group.summaries[1:]
        if {COLD, STEP} <= summary.ratios.keys() and summary.ratios[STEP].excludes_one
    ]
    told += [_crossing(group.crossing)] if group.crossing else []
    yield from filter(None, told)
    ordered = (one.ratios.get(COLD) for one in group.summaries[1:])
    if not any(told) and all(ratio is not None and ratio.excludes_one for ratio in ordered):
        yield "Cold and in the steady state, the networks come in the same order."


def _against_first(summary: CaseSummary) -> str:
    """What is said of a network whose steps differ from the first's; nothing if cold does alike."""
    cold, step = summary.ratios[COLD], summary.ratios[STEP]
    mine, base = summary.case.label, summary.baseline.label
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


def _crossing(found: Crossing) -> str:
    slow, fast = found.slow_start, found.fast_start
    flip = (
        "Their whole epochs are too alike to say after how many of them it would catch up: "
        "the overhead around each epoch hides the difference."
        if found.epochs is None
        else f"From about {found.epochs:,.0f} epochs on it is ahead in all."
    )
    return (
        f"{slow.case.label} ({slow.parameters:,} weights) takes "
        f"{sentence(found.ratios[COLD], RATIO)} as long cold as {fast.case.label} "
        f"({fast.parameters:,} weights), and yet its step takes only "
        f"{sentence(found.ratios[STEP], RATIO)} as long. {flip}"
    )


def _run_cautions(run: Run, summaries: Sequence[CaseSummary]) -> Iterator[Caution]:
    for text in run.damage:
        yield Caution("damage", f"{run.folder / 'trials.jsonl'}: {text}")
    sides = run.specification["sides"]
    if len(sides) > 1:
        kind = "commits" if run.specification.get("commits") else "sides"
        yield Caution(
            "sides",
            f"{len(sides)} {kind} were measured in turn ({_list(sides)}): "
            "these figures are of all of them together.",
        )
    for outcome in ("died", "timeout", "diverged"):
        hit = [trial for trial in run.failures() if trial["outcome"] == outcome]
        if hit:
            names = _list(list(dict.fromkeys(run.cases[trial["case"]].label for trial in hit)))
            message = str(hit[0].get("message", "")).strip().splitlines()[:1]
            detail = f" ({message[0]})" if message else ""
            yield Caution(
                "failure",
                f"{len(hit)} trials of {names} ended with outcome {outcome}{detail}; "
                "they are not in the figures.",
            )
    launches = min((time.launches for one in summaries for time in one.times.values()), default=0)
    if launches == 1:
        yield Caution(
            "launches",
            "All figures come from one launch: how much they would differ in another process "
            "is not known, and intervals are too narrow. Use --launches 5 or more.",
        )
    elif 0 < launches < FEW_LAUNCHES:
        yield Caution("launches", f"{launches} launches give rough intervals; use 5 or more.")
    workers = {one.case.worker for one in summaries}
    if len(workers) > 1 and {one.case.training.jit for one in summaries} == {"auto"}:
        yield Caution(
            "jit",
            "jit_compile is auto, which is XLA on some backends and devices and not on "
            "others: a difference between them is partly one of compilers. Pin it with --jit.",
        )


def _case_cautions(summary: CaseSummary) -> Iterator[Caution]:
    case, parts = summary.case, summary.cold_parts
    label = f"{case.label} ({case.context})"
    wide = [
        f"{phase} ±{units.share(time.relative_half_width)}"
        for phase, time in summary.times.items()
        if phase in (COLD, EPOCH, STEP) and time.relative_half_width > WIDE
    ]
    if wide:
        yield Caution(
            "wide",
            f"{label}: wide intervals ({', '.join(wide)}). A quieter machine or --precision "
            "would narrow them.",
        )
    if parts is not None and abs(parts.rest_s) > LARGE_REST * parts.cold_s:
        yield Caution(
            "rest",
            f"{label}: the parts add up to {units.share(abs(parts.rest_s) / parts.cold_s)} "
            f"{'less' if parts.rest_s > 0 else 'more'} than the cold training timed as a whole.",
        )
    if case.backend == "jax" and (left := case.rows % case.batch_rows):
        yield Caution(
            "ragged",
            f"{label}: the last batch of an epoch has {left} rows instead of {case.batch_rows}; "
            "JAX compiles it separately, which is in the rest.",
        )
