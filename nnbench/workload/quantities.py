"""Numbers, times and shares as people type them: `5min`, `90`, `2%`; and what they may be."""

import math
import re

from nnbench.errors import UserError

SECONDS = {"ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}

MOST_SECONDS = 1_000_000
"""11 days: no operating system has to wait longer than the 24 that each can be asked for."""

LEAST_SHARE = 1e-6

MOST_SEED = 2**32 - 1000
"""Backends take 32 bits, and further seeds are counted from one that is given."""

MOST_ROWS, MOST_FEATURES = 10**9, 10**6


def check(what: str, value: float | None, least: float, most: float) -> None:
    """Raise UserError for a number that is given and not from `least` to `most`, such as NaN."""
    if value is not None and not least <= value <= most:
        raise UserError(f"{value} is no {what}: it goes from {least:,} to {most:,}")


def parse_seconds(text: str) -> float:
    """A time above 0 in seconds from `90`, `90s`, `5min` or `1h`; UserError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|)\s*", text)
    if not match:
        raise UserError(f"'{text}' is not a time: write 90s, 5min or 1h")
    found = float(match[1]) * SECONDS[match[2]]
    if not 0 < found <= MOST_SECONDS:
        raise UserError(f"'{text}' is no time: it is above 0 and at most {MOST_SECONDS:,} s")
    return found


def parse_share(text: str) -> float:
    """A fraction from `2%` or `0.02`. Raises UserError for anything else."""
    stripped = text.strip()
    try:
        value = float(stripped.removesuffix("%")) / (100 if stripped.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise UserError(f"'{text}' is not a share between 0 and 1: write 2% or 0.02")
    if value < LEAST_SHARE:
        raise UserError(f"'{text}' is too small a share: no timing is better than {LEAST_SHARE:%}")
    return value
