"""Every phase of the notebook's three networks, on both paths: one interleaved study."""

import nnbench.suites.asv

from . import grid


class Training(nnbench.suites.asv.TrainingSuite):
    model = grid.ARCHITECTURES
    backends = grid.BACKENDS
    paths = grid.PATHS
    devices = grid.DEVICES
    launches, blocks, drift = grid.LAUNCHES, grid.BLOCKS, not grid.QUICK
    keep = "results/asv_runs"


class MiniBatches(nnbench.suites.asv.TrainingSuite):
    """14 steps an epoch, each of which costs `fit` something around it."""

    model = "6x2"
    batch_size = 100
    epochs = 10
    backends = grid.BACKENDS
    paths = grid.PATHS
    devices = grid.DEVICES
    launches, blocks, drift = grid.LAUNCHES, grid.BLOCKS, False
    keep = "results/asv_runs"
