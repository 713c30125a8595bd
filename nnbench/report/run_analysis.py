"""All that a run says, computed once: page, table and JSON only show it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnbench.machine import noise
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.report import words
from nnbench.stats.estimate import Estimate
from nnbench.stats.blocks import Blocks
from nnbench.stats.summary import CaseSummary, measured_share, summarise
from nnbench.store.runs import Run
from nnbench.workload.case import Case

PAIRS_TRIED = 5


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
    """Cases that may be compared: of one backend, device, thread count and path."""

    summaries: tuple[CaseSummary, ...]
    crossing: Crossing | None

    @property
    def first(self) -> Case:
        """The case that the others are compared with."""
        return self.summaries[0].case


@dataclass(frozen=True)
class PathRatio:
    """An epoch of a case with `fit`, divided by one of the same on the compiled path."""

    case: Case
    ratio: Estimate


@dataclass(frozen=True)
class RunAnalysis:
    """What a run says. `noisy` holds the (launch, block) pairs in which noise was seen."""

    run: Run
    groups: tuple[Group, ...]
    values: Blocks
    measured_share: float | None
    blocks: int
    noisy: frozenset[tuple[int, int]]
    noise_reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def summaries(self) -> list[CaseSummary]:
        """Those of all groups."""
        return [summary for group in self.groups for summary in group.summaries]


def analyse(run: Run) -> RunAnalysis:
    """Compute what a run says."""
    blocks = Blocks.of(run)
    summaries = summarise(run, blocks)
    found = []
    for context in dict.fromkeys(one.case.comparable for one in summaries):
        group = [one for one in summaries if one.case.comparable == context]
        found.append(Group(tuple(group), _crossing(group, blocks)))
    reasons = (
        f"launch {trial['launch']}, block {trial['block']}: {reason}"
        for trial in run.trials
        for reason in noise.contamination(trial.get("noise", {}))
    )
    return RunAnalysis(
        run=run,
        groups=tuple(found),
        values=blocks,
        measured_share=measured_share(run),
        blocks=len({(trial["launch"], trial["block"]) for trial in run.trials}),
        noisy=frozenset(noise.noisy_blocks(run.trials)),
        noise_reasons=tuple(dict.fromkeys(reasons)),
        sentences=words.sentences(found, _path_ratios(summaries, blocks)),
        warnings=words.warnings(run, summaries),
    )


def _path_ratios(summaries: Sequence[CaseSummary], blocks: Blocks) -> list[PathRatio]:
    cases = [summary.case for summary in summaries]
    fits = [case for case in cases if case.path == "fit"]
    twins = [(case, replace(case, path="compiled")) for case in fits]
    known = [(case, twin) for case, twin in twins if twin in cases]
    ratios = [(case, blocks.ratios(case, twin).get(EPOCH)) for case, twin in known]
    return [PathRatio(case, ratio) for case, ratio in ratios if ratio is not None]


def _crossing(group: Sequence[CaseSummary], blocks: Blocks) -> Crossing | None:
    known = [one for one in group[1:] if {COLD, EPOCH, STEP} <= one.times.keys()]
    candidates = [
        (slow, fast)
        for slow, fast in itertools.permutations(known, 2)
        if slow.times[COLD].value > fast.times[COLD].value
        and slow.times[STEP].value < fast.times[STEP].value
    ]
    candidates.sort(key=lambda pair: pair[0].times[STEP].value / pair[1].times[STEP].value)
    for slow, fast in candidates[:PAIRS_TRIED]:
        ratios = blocks.ratios(slow.case, fast.case)
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
