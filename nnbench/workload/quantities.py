"""Times and shares as people type them: `5min`, `90`, `2%`."""

import math
import re

from nnbench.errors import UserError

SECONDS = {"ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def parse_seconds(text: str) -> float:
    """A time in seconds from `90`, `90s`, `5min` or `1h`. Raises UserError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|)\s*", text)
    if not match:
        raise UserError(f"'{text}' is not a time: write 90s, 5min or 1h")
    return float(match[1]) * SECONDS[match[2]]


def parse_share(text: str) -> float:
    """A fraction from `2%` or `0.02`. Raises UserError for anything else."""
    stripped = text.strip()
    try:
        value = float(stripped.removesuffix("%")) / (100 if stripped.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise UserError(f"'{text}' is not a share between 0 and 1: write 2% or 0.02")
    return value
