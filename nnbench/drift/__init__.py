"""Reproducibility: how far two trainings that should agree are apart, why, and what mends it."""
