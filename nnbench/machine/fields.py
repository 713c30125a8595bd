"""Values of JSON files, checked where they are read.

    plain = fields.read(path)
    host = plain["fingerprint"]["host"].text()
    median_s = plain["stats"]["median"].number(above=0)
    rounds = plain["stats"]["rounds"].whole(1)

What is missing, or is not what was asked for, raises `DamageError`, which names the file and the
place in it; who reads a file catches it once. What is missing or null takes the default, which is
plain, too, where one is given. Nothing that was read is too deep to be written again, no name
stands twice in one mapping. Half a surrogate pair in a text becomes its escape, such as `\\ud800`;
one that stands for a byte of a file's name, as Python writes names that are not UTF-8, stays.
"""

import codecs
import json
import math
import re
import reprlib
import sys
import types
import typing
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from nnbench.errors import DamageError, first_line
from nnbench.machine import whole_file

MOST_DEPTH = 100
LARGEST = sys.float_info.max
LARGEST_WHOLE = 1 << 53
"""Beyond it a float64 skips whole numbers."""
LARGEST_MEASURED = 1e18
"""Nothing that is counted or timed comes near."""
YEARS = range(1700, 2200)
"""What a count of nanoseconds holds."""
BYTES_OF_NAMES = {chr(0xDC00 + byte) for byte in range(0x80, 0x100)}
PLAIN_NAME = re.compile(r"[\w.:/ \[\]-]{1,80}", re.ASCII)

NO_MAPPING = "is no mapping"

Record = TypeVar("Record")


@dataclass(slots=True)
class Field:
    """A value of a file, and where it stands there; None is what is missing or null.

    `at` is its place as text, or its parent with its name or number there: hundreds of thousands
    of values are looked at, and the places of nearly all are never told.
    """

    value: Any
    file: str
    at: "str | tuple[Field, str | int]" = ""

    @property
    def place(self) -> str:
        """Where it stands, such as `samples_s.step[3]`."""
        if isinstance(self.at, str):
            return self.at
        parent, name = self.at
        if isinstance(name, int):
            return f"{parent.place}[{name}]"
        shown = name if PLAIN_NAME.fullmatch(name) else reprlib.repr(name)
        return f"{parent.place}.{shown}" if parent.place else shown

    def __getitem__(self, name: str) -> Self:
        """A member of a mapping; of what is missing, nothing."""
        # Nearly all is as it should be, and passed on at once; so in `text`.
        known = self.value if type(self.value) is dict else self._of_type(dict, NO_MAPPING, {})
        return type(self)(known.get(name), self.file, (self, name))

    def text(self, default: str | None = None) -> str:
        """A text."""
        if type(self.value) is str:
            return self.value
        found: str = self._of_type(str, "is no text", default)
        return found

    def number(
        self,
        default: float | None = None,
        *,
        least: float = -LARGEST,
        above: float = -math.inf,
        most: float = LARGEST,
    ) -> float:
        """A finite number within these bounds; true and false are none."""
        found = self._of_type((int, float), "is no number", default)
        # Compared before it is converted: a whole number of 400 digits is no float.
        if not least <= found <= most or found <= above:
            bounds = {"from": least, "above": above, "up to": most}
            told = [f"{word} {one:g}" for word, one in bounds.items() if abs(one) < LARGEST]
            self.refuse(f"is no number {' '.join(told) or 'that is finite'}")
        return float(found)

    def whole(
        self, default: int | None = None, *, least: int = 0, most: int = LARGEST_WHOLE
    ) -> int:
        """A whole number within these bounds."""
        found = self.number(default, least=least, most=most)
        if not found.is_integer():
            self.refuse("is no whole number")
        return int(found)

    def flag(self, default: bool | None = None) -> bool:
        """True or false."""
        found: bool = self._of_type(bool, "is neither true nor false", default)
        return found

    def moment(self) -> datetime:
        """A moment as ISO 8601 writes it, in UTC unless it says otherwise."""
        try:
            found = datetime.fromisoformat(self.text())
        except ValueError:
            self.refuse("is no moment")
        if found.year not in YEARS:
            self.refuse("is no moment of our time")
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def entries(self, default: Sequence[Any] | None = None) -> list[Self]:
        """The entries of a list."""
        found = self._of_type(list, "is no list", default)
        return [type(self)(one, self.file, (self, place)) for place, one in enumerate(found)]

    def check_numbers(self, *, above: float, most: float) -> None:
        """Raise DamageError unless this is a list of finite numbers within these bounds."""
        found = self._of_type(list, "is no list")
        # Most of what a run's file holds: the place of each is made only where one is refused.
        if not are_numbers(found, above=above, most=most):
            for one in self.entries():
                one.number(above=above, most=most)

    def members(self, default: Mapping[str, Any] | None = None) -> dict[str, Self]:
        """The members of a mapping by their names."""
        found = self._of_type(dict, NO_MAPPING, default)
        return {name: type(self)(one, self.file, (self, name)) for name, one in found.items()}

    def record(self, kind: type[Record], **made: Any) -> Record:
        """A dataclass of a mapping's members; `made` are values that are not taken from there."""
        hints, given = typing.get_type_hints(kind), self.members()
        found = dict(made)
        for name, one in given.items():
            if name not in hints:
                raise DamageError(self.file, f"{one.place} is not known")
            if name not in made:
                if not fits(one.value, hints[name]):
                    wanted = getattr(hints[name], "__name__", hints[name])
                    one.refuse(f"is not of the type {wanted}")
                found[name] = one.value
        for field in fields_of(kind):  # type: ignore[arg-type]
            if field.name not in found and field.default is MISSING:
                self[field.name].refuse("is missing")
        return kind(**found)

    def refuse(self, why: str) -> NoReturn:
        """Raise `DamageError` for this value, which `why` follows: `is no number`."""
        if self.value is None:
            raise DamageError(self.file, f"{self.place or 'its content'} is missing")
        raise DamageError(self.file, f"{self.place or 'it'} {why}: {reprlib.repr(self.value)[:60]}")

    def _of_type(self, kind: Any, otherwise: str, default: Any = None) -> Any:
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, kind) or (isinstance(self.value, bool) and kind is not bool):
            self.refuse(otherwise)
        return self.value


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type: text, a number, true or false, None, or a union of them."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return any(fits(value, one) for one in typing.get_args(hint))
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint in (int, float) and isinstance(value, int | float):
        return (hint is float or isinstance(value, int)) and abs(value) <= LARGEST_MEASURED
    return isinstance(value, hint)


