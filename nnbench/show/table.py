"""A table of figures: made once, shown in the terminal and on a page."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A figure, and below it in small its interval; `tone` is `good`, `best`, `warning` or `bad`.

    On a page `value` is what the cell is sorted by, and `key` names what it is made of.
    """

    text: str
    below: str = ""
    tone: str = ""
    value: float | None = field(default=None, compare=False)
    key: str = field(default="", compare=False)


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns.

    The first `texts` columns hold words, on the left, and may be folded; all others figures, on the
    right. A row of None is a line between two parts; the rows in `bold` are set off. Where a
    terminal is too narrow, columns of `spare` are left out, the first of them first. `series`
    numbers the networks that rows are about: on a page they have colour and sign of the charts.
    `all_with` is the option that keeps all columns.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell] | None]
    caption: str = ""
    texts: int = 1
    bold: frozenset[int] = frozenset()
    spare: Sequence[str] = ()
    series: Sequence[int | None] = ()
    all_with: str = ""


def text_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of words alone."""
    return Table(title, columns, [[Cell(text) for text in row] for row in rows], texts=len(columns))
