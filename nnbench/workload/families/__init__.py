"""The families of networks, one file each; a new one is a file beside these and an entry here."""

from nnbench.workload.families.conv import CONV, CONV1D
from nnbench.workload.families.dense import DENSE
from nnbench.workload.families.family import (
    IMAGES,
    SEQUENCES,
    TABLE,
    TOKENS,
    USUAL_DATA,
    Family,
    Knob,
    Value,
)
from nnbench.workload.families.recurrent import GRU, LSTM
from nnbench.workload.families.residual import RESIDUAL
from nnbench.workload.families.separable import SEPARABLE
from nnbench.workload.families.transformer import TRANSFORMER

__all__ = [
    "FAMILIES",
    "IMAGES",
    "SEQUENCES",
    "TABLE",
    "TOKENS",
    "USUAL_DATA",
    "Family",
    "Knob",
    "Value",
]

FAMILIES = {
    family.name: family
    for family in (DENSE, RESIDUAL, CONV, CONV1D, SEPARABLE, LSTM, GRU, TRANSFORMER)
}
