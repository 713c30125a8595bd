"""One file a tool: how its results become rows of the history."""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from nnbench.errors import DamageError
from nnbench.machine.fields import Field
from nnbench.machine.fingerprint import NO_ANSWERS
from nnbench.show.text import encodable

BYTES = "B"
LARGEST_VALUE, LONGEST_S, SHORTEST_S = 1e30, 1e9, 1e-15
"""What is beyond these is no measurement."""
FIRST_NAME = re.compile(rb'\s*\{\s*"(\w+)"')


class Row(NamedTuple):
    """One measurement of one benchmark at one commit, as its tool tells it.

    `environment` names everything but the host that must be equal for values to be compared.
    `value` is in `unit` (seconds, bytes, or a tracked figure's own), `log_error` the standard
    error of its logarithm. `session` is equal in copies of one measurement, `noisy` the share of
    its blocks in which the noise watch saw something, `pace_s` the seconds that this machine took
    then for 1 GFLOP of a matrix product. What is not known is NaN. `cpu` is the CPU's model and
    count, empty where nobody knows, and `software` the part of `environment` that no machine
    decides: what must be equal where machines of one kind count as one host.
    """

    source: str
    host: str
    environment: str
    commit: str
    date: datetime
    benchmark: str = ""
    case: str = ""
    version: str = ""
    unit: str = "s"
    value: float = math.nan
    log_error: float = math.nan
    samples: int = 1
    launches: int = 1
    interleaved: bool = False
    session: str = ""
    noisy: float = math.nan
    pace_s: float = math.nan
    digest: str = ""
    cpu: str = ""
    software: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file, or a part of one, that is not in the table, and why."""

    place: str
    reason: str


def begins_with(path: Path, name: str) -> bool:
    """Whether a file looks like a mapping whose first name is this one."""
    try:
        with path.open("rb") as file:
            found = FIRST_NAME.match(file.read(200)) if path.is_file() else None
    except OSError:
        return False
    return found is not None and found[1] == name.encode()


def commit_of(field: Field) -> str:
    """A commit's hash, in full or cut."""
    found = field.text()
    if not re.fullmatch(r"[0-9a-f]{7,64}", found):
        field.refuse("names no commit")
    return found


def said(field: Field) -> str:
    """A text that says something: what nobody knows of two measurements is not equal in them."""
    found = field.text()
    if found.strip().lower() in NO_ANSWERS:
        field.refuse("says nothing")
    return encodable(found)


def word(field: Field) -> str:
    """What a tool tells of an environment: a text, or a number as it stands; empty for null."""
    is_number = isinstance(field.value, int | float)
    return f"{field.number():.17g}" if is_number else field.text("")


def cpu_of(model: str, count: object) -> str:
    """A CPU in words; empty unless its model is known."""
    known = model.strip().lower() not in NO_ANSWERS
    return " ".join(filter(None, [model, f"x {count}" if count else ""])) if known else ""


def joined(parts: Iterable[str]) -> str:
    """Texts with commas between them; two lines are equal only if all their texts are."""
    return ", ".join(repr(part) if ", " in part else part for part in parts)


def if_known(field: Field, most: float = LARGEST_VALUE) -> float:
    """A number from 0; NaN for anything else that may stand there."""
    try:
        return field.number(least=0, most=most)
    except DamageError:
        return math.nan


def digest(plain: Any) -> str:
    """Equal exactly for equal records."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
