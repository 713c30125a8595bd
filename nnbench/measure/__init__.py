"""Timing: what a worker process does, and how the parent schedules workers."""
