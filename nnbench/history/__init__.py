"""Measurements over commits: one table of what asv, pytest-benchmark and our own runs wrote.

`table` reads them, `series` takes one benchmark of one host out of it, `alarms` finds the commits
that changed it, `check` does so for all and tells continuous integration. `record` measures
commits in turn, `bisect` halves a range, `numerics` tells whether a commit changed results.
"""
