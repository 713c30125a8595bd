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
LAUNCHES = int(os.environ.get("NNBENCH_ASV_LAUNCHES", "3"))
"""asv's `--quick` does not reach a study: set this to 1 for a quick look."""


def labels(*axes):
    return [[Label(value) for value in axis] for axis in axes]
