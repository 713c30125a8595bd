"""Colours of the figures: one for each phase, and a series: Okabe and Ito's, which all can see."""

from nnbench.phases import BUILD, COLD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE

COLOURS = {
    BUILD: "#999999",
    PREPARE: "#f0e442",
    TRACE: "#56b4e9",
    COMPILE: "#0072b2",
    FIRST_STEP: "#cc79a7",
    "later steps": "#d55e00",
    "epoch overhead": "#e69f00",
    "rest": "#ffffff",
    COLD: "#000000",
    EPOCH: "#009e73",
    STEP: "#d55e00",
}

SERIES_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
    *("#56b4e9", "#e69f00", "#999999", "#000000"),
)
