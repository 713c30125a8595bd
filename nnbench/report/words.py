"""What the numbers say, in sentences made from them, and what to be careful about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnbench.phases import COLD, COMPILE, EPOCH, STEP, TRACE, ColdParts
from nnbench.show import units
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary, Measured, groups
from nnbench.store.runs import Run

WIDE = 0.20
"""Intervals of more than 20 % to either side are pointed out."""

LARGE_REST = 0.10
"""Parts that miss the separately timed whole by more than 10 % are pointed out."""

FEW_LAUNCHES = 3

PAIRS_TRIED = 5


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


def tell(summaries: Sequence[CaseSummary], run: Run) -> Story:
    """Put a run into words, one backend and device at a time."""
    found = groups(summaries)
    measured = Measured.of(run)
    sentences: list[str] = []
    warnings = _run_warnings(run, summaries)
    for group in found:
        place = _place(group[0]) if len(found) > 1 else ""
        sentences += [place + sentence for sentence in _group_sentences(group, measured)]
        for summary in group:
            warnings += _case_warnings(summary)
    sentences += _paths(summaries, measured)
    if not summaries:
        sentences = ["Nothing was measured to the end, so there is nothing to compare."]
    return Story(tuple(sentences), tuple(warnings))


def _place(summary: CaseSummary) -> str:
    return f"On {summary.case.place}: "


def _group_sentences(group: Sequence[CaseSummary], measured: Measured) -> list[str]:
    sentences = []
    if len(group) > 1:
        sentences.append(_comparison(group, COLD, f"a cold training of {_epochs(group)}"))
    sentences += _where_the_time_goes(group)
    if len(group) > 1:
        sentences.append(_comparison(group, STEP, "one step in the steady state"))
        sentences += _lesson(group, measured)
    return sentences


def _paths(summaries: Sequence[CaseSummary], measured: Measured) -> list[str]:
    """What `fit` costs beside the compiled path, for networks measured on both."""
    told = []
    for summary in summaries:
        for other in summaries:
            twin = replace(summary.case, path="compiled") == other.case
            if summary.case.path == "compiled" or not twin:
                continue
            ratio = measured.ratios(summary.case, other.case).get(EPOCH)
            if ratio is not None:
                told.append(
                    f"On {summary.case.place}, an epoch of {summary.case.label} takes "
                    f"{_ratio(ratio)} as long with fit as on the compiled path: the rest is the "
                    "framework around the training."
                )
    return told


def _epochs(group: Sequence[CaseSummary]) -> str:
    return f"{group[0].case.cold_epochs} epochs"


def _comparison(group: Sequence[CaseSummary], phase: str, what: str) -> str:
    """Every network against the first, by the paired ratios and their intervals."""
    first = group[0].case.label
    slower, faster, unclear = [], [], []
    for summary in group[1:]:
        ratio = summary.ratios.get(phase)
        if ratio is None:
            continue
        told = f"{summary.case.label} ({_ratio(ratio)})"
        if not ratio.excludes_one:
            unclear.append(told)
        elif ratio.value > 1:
            slower.append((ratio.value, told))
        else:
            faster.append((ratio.value, told))
    time = group[0].times.get(phase)
    parts = [] if time is None else [f"{first} takes {_time(time)}"]
    if slower:
        parts.append("slower are " + _list([told for _, told in sorted(slower, reverse=True)]))
    if faster:
        parts.append("faster are " + _list([told for _, told in sorted(faster)]))
    if unclear:
        parts.append(f"not told apart from {first}: " + _list(unclear))
    return f"For {what}, " + "; ".join(parts) + "."


def _ratio(ratio: Estimate) -> str:
    if not ratio.has_interval:
        return f"{units.ratio(ratio.value)} [no interval]"
    return f"{units.ratio(ratio.value)} [{units.ratio_range(ratio.low, ratio.high)}]"


def _time(time: Estimate) -> str:
    if not time.has_interval:
        return units.seconds(time.value)
    return f"{units.seconds(time.value)} [{units.seconds_range(time.low, time.high)}]"


def _list(items: Sequence[str], most: int = 6) -> str:
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else items[0]


def _where_the_time_goes(group: Sequence[CaseSummary]) -> list[str]:
    """The largest parts of the cold training of the slowest and the fastest network."""
    known = [(summary, summary.cold_parts) for summary in group]
    split = [(summary, parts) for summary, parts in known if parts is not None]
    if not split:
        return []
    split.sort(key=lambda pair: pair[1].cold_s)
    ends = [split[-1]] if len(split) == 1 else [split[-1], split[0]]
    return [_parts_sentence(summary, parts) for summary, parts in ends]


def shares(parts: ColdParts) -> list[tuple[str, float]]:
    """The parts of a cold training in words, as fractions of it, largest first."""
    getting_ready = parts.once_s.get(TRACE, 0.0) + parts.once_s.get(COMPILE, 0.0)
    others = sum(parts.once_s.values()) - getting_ready
    named = [
        ("tracing and compiling", getting_ready),
        ("building, preparing and the first step", others),
        ("the framework's overhead around each epoch", parts.overhead_s),
        ("the steps themselves", parts.steps_s),
    ]
    fractions = [(name, value_s / parts.cold_s) for name, value_s in named]
    return sorted(fractions, key=lambda pair: -pair[1])


def _parts_sentence(summary: CaseSummary, parts: ColdParts) -> str:
    largest = [(name, part) for name, part in shares(parts) if part >= 0.01]
    told = _list([f"{units.share(part)} to {name}" for name, part in largest])
    label = summary.case.label
    return f"The {units.seconds(parts.cold_s)} that {label} takes cold go {told}."


def _lesson(group: Sequence[CaseSummary], measured: Measured) -> list[str]:
    """Whether cold and steady state order the networks alike, and where the order flips."""
    told = []
    for summary in group[1:]:
        cold, step = summary.ratios.get(COLD), summary.ratios.get(STEP)
        if cold is None or step is None or not step.excludes_one:
            continue
        opposite = (cold.value - 1) * (step.value - 1) < 0
        if cold.excludes_one and opposite:
            told.append(_opposite(summary, cold, step))
        elif not cold.excludes_one:
            told.append(_hidden(summary, step))
    pair = _cross_pair(group, measured)
    if pair:
        told.append(pair)
    if not told and all(
        COLD in summary.ratios and summary.ratios[COLD].excludes_one for summary in group[1:]
    ):
        told.append("Cold and in the steady state, the networks come in the same order.")
    return told


def _opposite(summary: CaseSummary, cold: Estimate, step: Estimate) -> str:
    mine, base = summary.case.label, summary.baseline.label
    way = ("slower", "faster") if cold.value > 1 else ("faster", "slower")
    return (
        f"{mine} is {way[0]} than {base} cold ({_ratio(cold)}) but {way[1]} per step "
        f"({_ratio(step)}): what is paid once, and around each epoch, is not what a step costs."
    )


def _hidden(summary: CaseSummary, step: Estimate) -> str:
    mine, base = summary.case.label, summary.baseline.label
    way = "more" if step.value > 1 else "less"
    return (
        f"A step of {mine} costs {way} than one of {base} ({_ratio(step)}), "
        f"which a cold training of {summary.case.cold_epochs} epochs does not show."
    )


def _cross_pair(group: Sequence[CaseSummary], measured: Measured) -> str | None:
    """Of the other networks, the pair whose order differs most surely between cold and step."""
    candidates = [
        (other.times[STEP].value / one.times[STEP].value, one, other)
        for one in group[1:]
        for other in group[1:]
        if all(phase in each.times for phase in (COLD, EPOCH, STEP) for each in (one, other))
        and one.times[COLD].value > other.times[COLD].value
        and one.times[STEP].value < other.times[STEP].value
    ]
    candidates.sort(key=lambda candidate: -candidate[0])
    for _, deep, wide in candidates[:PAIRS_TRIED]:
        ratios = measured.ratios(deep.case, wide.case)
        cold, step = ratios[COLD], ratios[STEP]
        if cold.excludes_one and step.excludes_one:
            return (
                f"{deep.case.label} ({deep.parameters:,} weights) takes "
                f"{_ratio(cold)} as long cold as {wide.case.label} "
                f"({wide.parameters:,} weights), and yet its step takes only "
                f"{_ratio(step)} as long.{_flip(deep, wide, ratios[EPOCH])}"
            )
    return None


def _flip(slow_start: CaseSummary, slow_epoch: CaseSummary, epoch: Estimate) -> str:
    """After how many epochs the one that starts later has caught up."""
    late, early = slow_start.cold_parts, slow_epoch.cold_parts
    if late is None or early is None:
        return ""
    head_start_s = sum(late.once_s.values()) - sum(early.once_s.values())
    gain_s = slow_epoch.times[EPOCH].value - slow_start.times[EPOCH].value
    if not epoch.excludes_one or head_start_s <= 0 or gain_s <= 0:
        return (
            " Their whole epochs are too alike to say after how many of them it would catch up: "
            "the overhead around each epoch hides the difference."
        )
    return f" From about {head_start_s / gain_s:,.0f} epochs on it is ahead in all."


def _run_warnings(run: Run, summaries: Sequence[CaseSummary]) -> list[Caution]:
    warnings = [Caution("damage", f"{run.folder / 'trials.jsonl'}: {text}") for text in run.damage]
    sides = run.specification["sides"]
    if len(sides) > 1:
        kind = "commits" if run.specification.get("commits") else "sides"
        warnings.append(
            Caution(
                "sides",
                f"{len(sides)} {kind} were measured in turn ({_list(sides)}): "
                "these figures are of all of them together.",
            )
        )
    failed = run.failures()
    for outcome in ("died", "timeout", "diverged"):
        hit = [trial for trial in failed if trial["outcome"] == outcome]
        if hit:
            names = _list(list(dict.fromkeys(run.cases[t["case"]].label for t in hit)))
            message = str(hit[0].get("message", "")).strip().splitlines()[:1]
            detail = f" ({message[0]})" if message else ""
            warnings.append(
                Caution(
                    "failure",
                    f"{len(hit)} trials of {names} ended with outcome {outcome}{detail}; "
                    "they are not in the figures.",
                )
            )
    launches = min((time.launches for s in summaries for time in s.times.values()), default=0)
    if launches == 1:
        warnings.append(
            Caution(
                "launches",
                "All figures come from one launch: how much they would differ in another process "
                "is not known, and intervals are too narrow. Use --launches 5 or more.",
            )
        )
    elif 0 < launches < FEW_LAUNCHES:
        warnings.append(
            Caution("launches", f"{launches} launches give rough intervals; use 5 or more.")
        )
    jits = {s.case.training.jit for s in summaries}
    if len({s.case.worker for s in summaries}) > 1 and jits == {"auto"}:
        warnings.append(
            Caution(
                "jit",
                "jit_compile is auto, which is XLA on some backends and devices and not on "
                "others: a difference between them is partly one of compilers. Pin it with --jit.",
            )
        )
    return warnings


def _case_warnings(summary: CaseSummary) -> list[Caution]:
    warnings = []
    case = summary.case
    label = f"{case.label} ({case.place})"
    wide = [
        f"{phase} ±{units.share(time.relative_half_width)}"
        for phase, time in summary.times.items()
        if phase in (COLD, EPOCH, STEP) and time.relative_half_width > WIDE
    ]
    if wide:
        warnings.append(
            Caution(
                "wide",
                f"{label}: wide intervals ({', '.join(wide)}). A quieter machine or --precision "
                "would narrow them.",
            )
        )
    parts = summary.cold_parts
    if parts is not None and abs(parts.rest_s) > LARGE_REST * parts.cold_s:
        more = "less" if parts.rest_s > 0 else "more"
        warnings.append(
            Caution(
                "rest",
                f"{label}: the parts add up to {units.share(abs(parts.rest_s) / parts.cold_s)} "
                f"{more} than the cold training timed as a whole.",
            )
        )
    if case.backend == "jax" and case.rows % case.batch_rows:
        warnings.append(
            Caution(
                "ragged",
                f"{label}: the last batch of an epoch has {case.rows % case.batch_rows} rows "
                f"instead of {case.batch_rows}; JAX compiles it separately, which is in the rest.",
            )
        )
    return warnings
