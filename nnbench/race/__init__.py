"""Accuracy is part of the choice: loss against wall-clock, and time to a target loss."""
