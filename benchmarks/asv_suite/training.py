"""Every phase of the notebook's three networks, on both paths: one interleaved study."""

import nnbench.suites.asv

from . import grid


class Training(nnbench.suites.asv.TrainingSuite):
    model = grid.ARCHITECTURES
    backends = grid.BACKENDS
    paths = grid.PATHS
    devices = grid.DEVICES
    launches, blocks = grid.LAUNCHES, grid.BLOCKS
    keep = "results/asv_runs"


class MiniBatches(nnbench.suites.asv.TrainingSuite):
    """14 steps an epoch, each of which costs `fit` something around it."""

    model = "6x2"
    batch_size = 100
    epochs = 10
    backends = grid.BACKENDS
    paths = grid.PATHS
    devices = grid.DEVICES
    launches, blocks = grid.LAUNCHES, grid.BLOCKS
    drift = False
    keep = "results/asv_runs"
