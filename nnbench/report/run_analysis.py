"""All that a run says, computed once: page, table and JSON only show it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnbench.machine import noise
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.report import answer, trusted, words
from nnbench.report.contexts import Axis, PathRatio, axes_of
from nnbench.report.trusted import Trust
from nnbench.stats.blocks import Blocks, Ratios
from nnbench.stats.estimate import Estimate
from nnbench.stats.summary import CaseSummary, measured_share, summarise
from nnbench.store.runs import Run
from nnbench.workload.case import Case

PAIRS_TRIED = 5
RATIOS_OF = (COLD, EPOCH, STEP)
"""Phases of which every network is compared with every other."""


MOST_COMPARED = 120
"""Of more networks not every one is compared with every other: pairs grow with the square."""


@dataclass(frozen=True)
class Crossing:
    """Two networks of which one takes longer cold and yet less a step.

    `ratios` are `slow_start` / `fast_start`; `epochs` to catch up are None if too alike to say.
    """

    slow_start: CaseSummary
    fast_start: CaseSummary
    ratios: dict[str, Estimate]
    epochs: float | None


@dataclass(frozen=True)
class Group:
    """Cases that may be compared: of one backend, device, thread count and path.

    `ratios` holds, for each of `RATIOS_OF` that was measured, all networks by all networks.
    """

    summaries: tuple[CaseSummary, ...]
    names: dict[str, str]
    crossing: Crossing | None
    ratios: dict[str, Ratios]
    bases: tuple[int, ...] | None = None
    """Of very many networks, the rows that all are compared with: the first and the fastest."""

    @property
    def first(self) -> Case:
        """The case that the others are compared with."""
        return self.summaries[0].case

    def name(self, case: Case) -> str:
        """What a case is called, as `Run.name` says it."""
        return self.names[case.key]

    @property
    def whole(self) -> str:
        """The phase that says how long a training takes: cold, else what there is of it."""
        times = [one.times.keys() for one in self.summaries]
        phases = (phase for phase in RATIOS_OF if all(phase in known for known in times))
        return next(phases, next((phase for phase in RATIOS_OF if phase in times[0]), COLD))


@dataclass(frozen=True)
class RunAnalysis:
    """What a run says. `noisy` holds the (launch, block) pairs in which noise was seen.

    `finding` is the whole in a line, `answer` in a few short sentences; `sentences` tell more.
    """

    run: Run
    groups: tuple[Group, ...]
    axes: tuple[Axis, ...]
    values: Blocks
    measured_share: float | None
    blocks: int
    noisy: frozenset[tuple[int, int]]
    noise_reasons: dict[str, int]
    finding: str
    answer: tuple[str, ...]
    trust: Trust
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def summaries(self) -> list[CaseSummary]:
        """Those of all groups."""
        return [summary for group in self.groups for summary in group.summaries]


def analyse(run: Run) -> RunAnalysis:
    """Compute what a run says."""
    values = Blocks.of(run)
    summaries = summarise(run, values)
    names = {key: run.name(case) for key, case in run.cases.items()}
    found = []
    for context in dict.fromkeys(one.case.comparable for one in summaries):
        group = [one for one in summaries if one.case.comparable == context]
        cases = [one.case for one in group]
        bases = _bases(group)
        ratios = {phase: values.all_ratios(cases, phase, bases) for phase in RATIOS_OF}
        known = {phase: one for phase, one in ratios.items() if one is not None}
        found.append(Group(tuple(group), names, _crossing(group, values), known, bases))
    blocks = len(run.trials.groups(("launch", "block"))[0])
    noisy, reasons = _noise(run)
    axes = axes_of(found, values)
    return RunAnalysis(
        run=run,
        groups=tuple(found),
        axes=axes,
        values=values,
        measured_share=measured_share(run),
        blocks=blocks,
        noisy=noisy,
        noise_reasons=reasons,
        finding=answer.finding(found, axes),
        answer=answer.sentences(found, axes),
        trust=trusted.judge(run, summaries, blocks, len(noisy)),
        sentences=words.sentences(found, _path_ratios(summaries, values)),
        warnings=words.warnings(run, summaries),
    )


def _noise(run: Run) -> tuple[frozenset[tuple[int, int]], dict[str, int]]:
    """Blocks in which noise was seen, and in how many of them each kind of reason, by its worst."""
    noisy: set[tuple[int, int]] = set()
    kinds: dict[str, dict[tuple[int, int], str]] = {}
    for block, seen in run.looks():
        for reason in noise.contamination(seen):
            noisy.add(block)
            kind = "".join(letter for letter in reason if not (letter.isdigit() or letter == "."))
            of_kind = kinds.setdefault(kind, {})
            # The worst of a kind: one that is as long or longer, and later in the alphabet.
            of_kind[block] = max(of_kind.get(block, ""), reason, key=lambda one: (len(one), one))
    worst = (
        (max(one.values(), key=lambda text: (len(text), text)), len(one)) for one in kinds.values()
    )
    return frozenset(noisy), dict(sorted(worst, key=lambda pair: -pair[1]))


def _bases(group: Sequence[CaseSummary]) -> tuple[int, ...] | None:
    if len(group) <= MOST_COMPARED:
        return None
    rows = {0}
    for phase in RATIOS_OF:
        times = [one.times[phase].value if phase in one.times else math.inf for one in group]
        rows.add(times.index(min(times)))
    return tuple(sorted(rows))


def _path_ratios(summaries: Sequence[CaseSummary], values: Blocks) -> list[PathRatio]:
    cases = [summary.case for summary in summaries]
    # Not every training with fit could be had compiled.
    twins = {replace(case, path="fit"): case for case in cases if case.path == "compiled"}
    known = [(case, twins[case]) for case in cases if case in twins]
    ratios = [(case, values.ratios(case, twin).get(EPOCH)) for case, twin in known]
    return [PathRatio(case, ratio) for case, ratio in ratios if ratio is not None]


def _crossing(group: Sequence[CaseSummary], values: Blocks) -> Crossing | None:
    known = [one for one in group[1:] if {COLD, EPOCH, STEP} <= one.times.keys()]
    candidates = [
        (slow, fast)
        for slow, fast in itertools.permutations(known, 2)
        if slow.times[COLD].value > fast.times[COLD].value
        and slow.times[STEP].value < fast.times[STEP].value
    ]
    candidates.sort(key=lambda pair: pair[0].times[STEP].value / pair[1].times[STEP].value)
    for slow, fast in candidates[:PAIRS_TRIED]:
        ratios = values.ratios(slow.case, fast.case)
        # Of a run that has lost records two networks may share no block.
        shared = {COLD, EPOCH, STEP} <= ratios.keys()
        if shared and ratios[COLD].excludes_one and ratios[STEP].excludes_one:
            return Crossing(slow, fast, ratios, _epochs_to_catch_up(slow, fast, ratios[EPOCH]))
    return None


def _epochs_to_catch_up(slow: CaseSummary, fast: CaseSummary, epoch: Estimate) -> float | None:
    late, early = slow.cold_parts, fast.cold_parts
    if late is None or early is None:
        return None
    head_start_s = sum(late.once_s.values()) - sum(early.once_s.values())
    gain_s = fast.times[EPOCH].value - slow.times[EPOCH].value
    if not epoch.excludes_one or head_start_s <= 0 or gain_s <= 0:
        return None
    return head_start_s / gain_s
