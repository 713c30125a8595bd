"""Two sides compared: saved runs, or environments as they are measured now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure import decision, environments
from nnbench.measure.protocol import Environment
from nnbench.stats import summary, verdict
from nnbench.stats.estimate import Estimate
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison
from nnbench.store.runs import Run
from nnbench.workload import handed
from nnbench.workload.study import Effort, Networks, Study

SLOWER, FASTER, OTHER_NUMBERS = "slower", "faster", "other numbers"
PERHAPS_WITHIN = "slower, perhaps within the margin"
"""Outcomes of a whole comparison, besides `EQUIVALENT` and `UNDECIDED`."""


@dataclass(frozen=True)
class Spent:
    """What measuring took: rounds and seconds of both sides together, of what was allowed.

    `budget_s` is None where a number of rounds was asked for; `early` says that it ended since
    everything was decided. `looks` are the rounds after which it was looked at whether it was.
    """

    rounds: int
    took_s: float
    budget_s: float | None
    early: bool
    looks: tuple[int, ...] = ()


@dataclass(frozen=True)
class ComparedSides:
    """What was compared and what makes it unlike; `second` / `first` for each case and phase.

    `comparisons` are those of the phases asked for, which are judged, those that matter first;
    `others` what was measured besides. `other_numbers` are networks whose seeded training computes
    other numbers on the second side, None where that was not looked at. `damage` is what of saved
    runs could not be read. `commits` are those of both sides, where both have one, and `options`
    what measures one network in one context again, by a label without its phase, where it is known.
    """

    first: str
    second: str
    unlike: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    damage: tuple[str, ...] = ()
    others: Mapping[str, Estimate] | None = None
    other_numbers: tuple[str, ...] | None = None
    spent: Spent | None = None
    commits: tuple[str, str] | None = None
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def slower(self) -> list[Comparison]:
        """What takes longer on the second side by more than the margin, the most first."""
        found = [one for one in self.comparisons if one.is_slower]
        return sorted(found, key=lambda one: -one.ratio.value)

    @property
    def perhaps_within(self) -> list[Comparison]:
        """What takes longer on the second side, perhaps by less than the margin, the most first."""
        found = [one for one in self.comparisons if one.is_perhaps_within]
        return sorted(found, key=lambda one: -one.ratio.value)

    @property
    def faster(self) -> list[Comparison]:
        """What takes less time on the second side, the most first."""
        found = [one for one in self.comparisons if one.verdict == DIFFERENT]
        return sorted(
            (one for one in found if one.ratio.value < 1), key=lambda one: one.ratio.value
        )

    @property
    def open(self) -> list[Comparison]:
        """What is not decided, what is probable first."""
        found = [one for one in self.comparisons if one.verdict == UNDECIDED]
        return sorted(found, key=lambda one: not one.is_probable)

    @property
    def outcome(self) -> str:
        """The whole in a word, the worst first."""
        if self.slower:
            return SLOWER
        if self.other_numbers:
            return OTHER_NUMBERS
        if self.open:
            return UNDECIDED
        if self.perhaps_within:
            return PERHAPS_WITHIN
        return FASTER if self.faster else EQUIVALENT

    def status(self, *, require_decision: bool) -> int:
        """The exit status of a check: 1 for slower or other numbers, 3 for too little data."""
        if self.outcome in (SLOWER, OTHER_NUMBERS):
            return 1
        return 3 if require_decision and self.open else 0


def compare(
    names: Sequence[str],
    measure: Callable[[Mapping[str, Environment]], tuple[Run, Sequence[str] | None]],
    *,
    margin: float,
    even_unlike: bool,
    phases: str | None = None,
    study: Study | None = None,
) -> ComparedSides:
    """Compare two sides, as `environments.resolve` understands them, by the phases asked for.

    `measure` is called where they are not saved runs, with where each side's workers run; it
    returns the run of `study` and networks that compute other numbers. Raises UserError for sides
    that cannot be compared; with `even_unlike` hosts and versions may differ.
    """
    if len(names) != 2:
        raise UserError("name two sides, such as two runs' folders, or use --against COMMIT")
    first, second = (environments.resolve(name) for name in names)
    if first.label == second.label:
        raise UserError(f"both sides are {first.label}: there is nothing to compare")
    differing = fingerprint.unlike(*map(environments.fingerprint_of, (first, second)))
    if differing and not even_unlike:
        why = fingerprint.not_comparable(first.label, second.label, differing)
        raise UserError(f"{why}; --unlike compares them all the same")
    judged = decision.phases(phases)
    every = decision.phases(decision.ALL)
    rest = [phase for phase in every if phase not in judged]
    numbers, spent = None, None
    commits: tuple[str, str] | None = None
    options: dict[str, tuple[str, ...]] = {}
    if first.side and second.side:
        run, numbers = measure({first.label: first.side, second.label: second.side})
        if not decision.ratios(run, every):
            raise UserError("no network was measured on both sides: there is nothing to compare")
        found = decision.judge(run, judged, margin)
        others = decision.ratios(run, rest)
        spent = _spent(run)
        if first.commit and second.commit:
            commits = first.commit, second.commit
        options = _options(run, study) if study else {}
    elif first.run and second.run:
        ratios = summary.ratios_between_runs(first.run, second.run)
        if not ratios:
            raise UserError("the two runs have no case in common with two launches on each side")
        found = verdict.judge(_of_phases(ratios, judged), margin=margin)
        others = _of_phases(ratios, rest)
    else:
        raise UserError("a saved run is compared with a saved run: measure the other side first")
    if not found:
        have = ", ".join(dict.fromkeys(phase_of(label) for label in others))
        raise UserError(f"{', '.join(judged)} was not measured on both sides; there is {have}")
    saved = (side.run for side in (first, second) if side.run)
    return ComparedSides(
        first.label,
        second.label,
        tuple(differing),
        tuple(found),
        tuple(text for run in saved for text in run.damage),
        others,
        None if numbers is None else tuple(numbers),
        spent,
        commits,
        options,
    )


def phase_of(label: str) -> str:
    """The phase that a comparison is about."""
    return label.rpartition(" ")[2]


def _options(run: Run, study: Study) -> dict[str, tuple[str, ...]]:
    """What measures each case alone; nothing of a notebook's, which no command line can name."""
    if handed.names() or handed.is_handed(study.data.data):
        return {}
    found = {}
    for case in run.cases.values():
        device, _, replicas = case.device.partition("*")
        machine = replace(
            study.machine,
            backend=case.backend,
            device=device,
            replicas=replicas or None,
            path=case.path,
        )
        effort = Effort(limit=study.effort.limit)
        alone = replace(study, networks=Networks(), machine=machine, effort=effort)
        network = "--model" if case.model else "--architectures"
        found[run.label(case)] = (network, run.name(case), *alone.arguments())
    return found


def _of_phases(ratios: Mapping[str, Estimate], phases: Sequence[str]) -> dict[str, Estimate]:
    return {
        label: ratio
        for phase in phases
        for label, ratio in ratios.items()
        if phase_of(label) == phase
    }


def _spent(run: Run) -> Spent:
    wanted = run.specification
    rounds = 1 + int(run.trials.column("round").max(initial=-1))
    early = decision.is_decided(run, rounds)
    looks = decision.look_rounds(rounds) if wanted.get("decide") else []
    return Spent(rounds, decision.seconds_spent(run), wanted["budget_s"], early, tuple(looks))
