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
from nnbench.workload.datasets.column import Numbers
from nnbench.workload.datasets.dataset import LARGEST, TOO_LARGE
from nnbench.workload.datasets.words import listed, shown

Column = npt.NDArray[np.float64]
SHOWN_NAMES = 20
SNIFFED = 100
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "spaces"}
NAMELESS = re.compile(r"(Unnamed: \d+)?")
"""What a column without a name is called, by a spreadsheet and by pandas."""

Records = list[tuple[int, list[str]]]
"""Rows of text, each with the line on which it ends."""


@dataclass(frozen=True)
class Table:
    """Text by row and column, the line on which each row ends, and notes of how it was read."""

    file: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
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
    file = str(path)
    records, separator, notes = _contents(path)
    filled = _filled(records, notes)
    if not filled:
        raise UserError(f"{file} is empty: it needs a header line and rows of numbers below it")
    names = list(header) if header else _header(file, filled)
    _check_widths(file, filled, len(names), separator)
    if len(names) == 1 and (odd := re.search(r"[\^:~;|&!]", names[0])):
        raise UserError(
            f"{file} has one column, called '{shown(names[0])}': separate its cells by commas, "
            f"not by '{shown(odd[0])}'"
        )
    if len(filled) < 2:
        told = "one row" if filled else "no row"
        raise UserError(f"{file} has {told} below its header: training needs at least two")
    if nameless := [f"column {place}" for place, name in enumerate(names, start=1) if not name]:
        notes.append(f"left out, for they have no name: {listed(nameless)}")
    lines, cells = zip(*filled, strict=True)
    return Table(file, tuple(names), cells, lines, separator, tuple(notes))


def looks_headerless(path: Path) -> bool:
    """Whether the first line of a CSV file holds numbers only."""
    text = file_text.read(path)[0]
    return _all_numbers(text.strip().partition("\n")[0].split(","))


def _contents(path: Path) -> tuple[Records, str, list[str]]:
    """All rows of a file, what separates their cells, and notes of how it was read."""
    raw = file_text.contents(path)
    if file_text.is_workbook(raw):
        found, notes = workbook.rows(path, raw)
        return list(enumerate(found, start=1)), ",", notes
    text, notes = file_text.decoded(path, file_text.unpacked(path, raw))
    records, separator = _records(str(path), text)
    if separator != ",":
        notes.append(f"separated by {SEPARATORS.get(separator, repr(separator))}")
    return records, separator, notes


def _filled(records: Records, notes: list[str]) -> Records:
    """The rows that are no comment and not blank; what is left out is noted."""
    width = next((len(row) for _, row in records if not _is_comment(row)), 0)
    rows = [one for one in records if len(one[1]) == width or not _is_comment(one[1])]
    filled = [one for one in rows if any(map(str.strip, one[1]))]
    if comments := len(records) - len(rows):
        notes.append(f"comment lines left out: {comments}")
    if blank := len(rows) - len(filled):
        notes.append(f"blank rows left out: {blank}")
    return filled


def _header(file: str, filled: Records) -> list[str]:
    """The columns' names, which are taken off the rows."""
    names = [name.strip() for name in filled.pop(0)[1]]
    names[0] = names[0].lstrip("# ")
    return _checked_header(file, [""] * _row_names(names, filled) + names)


def _check_widths(file: str, filled: Records, width: int, separator: str) -> None:
    """Raise UserError for a row of another width than the header's; blank ends are cut off."""
    for line, row in filled:
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) != width:
            mend = f"add or remove a {_single(separator)}"
            if width == 1:
                mend = "remove what stands above the line of column names, such as a title"
            raise UserError(
                f"{file}, line {line} has {_count(len(row), 'cell')} where the header has "
                f"{_count(width, 'column')}: {mend}"
            )


def _records(file: str, text: str) -> tuple[Records, str]:
    stated = re.match(r"\"?sep=([^\"\w\r\n])\"?\r?\n", text)
    text, first = (text[stated.end() :], 1) if stated else (text, 0)
    separator = stated[1] if stated else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), _Dialect(separator), strict=True)
    try:
        return [(reader.line_num + first, row) for row in reader if row], separator
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


def _row_names(header: Sequence[str], records: Records) -> bool:
    """Whether each row begins with its name or number, for which R writes no name above."""
    longer = all(len(row) == len(header) + 1 and row[-1].strip() for _, row in records)
    if not records or not longer:
        return False
    first = [row[0].strip() for _, row in records]
    numbers = any(list(map(str, range(start, start + len(first)))) == first for start in (0, 1))
    return numbers or not any(map(_is_number, first))


def _is_comment(row: Sequence[str]) -> bool:
    """Whether a row looks like one; with as many cells as the others it is none."""
    return row[0].lstrip().startswith("#")


def _is_number(text: str) -> bool:
    return not np.isnan(column.plain(text))


def _all_numbers(cells: Sequence[str]) -> bool:
    return all(map(_is_number, cells))


def _checked_header(file: str, header: Sequence[str]) -> list[str]:
    # Whole numbers may be names, as those that pandas gives.
    if _all_numbers(header) or any(_is_number(name) and not name.isalnum() for name in header):
        raise UserError(
            f"{file} has no header: its first line holds numbers; put the column names above it"
        )
    names = ["" if NAMELESS.fullmatch(name) else name for name in header]
    for number, name in enumerate(names, start=1):
        if name and not name.isprintable():
            odd = next(one for one in name if not one.isprintable())
            raise UserError(
                f"{file}, column {number} is called '{shown(name)}': rename it without {odd!a}"
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
        return f"{cell} is {TOO_LARGE}"
    if cell.lower() in column.MISSING:
        return f"'{cell}' is a missing value; fill it in or remove the row"
    if cell.lower() in itertools.chain(*column.TRUTHS):
        return f"'{cell}' is not a number; write 1 or 0"
    return f"'{cell}' is not a number; correct it or leave the column out"


def _single(separator: str) -> str:
    return SEPARATORS.get(separator, "separators").removesuffix("s")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
