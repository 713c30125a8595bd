"""Every phase of the notebook's three networks on both paths, and of other families on `fit`."""

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


class DepthOrWidth(nnbench.suites.asv.TrainingSuite):
    """A convolution, an LSTM and a transformer, each wide and deep at equal parameters."""

    model = grid.FAMILIES
    data = grid.IMAGES
    epochs = 4
    backends = grid.BACKENDS
    devices = grid.DEVICES
    # What it adds to a commit stays small beside the rest.
    launches, blocks = min(grid.LAUNCHES, 2), 1
    drift = False
    keep = "results/asv_runs"
