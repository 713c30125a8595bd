"""What a network costs and why: a model fitted to measurements, and what follows from it.

`terms` counts what a case consists of, `model` turns the timings of a phase into coefficients,
`prediction` puts whole trainings together. `design` says what to time, `calibration` times it in a
`setting`, `saved` reads it back. `questions` and `advice` answer in a `context`, `answers` all at
once; `verification` times what was advised.
"""
