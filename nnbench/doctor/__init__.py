"""What this machine allows: its settings examined, and its noise floor measured."""

from nnbench.doctor.diagnosis import Diagnosis, as_json, lines
from nnbench.doctor.examination import examine
from nnbench.doctor.finding import NOTE, OK, PROBLEM, Finding
from nnbench.doctor.noise_floor import NoiseFloor, Spread, noise_floor, sentences

__all__ = [
    "NOTE",
    "OK",
    "PROBLEM",
    "Diagnosis",
    "Finding",
    "NoiseFloor",
    "Spread",
    "as_json",
    "examine",
    "lines",
    "noise_floor",
    "sentences",
]
