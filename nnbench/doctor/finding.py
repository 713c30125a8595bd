"""One thing looked at on this machine."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

OK, NOTE, PROBLEM = "ok", "note", "problem"
LEVELS = (PROBLEM, NOTE, OK)


@dataclass(frozen=True)
class Finding:
    """What was looked at and found, and what to change; a `note` may be wanted or past mending."""

    subject: str
    level: str
    found: str
    advice: str = ""


def text_of(path: Path) -> str:
    """What a small file of the system says; nothing where it is not there."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""
