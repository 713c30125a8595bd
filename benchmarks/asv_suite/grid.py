"""What all benchmarks of the suite are parameterised by.

The same for every environment of one `asv run`: asv asks the first one, and counts.
"""

import os
import shutil

from nnbench.suites.asv import Label

ARCHITECTURES = ("6x2", "100x2", "6x5")
FAMILIES = (
    *("conv:20x2", "conv:10x5"),
    *("lstm:24x1", "lstm:12x3"),
    *("transformer:32x1", "transformer:16x4"),
)
"""Of each family about as many parameters in few wide layers and in more narrow ones."""

IMAGES = "synthetic:images=8x8x1,classes=4,rows=128"
"""What all families train on; a sequence's steps are the rows of an image."""

BACKENDS = tuple(os.environ.get("NNBENCH_ASV_BACKENDS", "jax").split(","))
PATHS = ("fit", "compiled")
DEVICES = ("cpu", "gpu") if shutil.which("nvidia-smi") else ("cpu",)
QUICK = bool(os.environ.get("NNBENCH_ASV_QUICK"))
"""asv's `--quick` does not reach `setup_cache`: with this set, a study is one launch, one block."""

LAUNCHES, BLOCKS = (1, 1) if QUICK else (3, 2)
"""Six blocks: the fewest values a side for which asv tests instead of comparing intervals."""


def labels(*axes):
    return [[Label(value) for value in axis] for axis in axes]
