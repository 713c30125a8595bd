"""Statistics: estimates with intervals, verdicts, summaries of runs."""
