"""Read a table's file into rows of text; every complaint names the line and the mend."""

import csv
import difflib
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.workload.datasets import column, file_text, workbook
from nnbench.workload.datasets.classes import listed, shown
from nnbench.workload.datasets.column import Numbers

Column = npt.NDArray[np.float64]
LARGEST = float(np.finfo(np.float32).max)
SHOWN_NAMES = 20
SNIFFED = 100
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "spaces"}
NAMELESS = re.compile(r"(Unnamed: \d+)?")
"""What a column without a name is called, by a spreadsheet and by pandas."""

Rows = list[list[str]]


@dataclass(frozen=True)
class Table:
    """Text by row and column, the line on which each row ends, and notes of how it was read."""

    file: str
    names: tuple[str, ...]
    rows: Rows
    lines: list[int]
    separator: str = ","
    notes: tuple[str, ...] = ()

    def listed(self) -> str:
        """The columns' names in one line, the first ones if they are many."""
        return listed([name for name in self.names if name], SHOWN_NAMES)

    @cached_property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The text of each column that has a name."""
        cells = zip(self.names, zip(*self.rows, strict=True), strict=True)
        return {name: texts for name, texts in cells if name}

    @cached_property
    def mark(self) -> str:
        """The decimal mark that the columns prove, or nothing."""
        return column.mark_of(self.columns.values())

    def require(self, names: Sequence[str]) -> None:
        """Raise UserError, with the nearest name, for a column that is not there."""
        for name in names:
            if name not in self.columns:
                known = {one.casefold(): one for one in self.columns}
                near = difflib.get_close_matches(name.casefold(), known, n=1)
                hint = f"; did you mean '{known[near[0]]}'?" if near else ""
                raise UserError(
                    f"{self.file} has no column '{name}': its columns are {self.listed()}{hint}"
                )

    def read(self, name: str) -> Numbers:
        """A column as far as it holds numbers."""
        return column.read(self.columns[name], lambda: self.mark, self.separator)

    def check(self, name: str, numbers: Numbers) -> None:
        """Raise UserError for the first cell that is no finite float32 number, nor missing."""
        where = f"{self.file}, column '{name}'"
        if numbers.doubt:
            one, other = numbers.doubt.replace(",", ""), numbers.doubt.replace(",", ".")
            raise UserError(f"{where}: '{numbers.doubt}' may be {one} or {other}; write it so")
        wrong = np.flatnonzero(~(np.abs(numbers.values) <= LARGEST) & ~numbers.missing)
        if wrong.size:
            self.refuse(name, int(wrong[0]))

    def refuse(self, name: str, row: int) -> None:
        """Raise UserError for a cell."""
        where = f"{self.file}, line {self.lines[row]}, column '{name}'"
        raise UserError(f"{where}: {_complaint(self.columns[name][row])}")


def read(path: Path, *, header: Sequence[str] | None = None) -> Table:
    """Read a CSV file or workbook; without `header` its first line holds the column names.

    Commas, semicolons, tabs, pipes or spaces separate its cells. Raises UserError for an unreadable
    file or header, a row of odd length, or fewer than two rows.
    """
    file, raw = str(path), file_text.contents(path)
    if file_text.is_workbook(raw):
        separator = ","
        rows, notes = workbook.rows(path, raw)
        lines = list(range(1, len(rows) + 1))
    else:
        text, notes = file_text.decoded(path, file_text.unpacked(path, raw))
        lines, rows, separator = _records(file, text)
        if separator != ",":
            notes.append(f"separated by {SEPARATORS.get(separator, repr(separator))}")
    comments, lines, rows = _without_comments(lines, rows, header)
    kept = [place for place, row in enumerate(rows) if any(map(str.strip, row))]
    if len(kept) < len(rows):
        notes.append(f"blank rows left out: {len(rows) - len(kept)}")
        lines, rows = [lines[place] for place in kept], [rows[place] for place in kept]
    if not rows:
        raise UserError(f"{file} is empty: it needs a header line and rows of numbers below it")
    if header is None:
        header = [name.strip() for name in rows.pop(0)]
        del lines[0]
        if rows and all(len(row) == len(header) + 1 and row[-1].strip() for row in rows):
            header = ["", *header]  # As R writes names of rows.
        header = _checked_header(file, header)
    for line, row in zip(lines, rows, strict=True):
        while len(row) > len(header) and not row[-1].strip():
            row.pop()
        if len(row) != len(header):
            raise UserError(
                f"{file}, line {line} has {_count(len(row), 'cell')} where the header has "
                f"{_count(len(header), 'column')}: add or remove a {_single(separator)}"
            )
    if len(rows) < 2:
        found = "one row" if rows else "no row"
        raise UserError(f"{file} has {found} below its header: training needs at least two")
    if comments:
        notes.append(f"comment lines left out: {comments}")
    nameless = [f"column {place}" for place, name in enumerate(header, start=1) if not name]
    if nameless:
        notes.append(f"left out, for they have no name: {listed(nameless)}")
    return Table(file, tuple(header), rows, lines, separator, tuple(notes))


def looks_headerless(path: Path) -> bool:
    """Whether the first line of a CSV file holds numbers only."""
    text = file_text.read(path)[0]
    return _all_numbers(text.strip().partition("\n")[0].split(","))


def _records(file: str, text: str) -> tuple[list[int], Rows, str]:
    stated = re.match(r"\"?sep=([^\"\w\r\n])\"?\r?\n", text)
    text, first = (text[stated.end() :], 1) if stated else (text, 0)
    separator = stated[1] if stated else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), _Dialect(separator), strict=True)
    try:
        found = [(reader.line_num + first, row) for row in reader if row]
        return [line for line, _ in found], [row for _, row in found], separator
    except csv.Error as error:
        raise UserError(
            f"{file}, line {reader.line_num + first} is not CSV ({error}): "
            "save it as CSV with commas"
        ) from None


class _Dialect(csv.excel):
    def __init__(self, separator: str) -> None:
        self.delimiter = separator
        self.skipinitialspace = separator == " "
        super().__init__()


def _separator(text: str) -> str:
    """What splits most of the first lines into as many cells as the header, two at least.

    Where two do so equally well, it is the one that leaves more numbers.
    """

    def merit(separator: str) -> tuple[int, int]:
        try:
            reader = csv.reader(io.StringIO(text, newline=""), _Dialect(separator))
            rows = list(itertools.islice(filter(None, reader), SNIFFED))
            rows = [row for row in rows if not _is_comment(row)] or rows
        except csv.Error:
            return 0, 0
        width = len(rows[0]) if rows else 0
        alike = [row for row in rows if len(row) == width]
        if width < 2 or (separator == " " and len(alike) < len(rows)):
            return 0, 0
        decimal = (cell.strip().replace(",", ".") for row in alike for cell in row)
        return len(alike), sum(map(_is_number, decimal))

    return max(SEPARATORS, key=merit)


def _without_comments(
    lines: list[int], rows: Rows, header: Sequence[str] | None
) -> tuple[int, list[int], Rows]:
    """Rows without lines of comments, and how many there were.

    A line that begins with # is the header where rows of as many cells follow that hold numbers,
    as NumPy writes it; further down it is a row where it has as many cells as the header.
    """
    above = list(itertools.takewhile(_is_comment, rows))
    below = rows[len(above) :]
    named = False
    if above and below and header is None:
        first, *others = above[-1]
        names = [first.lstrip("# "), *others] if first.strip("# ") else others
        named = len(names) == len(below[0]) > 1 and any(map(_is_number, below[0]))
        below = [names, *below] if named else below
    width = len(header or (below[0] if below else ()))
    start = len(above) - named
    kept = [
        place for place, row in enumerate(below) if not (_is_comment(row) and len(row) != width)
    ]
    comments = start + len(below) - len(kept)
    return comments, [lines[start + place] for place in kept], [below[place] for place in kept]


def _is_comment(row: Sequence[str]) -> bool:
    return row[0].lstrip().startswith("#")


def _is_number(text: str) -> bool:
    return not np.isnan(column.plain(text))


def _all_numbers(cells: Sequence[str]) -> bool:
    return all(map(_is_number, cells))


def _checked_header(file: str, header: Sequence[str]) -> list[str]:
    if _all_numbers(header):
        raise UserError(
            f"{file} has no header: its first line holds numbers; put the column names above it"
        )
    names = ["" if NAMELESS.fullmatch(name) else name for name in header]
    for number, name in enumerate(names, start=1):
        if name and not name.isprintable():
            raise UserError(
                f"{file}, column {number} is called '{shown(name)}': rename it without line breaks"
            )
    for name, count in Counter(filter(None, names)).most_common(1):
        if count > 1:
            raise UserError(f"{file} has {count} columns called '{name}': rename all but one")
    return names


def _complaint(text: str) -> str:
    value, cell = column.plain(text.strip()), shown(text)
    if not cell:
        return "the cell is blank; fill it in or remove the row"
    if np.isinf(value) and "inf" in cell.lower():
        return f"'{cell}' is not finite; correct it or remove the row"
    if not np.isnan(value):
        return f"{cell} is too large for float32 (at most 3.4e38); use another unit"
    if cell.lower() in column.MISSING:
        return f"'{cell}' is a missing value; fill it in or remove the row"
    if cell.lower() in itertools.chain(*column.TRUTHS):
        return f"'{cell}' is not a number; write 1 or 0"
    return f"'{cell}' is not a number; correct it or leave the column out"


def _single(separator: str) -> str:
    return SEPARATORS.get(separator, "separators").removesuffix("s")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
