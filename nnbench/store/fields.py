"""Values of JSON files, checked where they are read.

    plain = fields.read(path)
    host = plain["fingerprint"]["host"].text()
    median_s = plain["stats"]["median"].number(above=0)
    rounds = plain["stats"]["rounds"].whole(1)

What is missing, or is not what was asked for, raises `DamageError`, which names the file and the
place in it; who reads a file catches it once. What is missing or null takes the default, where one
is given. Nothing that was read is too deep to be written again, no name stands twice in one
mapping. Half a surrogate pair in a text becomes its escape, such as `\\ud800`; one that stands for
a byte of a file's name, as Python writes names that are not UTF-8, stays as it is.
"""

import codecs
import json
import math
import re
import reprlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Self

from nnbench.errors import UserError

MOST_DEPTH = 100
LARGEST = sys.float_info.max
LARGEST_WHOLE = 1 << 53
"""Beyond it a float64 skips whole numbers."""
YEARS = range(1700, 2200)
"""What a count of nanoseconds holds."""
BYTES_OF_NAMES = {chr(0xDC00 + byte) for byte in range(0x80, 0x100)}
PLAIN_NAME = re.compile(r"[\w.:/ \[\]-]{1,80}", re.ASCII)


class DamageError(UserError):
    """A file, or part of one, that cannot be used; `reason` does not name it."""

    def __init__(self, file: object, reason: str) -> None:
        """Of what is called `file`, such as `trials.jsonl, line 3`."""
        super().__init__(f"{file} cannot be used ({reason}): restore it or leave it out")
        self.file, self.reason = str(file), reason


@dataclass(frozen=True)
class Field:
    """A value of a file, and where it stands there; None is what is missing or null."""

    value: Any
    file: str
    place: str = ""

    def __getitem__(self, name: str) -> Self:
        """A member of a mapping; of what is missing, nothing."""
        known = {} if self.value is None else self._of_type(dict, "is no mapping")
        return self._inner(known.get(name), self._beneath(name))

    def text(self, default: str | None = None) -> str:
        """A text."""
        if self.value is None and default is not None:
            return default
        found: str = self._of_type(str, "is no text")
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
        if self.value is None and default is not None:
            return default
        found = self.value
        if isinstance(found, bool) or not isinstance(found, int | float):
            self.refuse("is no number")
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
        if self.value is None and default is not None:
            return default
        found = self.number(least=least, most=most)
        if not found.is_integer():
            self.refuse("is no whole number")
        return int(found)

    def flag(self, default: bool | None = None) -> bool:
        """True or false."""
        if self.value is None and default is not None:
            return default
        found: bool = self._of_type(bool, "is neither true nor false")
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

    def entries(self, default: Sequence[Self] | None = None) -> Sequence[Self]:
        """The entries of a list."""
        if self.value is None and default is not None:
            return default
        found = self._of_type(list, "is no list")
        return [self._inner(one, f"{self.place}[{place}]") for place, one in enumerate(found)]

    def members(self, default: Mapping[str, Self] | None = None) -> Mapping[str, Self]:
        """The members of a mapping by their names."""
        if self.value is None and default is not None:
            return default
        found = self._of_type(dict, "is no mapping")
        return {name: self._inner(one, self._beneath(name)) for name, one in found.items()}

    def refuse(self, why: str) -> NoReturn:
        """Raise `DamageError` for this value, which `why` follows: `is no number`."""
        if self.value is None:
            raise DamageError(self.file, f"{self.place or 'its content'} is missing")
        raise DamageError(self.file, f"{self.place or 'it'} {why}: {reprlib.repr(self.value)[:60]}")

    def _of_type(self, kind: type, otherwise: str) -> Any:
        if not isinstance(self.value, kind):
            self.refuse(otherwise)
        return self.value

    def _inner(self, value: Any, place: str) -> Self:
        return type(self)(value, self.file, place)

    def _beneath(self, name: str) -> str:
        shown = name if PLAIN_NAME.fullmatch(name) else reprlib.repr(name)
        return f"{self.place}.{shown}" if self.place else shown


def read(path: Path) -> Field:
    """The JSON in a file. Raises `DamageError`, for a file that is missing, too."""
    try:
        # A pipe or a device would be waited for.
        if path.exists() and not path.is_file():
            raise DamageError(path, "it is no file")
        content = path.read_bytes()
    except OSError as failure:
        raise DamageError(path, failure.strerror or type(failure).__name__) from failure
    return parse(content, path)


def parse(content: bytes, file: object) -> Field:
    """JSON of what `DamageError` calls `file`."""
    try:
        text = content.decode(json.detect_encoding(content))
        plain = json.loads(text, object_pairs_hook=_mapping)
        if "\\u" in text:
            encoded = json.dumps(plain, ensure_ascii=False).encode(errors="nnbench_halves")
            plain = json.loads(encoded, object_pairs_hook=_mapping)
    except RecursionError as failure:
        raise DamageError(file, "it is nested too deep") from failure
    except ValueError as failure:
        reason = str(failure).partition("\n")[0][:100]
        raise DamageError(file, f"it is no JSON: {reason}") from failure
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


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{reprlib.repr(twice)} stands twice in one mapping")
    return found


def _depth(plain: Any) -> int:
    depth, level = 0, [plain]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        inside = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for each in inside for one in each]
    return depth
