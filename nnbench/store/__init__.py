"""Runs on disk: one schema, append-only."""
