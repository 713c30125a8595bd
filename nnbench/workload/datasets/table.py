"""Read a CSV file into columns of checked numbers; every complaint names the line and the mend."""

import csv
import difflib
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError

Column = npt.NDArray[np.float64]
LARGEST = float(np.finfo(np.float32).max)
SHOWN_NAMES = 20
SHOWN_LETTERS = 40


@dataclass(frozen=True)
class Table:
    """Text by row and column, and the line of the file on which each row ends."""

    file: str
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def listed(self) -> str:
        """The columns' names in one line, the first ones if they are many."""
        more = len(self.names) - SHOWN_NAMES
        first = ", ".join(self.names[:SHOWN_NAMES])
        return f"{first} and {more} more" if more > 0 else first

    def column(self, name: str) -> list[str]:
        """The text of a column."""
        position = self.names.index(name)
        return [row[position] for row in self.rows]

    def is_text(self, name: str) -> bool:
        """Whether a column holds something, and nothing of it is a number."""
        filled = [text for text in self.column(name) if text.strip()]
        return bool(filled) and all(np.isnan(_number(text)) for text in filled)

    def require(self, names: Sequence[str]) -> None:
        """Raise UserError, with the nearest name, for a column that is not there."""
        for name in names:
            if name not in self.names:
                near = difflib.get_close_matches(name, self.names, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise UserError(
                    f"{self.file} has no column '{name}': its columns are {self.listed()}{hint}"
                )

    def numbers(self, name: str) -> Column:
        """A column as float64, shape (rows,); UserError for what is no finite float32 number."""
        texts = self.column(name)
        values = np.array(list(map(_number, texts)))
        wrong = np.flatnonzero(~(np.abs(values) <= LARGEST))
        if wrong.size:
            first = wrong[0]
            where = f"{self.file}, line {self.lines[first]}, column '{name}'"
            raise UserError(f"{where}: {_complaint(texts[first])}")
        return values


def read(path: Path, *, header: Sequence[str] | None = None) -> Table:
    """Read a CSV file (UTF-8, commas); without `header` its first line holds the column names.

    Raises UserError for an unreadable file or header, a row of odd length, or fewer than two rows.
    """
    file = str(path)
    lines, rows = _records(file, read_text(path))
    if not rows:
        raise UserError(f"{file} is empty: it needs a header line and rows of numbers below it")
    if header is None:
        header = [name.strip() for name in rows.pop(0)]
        del lines[0]
        _check_header(file, header)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise UserError(
                f"{file}, line {line} has {_count(len(row), 'cell')} where the header has "
                f"{_count(len(header), 'column')}: add or remove a comma"
            )
    if len(rows) < 2:
        found = "one row" if rows else "no row"
        raise UserError(f"{file} has {found} below its header: training needs at least two")
    return Table(file, tuple(header), rows, lines)


def read_text(path: Path) -> str:
    """A file's text, without a byte order mark; UserError says why it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no file {path}: check its path") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name a CSV file in it") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start + 1} cannot be read): "
            "save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        mend = "check its path and permissions"
        raise UserError(f"{path} cannot be read ({reason}): {mend}") from None


def looks_headerless(text: str) -> bool:
    """Whether the first line of a CSV text holds numbers only."""
    first = text.strip().partition("\n")[0].split(",")
    return not np.isnan(list(map(_number, first))).any()


def _records(file: str, text: str) -> tuple[list[int], list[list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        found = [(reader.line_num, row) for row in reader if row]
        return [line for line, _ in found], [row for _, row in found]
    except csv.Error as error:
        raise UserError(
            f"{file}, line {reader.line_num} is not CSV ({error}): save it as CSV with commas"
        ) from None


def _check_header(file: str, header: Sequence[str]) -> None:
    if not np.isnan(list(map(_number, header))).any():
        raise UserError(
            f"{file} has no header: its first line holds numbers; put the column names above it"
        )
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise UserError(f"{file} is separated by {called}: save it as CSV with commas")
    for number, name in enumerate(header, start=1):
        if not name:
            raise UserError(
                f"{file}, column {number} has no name: name it in the first line "
                "(or, if it is a data frame's index, save with index=False)"
            )
        if not name.isprintable():
            raise UserError(
                f"{file}, column {number} is called '{_shown(name)}': rename it without line breaks"
            )
    name, count = Counter(header).most_common(1)[0]
    if count > 1:
        raise UserError(f"{file} has {count} columns called '{name}': rename all but one")


def _number(text: str) -> float:
    # Python's own 1_000 is no number in a CSV file.
    if "_" in text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


def _complaint(text: str) -> str:
    value, shown = _number(text), _shown(text)
    if not shown:
        return "the cell is blank; fill it in or remove the row"
    if math.isinf(value) and "inf" in shown.lower():
        return f"'{shown}' is not finite; correct it or remove the row"
    if not math.isnan(value):
        return f"{shown} is too large for float32 (at most 3.4e38); use another unit"
    if shown.lower().lstrip("+-") == "nan":
        return f"'{shown}' is a missing value; fill it in or remove the row"
    if shown.lower() in ("true", "false", "yes", "no"):
        return f"'{shown}' is not a number; write 1 or 0"
    return f"'{shown}' is not a number; correct it or leave the column out"


def _shown(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in text.strip())
    return printable if len(printable) <= SHOWN_LETTERS else printable[:SHOWN_LETTERS] + "..."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
