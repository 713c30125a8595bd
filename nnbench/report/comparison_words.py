"""What a comparison says, in words: the verdict in a line, what to do next, how it was measured."""

import math
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from nnbench.report.comparison import (
    OTHER_NUMBERS,
    PERHAPS_WITHIN,
    SLOWER,
    ComparedSides,
    Spent,
    phase_of,
)
from nnbench.show import intervals, units
from nnbench.show.intervals import CHANGE
from nnbench.show.terminal import print_sentences
from nnbench.show.text import printable
from nnbench.stats import verdict
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED, Comparison

STYLES = {DIFFERENT: "bold", EQUIVALENT: "green", UNDECIDED: "yellow"}
PROBABLY = "probably {way}"


Code = Callable[[str], str]
"""How names and commands are set off from words: in Markdown so that they do nothing there."""


def finding(found: ComparedSides, code: Code = str) -> str:
    """The whole in a line: the verdict, what it is about, and its size."""
    total = len(found.comparisons)
    equal = sum(one.verdict == EQUIVALENT for one in found.comparisons)
    numbers = ""
    if found.other_numbers:
        numbers = f"{code(_listed(found.other_numbers))} computes other numbers from the same seed"
    if found.slower:
        told = _most(found, found.slower, SLOWER, code)
        return f"{told}; {numbers}" if numbers else told
    if numbers:
        return f"{OTHER_NUMBERS}: with {code(found.second)} {numbers}"
    if found.perhaps_within and not found.open:
        return _most(found, found.perhaps_within, PERHAPS_WITHIN, code)
    if found.faster and not found.open:
        return _most(found, found.faster, "faster", code)
    if found.open:
        probable = [one for one in found.open if one.is_probable]
        if probable:
            told = _most(found, probable, PROBABLY.format(way=_way(probable[0])), code)
        else:
            rest = f", {equal} equivalent" if equal else ""
            return f"{UNDECIDED}: {len(found.open)} of {total} not decided{rest}; {more(found)}"
        return f"{told}; {_looked(found)}, {more(found)}"
    if equal < total:
        return f"different within the margin: {total - equal} of {total}, none slower than it"
    margin = units.share(found.comparisons[0].margin)
    what = "the only comparison is" if total == 1 else f"all {total} comparisons are"
    sides = f"{code(found.second)} against {code(found.first)}"
    return f"{EQUIVALENT}: {what} within {margin}, {sides}"


def _most(found: ComparedSides, some: Sequence[Comparison], word: str, code: Code) -> str:
    first, rest = some[0], len(some) - 1
    size = intervals.sentence(first.ratio, CHANGE)
    more_of_them = f", and {rest} more" if rest else ""
    sides = f"{code(found.second)} against {code(found.first)}"
    return f"{word}: {code(name(first.label, found))} {size} with {sides}{more_of_them}"


def _way(one: Comparison) -> str:
    return SLOWER if one.ratio.value > 1 else "faster"


def _looked(found: ComparedSides) -> str:
    total = len(found.comparisons)
    networks = {one.label.rpartition(" ")[0] for one in found.comparisons}
    phases = {phase_of(one.label) for one in found.comparisons}
    told = _many(len(phases), "phase")
    told += f" of {len(networks)} networks" if len(networks) > 1 else ""
    return f"{told} {'was' if total == 1 else 'were'} looked at"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"


def more(found: ComparedSides) -> str:
    """What is missing to decide: `about 2 more launches would probably settle it`."""
    missing = [one.more_launches for one in found.open]
    known = [one for one in missing if one is not None]
    if len(known) < len(missing) or not known:
        return verdict.TOO_FEW
    count = _many(max(known), "more launch").replace("launchs", "launches")
    return f"about {count} would probably settle it"


def context(found: ComparedSides) -> str:
    """Where all of it ran, `jax, cpu, fit`; nothing where that is more than one place."""
    labels = [*(one.label for one in found.comparisons), *(found.others or {})]
    contexts = {label.partition(": ")[0] for label in labels}
    return contexts.pop() if len(contexts) == 1 else ""


def name(label: str, found: ComparedSides) -> str:
    """What a comparison is about, without where it ran if all ran there: `6x2 step`."""
    return label.partition(": ")[2] if context(found) else label


def word(one: Comparison) -> str:
    """The verdict on one comparison: `slower`, `probably faster`, `equivalent`, ...

    With the look that decided, where the interval of all launches does not show it.
    """
    early = "" if one.decided_after is None else f" (after {one.decided_after} launches)"
    return f"{_verdict(one)}{early}"


