"""Separable convolutions over images: `separable:32x4`, a filter a channel and then a mixture."""

from nnbench.workload.families.conv import KNOBS, stack
from nnbench.workload.families.family import IMAGES, Family

SEPARABLE = Family("separable", (IMAGES,), "filters", stack("SeparableConv", 2), KNOBS)
