"""Sentences and tables as GitHub's Markdown, for a comment on a pull request."""

import re

from nnbench.show.table import Cell, Table
from nnbench.show.text import LONGEST_CELL, markdown, printable

_OBEYED = re.compile(r"[@#]|://|www\.|[<>&]")
"""What begins a mention, a link or an element wherever it stands."""

_ESCAPED = re.compile(r"[\\`*_\[\]{}|~$]")


def prose(text: str) -> str:
    """A sentence as it is: no letter of it formats, and words that could be obeyed are code."""
    words = printable(text).split(" ")
    return " ".join(
        markdown(word) if _OBEYED.search(word) else _ESCAPED.sub(r"\\\g<0>", word) for word in words
    )


def table(shown: Table) -> str:
    """A table's title, header and rows; what stands below a figure comes after it."""
    lines = [f"**{prose(shown.title)}**", "", _line([prose(one) for one in shown.columns])]
    lines.append(_line(["---" if n < shown.texts else "---:" for n in range(len(shown.columns))]))
    lines += [_line([_cell(one, n < shown.texts) for n, one in enumerate(row)])
              for row in shown.rows if row is not None]  # fmt: skip
    return "\n".join([*lines, *(["", prose(shown.caption)] if shown.caption else [])])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(one: Cell, is_name: bool) -> str:
    text = markdown(one.text) if is_name else prose(printable(one.text, LONGEST_CELL))
    if not one.below:
        return f"**{text}**" if one.tone == "best" else text
    below = ", ".join(map(prose, one.below.split("\n")))
    text = f"**{text}**" if one.tone == "best" else text
    return f"{text} ({below})" if is_name else f"{text} [{below}]"