def _verdict(one: Comparison) -> str:
    if one.verdict == DIFFERENT:
        if one.is_perhaps_within:
            return PERHAPS_WITHIN
        within = one.ratio.value > 1 and not one.is_slower
        return f"{_way(one)}, within the margin" if within else _way(one)
    return PROBABLY.format(way=_way(one)) if one.is_probable else one.verdict


def next_steps(found: ComparedSides, code: Code = str) -> list[str]:
    """What to do next, each a sentence; nothing where all is well."""
    told = []
    if found.slower and found.spent is None:
        command = shlex.join(["nnbench", "explain", found.first, found.second])
        told.append(f"Which phases it is, and how much each: {code(command)}.")
    elif found.slower and (bisect := _bisect(found)):
        told.append(f"Which commit it was, if there are several: {code(bisect)}.")
    if found.other_numbers:
        told.append(
            "Where other numbers are meant (another initialiser, order or arithmetic), leave them "
            f"out of the check: {code('--no-numbers')}. Else {code('nnbench drift')} says what "
            "they hang on."
        )
    if found.open and found.spent is not None:
        told.append(_more_data(found, found.spent, code))
    return told


def _bisect(found: ComparedSides) -> str | None:
    """The command that finds the commit of what is slowest; None where it cannot be told whole."""
    network, _, phase = found.slower[0].label.rpartition(" ")
    if found.commits is None or network not in found.options:
        return None
    first, last = found.commits
    named = [first[:12], *([last[:12]] if last != "HEAD" else [])]
    words = ["nnbench", "history", "bisect", *named, "--phase", phase, *found.options[network]]
    command = shlex.join(words)
    return command if printable(command) == command else None


def _more_data(found: ComparedSides, spent: Spent, code: Code) -> str:
    known = [one.more_launches for one in found.open if one.more_launches is not None]
    if not known or not spent.rounds:
        return f"Measure more: {more(found)}."
    needed_s = spent.took_s / spent.rounds * (spent.rounds + max(known))
    option = f"--launches {spent.rounds + max(known)}"
    if spent.budget_s is not None:
        option = f"--budget {math.ceil(needed_s / 60)}min"
    told = f"Measure more: {code(option)} would probably do, about {units.about(needed_s)}"
    if max(known) > 2 * spent.rounds:
        told += f"; or else a wider {code('--margin')}"
        several = len({phase_of(one.label) for one in found.comparisons}) > 1
        told += f", or fewer phases: {code('--phase step')}" if several else ""
    return f"{told}."


def measured(found: ComparedSides, code: Code = str) -> list[str]:
    """How it was measured, sentences."""
    told = [f"All on {code(context(found))}."] if context(found) else []
    if found.spent is not None:
        spent = found.spent
        took = units.about(spent.took_s)
        allowed = took if spent.budget_s is None else units.about(spent.budget_s)
        length = f"{_many(spent.rounds, 'round')} in {took}"
        length += f" of {allowed}" if spent.budget_s is not None else ""
        if spent.early:
            ended = "ended early since everything was decided"
            length += f", {ended if took != allowed else 'after which everything was decided'}"
        told.append(
            f"{length}; in a round both sides start a process, and their trials take turns."
        )
    looked = found.spent is not None and len(found.spent.looks) > 1
    often = ", however often they were looked at" if looked else ""
    told.append(
        "Intervals are of 95 %, with the process as the unit. A difference is told where chance "
        f"shows one in at most 1 of 100 such comparisons{often}."
    )
    if any(one.decided_after is not None for one in found.comparisons):
        told.append(
            "Some were decided at an early look, and measured on with the others: their intervals "
            "are of all launches, and may reach beyond the margin."
        )
    if found.other_numbers == ():
        told.append("A seeded training computes the same numbers on both sides.")
    return [*told, *(f"Unlike: {code(one)}." for one in found.unlike)]


def as_json(found: ComparedSides) -> dict[str, Any]:
    """An answer for scripts, for `show.plain`."""
    return {
        "outcome": found.outcome,
        "finding": finding(found),
        "next": next_steps(found),
        **vars(found),
        "comparisons": [
            {**vars(one), "says": word(one), "is_probable": one.is_probable}
            for one in found.comparisons
        ],
        "looks": found.spent.looks if found.spent else None,
    }


def print_answer(found: ComparedSides) -> None:
    """The verdict, a line a comparison, what to do next; what is unlike is said on each line."""
    print_sentences([finding(found)], "bold")
    suffix = f" (unlike: {'; '.join(found.unlike)})" if found.unlike else ""
    for one in found.comparisons:
        text = verdict.sentence(one, found.first, found.second) + suffix
        print_sentences([text], STYLES[one.verdict], wrap=False)
    if found.others:
        rest = dict.fromkeys(map(phase_of, found.others))
        print_sentences([f"not judged: {', '.join(rest)} (--phase all)"])
    print_sentences(next_steps(found))
