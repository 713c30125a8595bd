"""What a network costs and why: a model fitted to measurements, and what follows from it.

`terms` counts what a case consists of, `surrogate` and `model` turn timings into a cost model,
`calibration` chooses and times the architectures it is fitted on, `prediction` puts whole
trainings together, `questions` answers what people ask, `charts` draws it.
"""
