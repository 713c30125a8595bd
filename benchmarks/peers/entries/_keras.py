"""The model that all Keras entries train."""

import os

from nnbench import devices, network
from nnbench.architecture import Architecture
from nnbench.case import Training


def start(backend):
    return devices.start(backend, "cpu", int(os.environ["NNBENCH_PEER_THREADS"]))


def model(widths):
    return network.build(Architecture(tuple(widths)), Training(), 4)
