"""Measurements over commits: one table of what asv, pytest-benchmark and our own runs wrote.

`table` reads them, `series` takes one benchmark of one host out of it, `alarms` finds the commits
that changed it, `check` does so for all, `words` tells it. `record` measures commits in turn,
`bisect` halves a range.
"""

import re
from pathlib import Path

from nnbench.errors import UserError

REMARKS = Path("nnbench-history.json")


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression. Raises UserError for what is none."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as failure:
        raise UserError(f"'{text}' is no regular expression: {failure}") from failure
