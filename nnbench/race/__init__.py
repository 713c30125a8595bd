"""Accuracy is part of the choice: loss against wall-clock, and time to a target loss.

`outcome` reads the curves of a run and answers; `charts` draws them, `telling` and `page` put
them before a person. The trainings are a run like any other, one launch a seed.
"""
