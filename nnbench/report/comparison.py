"""Two sides compared: saved runs as they are, commits and environments as they are measured now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure import environments
from nnbench.measure.protocol import Environment
from nnbench.show.terminal import print_sentences
from nnbench.stats import summary, verdict
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison
from nnbench.store.runs import Run

STYLES = {DIFFERENT: "bold", EQUIVALENT: "green", UNDECIDED: "yellow"}


@dataclass(frozen=True)
class Answer:
    """What was compared and what makes it unlike; `second` / `first` for each case and phase.

    `damage` is what of saved runs could not be read.
    """

    first: str
    second: str
    unlike: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    damage: tuple[str, ...] = ()


def compare(
    names: Sequence[str],
    measure: Callable[[Mapping[str, Environment]], Run],
    *,
    margin: float,
    even_unlike: bool,
) -> Answer:
    """Compare two sides, as `environments.resolve` understands them.

    `measure` is called where they are not saved runs, with where each side's workers run. Raises
    UserError for sides that cannot be compared; with `even_unlike` hosts and versions may differ.
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
    if first.side and second.side:
        run = measure({first.label: first.side, second.label: second.side})
        ratios = summary.ratios_between_sides(run)
        if not ratios:
            raise UserError("no network was measured on both sides: there is nothing to compare")
    elif first.run and second.run:
        ratios = summary.ratios_between_runs(first.run, second.run)
        if not ratios:
            raise UserError("the two runs have no case in common with two launches on each side")
    else:
        raise UserError("a saved run is compared with a saved run: measure the other side first")
    found = verdict.judge(ratios, margin=margin)
    saved = (side.run for side in (first, second) if side.run)
    damage = (text for run in saved for text in run.damage)
    return Answer(first.label, second.label, tuple(differing), tuple(found), tuple(damage))


def print_answer(found: Answer) -> None:
    """One line a comparison; what makes the two sides unlike is said on each."""
    print_sentences([f"{found.second} against {found.first}, 95 % intervals"], "bold")
    suffix = f" (unlike: {'; '.join(found.unlike)})" if found.unlike else ""
    for one in found.comparisons:
        text = verdict.sentence(one, found.first, found.second) + suffix
        print_sentences([text], STYLES[one.verdict], wrap=False)
