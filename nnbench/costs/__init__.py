"""What a network costs and why: a model fitted to measurements, and what follows from it.

`terms` counts what a case consists of, `model` turns a phase's timings into coefficients,
`prediction` puts trainings together. `calibration` times what `design` chose, `saved` reads it
back. `questions` and `advice` answer in a `context`, `answers` all at once.
"""
