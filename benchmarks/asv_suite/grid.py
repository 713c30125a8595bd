"""What all benchmarks of the suite are parameterised by.

The same for every environment of one `asv run`: asv asks the first one, and counts.
"""

import os
import shutil

from nnbench.suites.asv import Label

ARCHITECTURES = ("6x2", "100x2", "6x5")
BACKENDS = tuple(os.environ.get("NNBENCH_ASV_BACKENDS", "jax").split(","))
PATHS = ("fit", "compiled")
DEVICES = ("cpu", "gpu") if shutil.which("nvidia-smi") else ("cpu",)
QUICK = bool(os.environ.get("NNBENCH_ASV_QUICK"))
"""asv's `--quick` does not reach `setup_cache`: with this set, a study is one launch, one block."""

LAUNCHES, BLOCKS = (1, 1) if QUICK else (3, 2)
"""Six blocks: the fewest values a side for which asv tests instead of comparing intervals."""


def labels(*axes):
    return [[Label(value) for value in axis] for axis in axes]
