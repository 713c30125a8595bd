"""Measurements over commits: one table of what asv, pytest-benchmark and our own runs wrote.

`table` reads them, `series` takes one benchmark of one host out of it, `alarms` finds the commits
that changed it, `check` does so for all, `words` tells it. `record` measures commits in turn,
`bisect` halves a range.
"""

from pathlib import Path

REMARKS = Path("nnbench-history.json")