def are_numbers(found: object, *, above: float, most: float) -> bool:
    """Whether something is a list of floats within these bounds."""
    if type(found) is not list:
        return False
    return all(type(one) is float and above < one <= most for one in found)


def read(path: Path) -> Field:
    """The JSON in a file. Raises `DamageError`, for a file that is missing, too."""
    return parse(whole_file.read(path), path)


def parse(content: bytes, file: object) -> Field:
    """JSON of what `DamageError` calls `file`."""
    try:
        # What begins so is UTF-8, as nearly all is.
        is_utf8 = content.startswith(b'{"')
        text = content.decode("utf-8" if is_utf8 else json.detect_encoding(content))
        plain = _DECODER.decode(text)
        if "\\u" in text:
            encoded = json.dumps(plain, ensure_ascii=False).encode(errors="nnbench_halves")
            plain = _DECODER.decode(encoded.decode())
    except RecursionError as failure:
        raise DamageError(file, "it is nested too deep") from failure
    except _TwiceError as failure:
        raise DamageError(file, f"{failure} stands twice in one mapping") from None
    except ValueError as failure:
        raise DamageError(file, f"it is no JSON: {first_line(failure)[:100]}") from failure
    # Most of what is read has too few brackets to be deep.
    if text.count("[") + text.count("{") > MOST_DEPTH and _depth(plain) > MOST_DEPTH:
        raise DamageError(file, "it is nested too deep")
    return Field(plain, str(file))


def _halves(failure: UnicodeError) -> tuple[str, int]:
    """What stands in JSON for halves of surrogate pairs: all but bytes of names are shown."""
    assert isinstance(failure, UnicodeEncodeError)
    part = failure.object[failure.start : failure.end]
    shown = ("\\" if one in BYTES_OF_NAMES else "\\\\" for one in part)
    told = (f"{slash}u{ord(one):04x}" for slash, one in zip(shown, part, strict=True))
    return "".join(told), failure.end


codecs.register_error("nnbench_halves", _halves)


class _TwiceError(Exception):
    """A name that a mapping has twice."""


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _TwiceError(reprlib.repr(twice))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_mapping)


def _depth(plain: Any) -> int:
    depth, level = 0, [plain]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        inside = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for each in inside for one in each]
    return depth
