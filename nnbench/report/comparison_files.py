"""A comparison as files for continuous integration: a pull request comment, and JUnit's XML."""

from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from nnbench.machine import whole_file
from nnbench.report import comparison_words as words
from nnbench.report.comparison import ComparedSides
from nnbench.show import intervals
from nnbench.show.intervals import CHANGE, MISSING
from nnbench.show.text import LONGEST_LINE, markdown, printable
from nnbench.stats.estimate import Estimate
from nnbench.stats.verdict import DIFFERENT, UNDECIDED

MOST_ROWS = 40


def write_markdown(found: ComparedSides, path: Path) -> Path:
    """Write what a comment on a pull request shows. Raises UserError if it cannot be written."""
    return whole_file.write(path, as_markdown(found))


def as_markdown(found: ComparedSides) -> str:
    """One line of verdict, a table with intervals, what to do next, and folded details."""
    lines = [f"### Training time: {words.finding(found, markdown)}", ""]
    if context := words.context(found):
        lines += [
            f"{markdown(context)}, {markdown(found.second)} against {markdown(found.first)}:",
            "",
        ]
    lines += ["| what | change | 95 % interval | verdict |", "| --- | ---: | :---: | --- |"]
    for one in found.comparisons[:MOST_ROWS]:
        told = words.word(one)
        strong = f"**{told}**" if one.verdict == DIFFERENT else told
        lines.append(_row(words.name(one.label, found), one.ratio, strong))
    if len(found.comparisons) > MOST_ROWS:
        lines += ["", f"and {len(found.comparisons) - MOST_ROWS} more"]
    # Half a command is none.
    steps = words.next_steps(found, partial(markdown, longest=LONGEST_LINE))
    if steps:
        lines += ["", "**Next:** " + " ".join(steps)]
    lines += ["", "<details><summary>How it was measured</summary>", ""]
    lines += [f"- {one}" for one in words.measured(found, markdown)]
    if found.others:
        lines += ["", "Measured besides, and not judged:", ""]
        lines += ["| what | change | 95 % interval |", "| --- | ---: | :---: |"]
        lines += [
            _row(words.name(label, found), ratio)
            for label, ratio in list(found.others.items())[:MOST_ROWS]
        ]
    lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _row(what: str, ratio: Estimate, *more: str) -> str:
    span = intervals.span(ratio, CHANGE) or MISSING
    cells = [markdown(what), CHANGE.number(ratio.value), span, *more]
    return f"| {' | '.join(cells)} |"


def write_junit(found: ComparedSides, path: Path, *, require_decision: bool) -> Path:
    """Write a test suite: a test for each comparison, and one for the numbers.

    What is slower has failed; what is not decided is skipped, or has failed where a decision is
    required. Raises UserError if it cannot be written.
    """
    suite = ElementTree.Element("testsuite", name="nnbench compare")
    counts = {"tests": 0, "failures": 0, "skipped": 0}

    def add(name: str, kind: str | None, message: str) -> None:
        counts["tests"] += 1
        test = ElementTree.SubElement(suite, "testcase", classname="nnbench", name=printable(name))
        if kind is None:
            return
        counts["failures" if kind == "failure" else kind] += 1
        ElementTree.SubElement(test, kind, message=printable(message))

    for one in found.comparisons:
        size = intervals.sentence(one.ratio, CHANGE)
        message = f"{words.word(one)}: {size} with {found.second} against {found.first}"
        open_kind = "failure" if require_decision else "skipped"
        kind = "failure" if one.is_slower else open_kind if one.verdict == UNDECIDED else None
        add(one.label, kind, message)
    if found.other_numbers is not None:
        told = f"{', '.join(found.other_numbers)}: other numbers from the same seed"
        add("the same numbers", "failure" if found.other_numbers else None, told)
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    text = ElementTree.tostring(suite, encoding="unicode")
    return whole_file.write(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')
