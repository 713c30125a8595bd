"""The cells of a column as numbers, in whichever way of writing all of them keep to."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MISSING = frozenset(("", "-", "?", "na", "n/a", "#n/a", "nan", "null", "none"))
TRUTHS = (("false", "true"), ("no", "yes"))
SAMPLE = 1000

_UNIT = re.compile(r"([+-]?)\s*([$€£¥₹]?)\s*(.*?)\s*([$€£¥₹%]?)", re.DOTALL)
_APART = " '’\u00a0\u202f"
_POINT = re.compile(rf"[+-]?[1-9]\d{{0,2}}([,{_APART}])\d{{3}}(?:\1\d{{3}})*(?:\.\d*)?")
_COMMA = re.compile(
    rf"[+-]?(?:[1-9]\d{{0,2}}([.{_APART}])\d{{3}}(?:\1\d{{3}})*(?:,\d*)?|\d*,?\d+|\d+,)(?:[eE][+-]?\d+)?"
)


@dataclass(frozen=True)
class Numbers:
    """Values, NaN where a cell is missing or no number, and how they were taken.

    `doubt` is a cell of two meanings, of which nothing in the file tells the right one.
    """

    values: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    note: str = ""
    doubt: str = ""

    @property
    def wrong(self) -> npt.NDArray[np.intp]:
        """Rows whose cell is there, and no number."""
        return np.flatnonzero(np.isnan(self.values) & ~self.missing)

    @property
    def is_text(self) -> bool:
        """Whether something is there, and nothing of it a number."""
        return bool(np.isnan(self.values).all()) and not self.missing.all()


def read(cells: Sequence[str], mark: Callable[[], str] = str, separator: str = ",") -> Numbers:
    """A column's cells as numbers.

    `mark` gives the decimal mark of the file's other columns, or "". Where a comma may be either,
    it parts thousands in a file that commas separate, and is in doubt in any other.
    """
    texts = [cell.strip() for cell in cells]
    values = np.array(list(map(plain, texts)))
    if not (
        np.isnan(values).any() or (any("." in text for text in texts) and _fits(_comma, texts))
    ):
        return Numbers(values, np.zeros(len(texts), dtype=bool))
    missing = np.array([text.lower() in MISSING for text in texts], dtype=bool)
    there = [text for text, empty in zip(texts, missing, strict=True) if not empty]

    def taken(values: Iterable[float], note: str = "", doubt: str = "") -> Numbers:
        found = np.full(len(texts), math.nan)
        found[~missing] = list(values)
        return Numbers(found, missing, note, doubt)

    lower = {text.lower() for text in there[:SAMPLE]}
    for no, yes in TRUTHS:
        if lower and lower <= {no, yes} and {*map(str.lower, there)} <= {no, yes}:
            return taken((float(text.lower() == yes) for text in there), f"{no} as 0, {yes} as 1")
    unit, bare = _without_unit(there)
    notes = [f"without {unit}"] if unit else []
    ways = [way for way in (plain, _point, _comma) if _fits(way, bare)]
    doubt = ""
    if ways == [_comma] and not any("," in text for text in bare) and mark() != ",":
        ways = []  # Addresses and versions have dots, too.
    if not ways:
        return Numbers(np.where(missing, math.nan, values), missing)
    if _comma in ways and len(ways) > 1 and any("." in text or "," in text for text in bare):
        usual = mark()
        if usual == ",":
            ways = [_comma]
        elif ways[0] is _point and not usual and separator != ",":
            doubt = next(text for text in bare if "," in text)
        elif ways[0] is plain and not usual and separator == ";":
            notes.append("dots taken as decimal")
    if ways[0] is _comma and any("," in text for text in bare):
        notes.append("decimal commas")
    if ways[0] is not plain and any(_is_grouped(ways[0], text) for text in bare):
        notes.append("marks of thousands dropped")
    return taken(map(ways[0], bare), ", ".join(notes), doubt)


def text(cells: Sequence[str]) -> Numbers:
    """A column of texts: zeros, and which are missing. `none` is a text beside others."""
    missing = np.array([cell.strip().lower() in MISSING - {"none", "-"} for cell in cells], bool)
    return Numbers(np.where(missing, math.nan, 0.0), missing)


def mark_of(columns: Iterable[Sequence[str]]) -> str:
    """The decimal mark that columns prove, "" where none does or they contradict each other."""
    marks = {_proved(cells[:SAMPLE]) for cells in columns} - {""}
    return marks.pop() if len(marks) == 1 else ""


def plain(text: str) -> float:
    """A number as programs write it, else NaN."""
    # Python's own 1_000 is no number in a file.
    if "_" in text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


def _proved(cells: Sequence[str]) -> str:
    there = [text for text in map(str.strip, cells) if text.lower() not in MISSING]
    bare = _without_unit(there)[1]
    point, comma = _fits(plain, bare) or _fits(_point, bare), _fits(_comma, bare)
    if point == comma:
        return ""
    mark = "." if point else ","
    return mark if any(mark in text for text in bare) else ""


def _without_unit(there: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The sign of a currency or % that every cell bears, and the cells without it."""
    cells = [text.replace("\u2212", "-") for text in there]
    first = _UNIT.fullmatch(cells[0]) if cells else None
    unit = first[2] + first[4] if first else ""
    parts = [match.groups() for match in map(_UNIT.fullmatch, cells if unit else ()) if match]
    if not unit or any(before + after != unit for _, before, _, after in parts):
        return "", cells
    return unit, [sign + number for sign, _, number, _ in parts]


def _fits(way: Callable[[str], float], texts: Sequence[str]) -> bool:
    return all(not math.isnan(way(text)) for text in texts)


def _is_grouped(way: Callable[[str], float], text: str) -> bool:
    match = (_POINT if way is _point else _COMMA).fullmatch(text)
    return bool(match and match[1])


def _point(text: str) -> float:
    match = _POINT.fullmatch(text)
    return plain(text.replace(match[1], "") if match else text)


def _comma(text: str) -> float:
    match = _COMMA.fullmatch(text)
    if match is None:
        return math.nan
    return plain(text.replace(match[1] or " ", "").replace(",", "."))
